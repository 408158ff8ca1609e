"""The parts that touch neither disk nor network: orders, tags, rows of bulk requests."""

import json
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meta_client import (
    Conflict,
    Denied,
    ForeignFile,
    InvalidAnswer,
    InvalidRequest,
    NotFound,
    Run,
    SchemaTooOld,
    ServiceError,
    ServiceUnavailable,
    StoreBusy,
    Task,
)
from meta_client.ordering import natural_key, oldest_tasks_first
from meta_client.service_rows import LARGEST_BODY, bodies, not_among
from meta_client.tags import has_all, mutated

IN_ORDER = ["t0", "t1", "t1-2", "t1-10", "t1-r2", "t2", "t10", "t" + "9" * 30]
tags = st.lists(st.sampled_from("abcdef"), max_size=6)
rows = st.lists(st.fixed_dictionaries({"value": st.sampled_from("abc"), "tags": st.none() | tags}), max_size=12)


@given(st.permutations(IN_ORDER))
def test_ids_sort_as_people_count(ids):
    assert sorted(ids, key=natural_key) == IN_ORDER


@given(st.lists(st.integers(0) | st.text(), max_size=10))
def test_any_ids_can_be_sorted(ids):
    tasks = [Task(flow_id="F", run_id=1, step_name="s", task_id=each) for each in ids]
    assert sorted(str(task.task_id) for task in oldest_tasks_first(tasks)) == sorted(map(str, ids))


def test_tasks_sort_by_age_first():
    old, new = (
        Task(flow_id="F", run_id=1, step_name="s", task_id=name, ts_epoch=ts) for name, ts in [("t9", 1), ("t1", 2)]
    )
    assert oldest_tasks_first([new, old]) == [old, new]


@given(tags, tags, tags)
def test_tags_are_removed_then_added(before, add, remove):
    after = mutated(before, (), add, remove)
    assert set(after) == set(before) - set(remove) | set(add)
    assert len(after) == len(set(after))
    assert set(mutated(after, (), add, remove)) == set(after)


@given(tags, tags, tags, tags)
def test_system_tags_neither_come_nor_go(before, system, add, remove):
    if set(system) & set(remove):
        with pytest.raises(InvalidRequest):
            mutated(before, system, add, remove)
    else:
        assert set(mutated(before, system, add, remove)) == set(before) - set(remove) | set(add) - set(system)


def test_all_tags_of_users_and_system_count():
    assert has_all(["a", "s"], ["a"], ["s"])
    assert has_all([], None, None)
    assert not has_all(["a"], None, ["s"])


@given(rows, rows)
def test_what_is_present_is_left_out_as_often_as_it_is_present(wanted, present):
    missing = not_among(wanted, present)
    for row in wanted:
        assert missing.count(row) == max(0, wanted.count(row) - present.count(row))


@given(st.lists(st.integers(0, 400_000), max_size=12))
def test_bodies_hold_every_row_in_order_and_stay_small(sizes):
    given_rows = [{"number": number, "value": "v" * size} for number, size in enumerate(sizes)]
    cut = list(bodies(given_rows))
    assert [row for body in cut for row in body] == given_rows
    for body in cut:
        assert body
        assert len(json.dumps(body)) <= LARGEST_BODY + 2 or len(body) == 1


def test_a_row_that_is_too_large_goes_alone():
    large = {"value": "v" * (2 * LARGEST_BODY)}
    assert list(bodies([{"value": "a"}, large, {"value": "b"}])) == [[{"value": "a"}], [large], [{"value": "b"}]]


@pytest.mark.parametrize(
    "error",
    [
        NotFound("run F/1"),
        Conflict("run F/1", Run(flow_id="F", run_id=1)),
        InvalidRequest("name", "a/b", "no slash"),
        InvalidAnswer("GET /", "half a body"),
        Denied("GET /", 401),
        ServiceError("GET /", 400, "no"),
        ServiceUnavailable("GET /", "away", maybe_done=True),
        StoreBusy("metadata.db", 2.0),
        SchemaTooOld(1, 2, "migrate"),
        ForeignFile(Path("metadata.db"), "damaged"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_cross_processes_as_they_are(error):
    read = pickle.loads(pickle.dumps(error))
    assert type(read) is type(error)
    assert str(read) == str(error)
    assert vars(read) == vars(error)
