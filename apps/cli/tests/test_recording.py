"""The history of a run: one bad record, or a store that is away, costs nothing but a warning."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from meta_client import EmbeddedStore, Metadatum, ServiceUnavailable, Step, Task
from stepwell.scheduling.recorder import Recorder
from stepwell.scheduling.signals import held_signals


def records(count: int) -> list[Any]:
    path = {"flow_id": "F", "run_id": 1, "step_name": "s"}
    tasks = [Task(task_id=f"t{n}", **path) for n in range(count)]
    return [
        Step(**path),
        *tasks,
        *(Metadatum(field_name="f", value=str(n), task_id=f"t{n}", **path) for n in range(count)),
    ]


def recorded(store: EmbeddedStore, given: list[Any], warnings: list[str], wrapper: Any = None) -> int:
    run = store.create_run("F")
    recorder = Recorder(wrapper or store, run, warnings.append)
    recorder.record(given)
    recorder.close(timeout=240)
    return len(store.list_tasks("F", 1, "s"))


def test_everything_is_written_by_the_end(tmp_path: Any) -> None:
    warnings: list[str] = []
    with EmbeddedStore(tmp_path / "m.db") as store:
        assert recorded(store, records(50), warnings) == 50
    assert warnings == []


def test_a_record_that_cannot_be_kept_does_not_cost_the_others(tmp_path: Any) -> None:
    warnings: list[str] = []
    bad = Metadatum(field_name="f", value="\0", flow_id="F", run_id=1, step_name="s", task_id="t1")
    with EmbeddedStore(tmp_path / "m.db") as store:
        assert recorded(store, [*records(20), bad], warnings) == 20
        assert len(store.list_metadata(store.get_task("F", 1, "s", "t1"))) == 1
    assert len(warnings) == 1
    assert "value" in warnings[0]


class Away:
    """A store that cannot be reached for some calls."""

    def __init__(self, store: EmbeddedStore, calls: int) -> None:
        self.store, self.calls = store, calls

    def register_many(self, batch: Any) -> None:
        self.calls -= 1
        if self.calls >= 0:
            raise ServiceUnavailable("the store", "it is away")
        self.store.register_many(batch)


def test_a_store_that_comes_back_gets_what_waited(tmp_path: Any) -> None:
    warnings: list[str] = []
    with EmbeddedStore(tmp_path / "m.db") as store:
        assert recorded(store, records(5), warnings, Away(store, 2)) == 5
    assert ["away" in warning for warning in warnings] == [True]


def test_a_store_that_stays_away_is_reported_and_waited_for_no_longer_than_told(tmp_path: Any) -> None:
    warnings: list[str] = []
    with EmbeddedStore(tmp_path / "m.db") as store:
        run = store.create_run("F")
        recorder = Recorder(Away(store, 10_000), run, warnings.append)  # type: ignore[arg-type]
        recorder.record(records(5))
        recorder.close(timeout=0.5)
    assert "11 records of run 1 are missing" in warnings[-1]


@pytest.fixture
def at_a_terminal() -> Iterator[None]:
    """SIGINT as a command has it there; who runs the tests in the background may ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("at_a_terminal")
def test_a_person_who_asks_to_end_does_not_wait_for_a_store_that_stays_away(tmp_path: Any) -> None:
    warnings: list[str] = []
    with EmbeddedStore(tmp_path / "m.db") as store, held_signals():
        run = store.create_run("F")
        recorder = Recorder(Away(store, 1_000_000), run, warnings.append)  # type: ignore[arg-type]
        recorder.record(records(5))
        signal.raise_signal(signal.SIGINT)
        recorder.close(timeout=60)
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []), "the next one is held again"
    assert [warning for warning in warnings if "some records of run 1 are missing" in warning], "without counting them"
