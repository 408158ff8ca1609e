"""Waits and slices, as numbers."""

from __future__ import annotations

import itertools

from compute_batch import IMPATIENT, Pace, Patience
from compute_batch.slicing import slices
from hypothesis import given
from hypothesis import strategies as st


@given(st.floats(0, 100), st.booleans(), st.integers(1, 200))
def test_a_pace_stays_within_its_bounds(waited: float, changed: bool, calls: int) -> None:
    pace = Pace(least_seconds=1, most_seconds=30, seconds_per_call=0.2)
    least = max(1, calls * 0.2)
    assert least <= pace.after(waited, changed=changed, calls=calls) <= max(30, least)
    assert pace.after(waited, changed=True, calls=calls) == least
    assert 2 <= pace.after_throttling(waited) <= 30


@given(st.integers(1, 10_000), st.floats(0, 200))
def test_patience_never_spends_more_than_its_budget(failures: int, spent: float) -> None:
    patience = Patience(budget_seconds=100, first_seconds=1, most_seconds=20)
    wait = patience.wait(failures, spent)
    if wait is None:
        assert spent > 80
    else:
        assert 0.5 <= wait <= 20
        assert spent + wait <= 100
    assert IMPATIENT.wait(failures, spent) is None


@given(st.integers(1, 100_000), st.none() | st.integers(1, 20_000))
def test_slices_hold_every_child_once_in_order_and_are_arrays_that_batch_takes(size: int, at_once: int | None) -> None:
    found = slices(size, at_once)
    assert found[0].start == 0
    assert found[-1].stop == size
    assert all(one.stop == other.start for one, other in itertools.pairwise(found))
    assert all(1 <= len(one) <= 10_000 for one in found)
    if at_once is None:
        assert len(found) == -(-size // 10_000)
        assert max(map(len, found)) - min(map(len, found)) <= 1
    elif 1 < at_once < size:
        assert all(len(one) <= at_once for one in found)
        assert len({len(one) for one in found[:-1]}) <= 1
