"""Which attempts become one array, and how each child finds the task that it is."""

from __future__ import annotations

import pytest
from flow_graph import ForeachFrame, task_id
from hypothesis import given
from hypothesis import strategies as st
from stepwell.deploying import gathering, indices
from stepwell.deploying.gathering import gather
from stepwell.deploying.job import read_environment
from stepwell.execution.spec import TaskSpec

SOME = st.lists(st.integers(0, 12_000), min_size=1, max_size=60, unique=True).map(sorted)
BASE = {"STEPWELL_FLOW": "F", "STEPWELL_RUN_ID": "1"}


def spec(step: str, path: tuple[int, ...], attempt: int = 0, iteration: int = 0) -> TaskSpec:
    frames = tuple(ForeachFrame(step="split", variable="items", index=index, cardinality=20_000) for index in path)
    return TaskSpec("F", "1", step, task_id(path, iteration), attempt, frames=frames)


@given(SOME)
def test_indices_as_text_are_found_again_by_their_place(some: list[int]) -> None:
    text = indices.as_text(some)
    assert [indices.index_at(text, place) for place in range(len(some))] == some
    with pytest.raises(IndexError):
        indices.index_at(text, len(some))


def test_neighbours_are_written_as_ranges() -> None:
    assert indices.as_text([0, 1, 2, 5, 7, 8]) == "0-2,5,7-8"


tasks = st.tuples(
    st.sampled_from(["a", "b"]), st.integers(0, 2), st.integers(0, 40), st.integers(0, 1), st.integers(0, 1)
)


@given(st.sets(tasks, max_size=60))
def test_every_attempt_is_in_one_fanout_and_each_child_finds_its_own(
    wanted: set[tuple[str, int, int, int, int]],
) -> None:
    specs = [spec(step, (outer, inner), attempt, round_) for step, outer, inner, attempt, round_ in sorted(wanted)]
    found = []
    for fanout in gather(specs):
        shared = {**BASE, "STEPWELL_STEP": fanout.step, **fanout.environment, "STEPWELL_ARRAY_OFFSET": "0"}
        for place, one in enumerate(fanout.specs):
            place_of = {"AWS_BATCH_JOB_ARRAY_INDEX": str(place)} if len(fanout) > 1 else {}
            task = read_environment({**shared, **place_of})
            assert (task.step, task.task_id, task.attempt) == (one.step, one.task_id, one.attempt)
            found.append(one)
    assert sorted(map(id, found)) == sorted(map(id, specs))
    groups = {(one.step, one.frames[0].index, one.attempt, one.task_id.partition("-r")[2]) for one in specs}
    assert len(list(gather(specs))) == len(groups)


def test_what_is_in_no_foreach_is_a_job_of_its_own() -> None:
    fanouts = list(gather([spec("a", ()), spec("b", ()), spec("a", (3,))]))
    assert [len(fanout) for fanout in fanouts] == [1, 1, 1]
    assert fanouts[2].environment["STEPWELL_FOREACH_PATH"] == "3"
    assert "STEPWELL_ARRAY_INDICES" not in fanouts[2].environment


def test_a_slice_of_an_array_counts_from_its_offset() -> None:
    [fanout] = gather([spec("a", (2, index)) for index in (4, 5, 9)])
    last = {
        **BASE,
        "STEPWELL_STEP": "a",
        **fanout.environment,
        "STEPWELL_ARRAY_OFFSET": "2",
    }  # alone: Batch sets no index
    assert read_environment(last).task_id == "t2-9"


def test_indices_that_would_not_fit_into_a_submission_are_in_several() -> None:
    fanouts = list(gather(spec("a", (index,)) for index in range(0, 9_000, 2)))
    assert sum(map(len, fanouts)) == 4_500
    assert all(len(fanout.environment["STEPWELL_ARRAY_INDICES"]) <= gathering.LONGEST_INDICES for fanout in fanouts)
