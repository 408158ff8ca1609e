"""Runs of a graph: the reference interpreter, the traversal, task ids, inputs."""

from __future__ import annotations

import pytest
from flow_graph import (
    ForeachFrame,
    GraphBuilder,
    GraphError,
    InvalidOutcome,
    InvalidTaskId,
    Outcome,
    PlannedTask,
    TaskName,
    Traversal,
    UnexpectedTask,
    foreach_frames,
    interpret,
    parse_task_id,
    task_id,
    task_inputs,
)

EACH = (
    GraphBuilder("Each")
    .step("start", foreach="xs", next="work")
    .step("work", next="join")
    .step("join", next="end")
    .step("end")
    .build()
)
NESTED = (
    GraphBuilder("Nested")
    .step("start", foreach="xs", next="inner")
    .step("inner", foreach="ys", next="work")
    .step("work", next={"more": "work", "done": "last"}, condition="mode")
    .step("last", next="inner_join")
    .step("inner_join", next="join", join=True)
    .step("join", next="end", join=True)
    .step("end")
    .build()
)
SWITCH = (
    GraphBuilder("Switch")
    .step("start", next={1: "a", 2: "b"}, condition="c")
    .step("a", next="end")
    .step("b", next="end")
    .step("end")
    .build()
)


def lines(tasks: list[PlannedTask]) -> list[str]:
    """Each task and its parents, as text."""
    return [
        f"{task.step}/{task.task_id} <- {' '.join('/'.join(parent) for parent in task.parents)}".strip()
        for task in tasks
    ]


# ---- the interpreter


def test_a_foreach() -> None:
    assert lines(list(interpret(EACH, {"start": 3}))) == [
        "start/t0 <-",
        "work/t0 <- start/t0",
        "work/t1 <- start/t0",
        "work/t2 <- start/t0",
        "join/t0 <- work/t0 work/t1 work/t2",
        "end/t0 <- join/t0",
    ]


def test_nested_foreaches_and_a_recursive_switch() -> None:
    def mode(path: tuple[int, ...], iteration: int) -> str:
        return "work" if path == (1, 0) and iteration < 2 else "last"

    tasks = list(interpret(NESTED, {"start": 2, "inner": lambda path: path[0] + 1}, {"work": mode}))
    assert lines(tasks) == [
        "start/t0 <-",
        "inner/t0 <- start/t0",
        "work/t0-0 <- inner/t0",
        "last/t0-0 <- work/t0-0",
        "inner_join/t0 <- last/t0-0",
        "inner/t1 <- start/t0",
        "work/t1-0 <- inner/t1",
        "work/t1-0-r1 <- work/t1-0",
        "work/t1-0-r2 <- work/t1-0-r1",
        "last/t1-0 <- work/t1-0-r2",
        "work/t1-1 <- inner/t1",
        "last/t1-1 <- work/t1-1",
        "inner_join/t1 <- last/t1-0 last/t1-1",
        "join/t0 <- inner_join/t0 inner_join/t1",
        "end/t0 <- join/t0",
    ]


def test_choices_may_be_names_or_one_for_each_iteration() -> None:
    assert [task.step for task in interpret(SWITCH, choices={"start": "b"})] == ["start", "b", "end"]
    loop = (
        GraphBuilder("Loop")
        .step("start", next="again")
        .step("again", next={1: "again", 2: "end"}, condition="c")
        .step("end")
        .build()
    )
    tasks = list(interpret(loop, choices={"again": ["again", "again", "end"]}))
    assert [task.task_id for task in tasks] == ["t0", "t0", "t0-r1", "t0-r2", "t0"]


@pytest.mark.parametrize(
    ("cardinalities", "words"),
    [
        ({}, "needs a cardinality"),
        ({"start": 0}, "at least one item, not 0"),
        ({"start": -1}, "at least one item, not -1"),
    ],
)
def test_cardinalities_that_do_not_fit(cardinalities: dict[str, int], words: str) -> None:
    with pytest.raises(InvalidOutcome, match=words):
        list(interpret(EACH, cardinalities))


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({}, "needs the name of the step"),
        ({"start": "end"}, "cannot choose 'end', only a, b"),
        ({"start": []}, "needs the name"),
    ],
)
def test_choices_that_do_not_fit(choices: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidOutcome, match=words):
        list(interpret(SWITCH, choices=choices))


def test_a_switch_cannot_choose_itself_for_ever() -> None:
    with pytest.raises(InvalidOutcome, match="for ever"):
        list(interpret(NESTED, {"start": 1, "inner": 1}, {"work": "work"}))


# ---- the traversal


def test_a_traversal() -> None:
    traversal = Traversal(EACH)
    (start,) = traversal.begin()
    zero, one = traversal.finish(start, Outcome(cardinality=2))
    assert traversal.running == 2
    assert traversal.finish(one) == ()
    assert traversal.foreach_frames(zero) == (ForeachFrame("start", "xs", 0, 2),)
    (join,) = traversal.finish(zero)
    assert join.parents == (TaskName("work", "t0"), TaskName("work", "t1"))
    (end,) = traversal.finish(join)
    assert not traversal.complete
    assert traversal.finish(end) == ()
    assert traversal.complete


def test_a_hundred_thousand_items_are_planned_lazily() -> None:
    traversal = Traversal(EACH)
    tasks = traversal.finish(traversal.begin()[0], Outcome(cardinality=100_000))
    assert len(tasks) == 100_000
    assert tasks[99_999].task_id == "t99999"
    assert [task.task_id for task in tasks[1:3]] == ["t1", "t2"]
    with pytest.raises(IndexError):
        tasks[100_000]


def test_a_task_is_finished_once() -> None:
    traversal = Traversal(EACH)
    (start,) = traversal.begin()
    zero, _ = traversal.finish(start, Outcome(cardinality=2))
    for task in (
        start,
        PlannedTask("work", (5,), 0, ()),
        PlannedTask("end", (), 0, ()),
        PlannedTask("work", (0,), 3, ()),
    ):
        with pytest.raises(UnexpectedTask):
            traversal.finish(task)
    traversal.finish(zero)
    with pytest.raises(UnexpectedTask, match="work/t0 is not running"):
        traversal.finish(zero)


def test_a_wrong_outcome_changes_nothing() -> None:
    traversal = Traversal(EACH)
    (start,) = traversal.begin()
    for outcome in (None, Outcome(cardinality=0), Outcome(choice="work")):
        with pytest.raises(InvalidOutcome):
            traversal.finish(start, outcome)
    assert len(traversal.finish(start, Outcome(cardinality=2))) == 2


def test_an_ill_formed_graph_is_not_walked() -> None:
    broken = type(EACH)("Broken", [node for node in EACH if node.name != "join"])
    with pytest.raises(GraphError):
        Traversal(broken)
    with pytest.raises(GraphError):
        interpret(broken)


# ---- task ids and inputs


@pytest.mark.parametrize(
    ("path", "iteration", "text"),
    [
        ((), 0, "t0"),
        ((3,), 0, "t3"),
        ((3, 1), 0, "t3-1"),
        ((3,), 2, "t3-r2"),
        ((), 1, "t0-r1"),
        ((0, 0, 0), 0, "t0-0-0"),
    ],
)
def test_task_ids(path: tuple[int, ...], iteration: int, text: str) -> None:
    assert task_id(path, iteration) == text
    assert parse_task_id(text, len(path)) == (path, iteration)


@pytest.mark.parametrize(
    "text", ["", "0", "t", "t-1", "t01", "t1-", "t1-r0", "t1-r", "t1-r01", "t\u0663", "T1", "t1\n", " t1"]
)
def test_what_is_no_task_id(text: str) -> None:
    with pytest.raises(InvalidTaskId, match="task ids look like"):
        parse_task_id(text, 1)


@pytest.mark.parametrize(("text", "depth"), [("t1", 0), ("t1-2", 1), ("t1", 2), ("t0-0", 0)])
def test_task_ids_that_do_not_fit_their_step(text: str, depth: int) -> None:
    with pytest.raises(InvalidTaskId, match=f"inside {depth} foreaches"):
        parse_task_id(text, depth)


def outcome_of(step: str, task: str) -> Outcome:
    return {"start": Outcome(cardinality=2), "inner": Outcome(cardinality=3), "work": Outcome(choice="last")}[step]


def test_inputs_are_in_item_order() -> None:
    assert task_inputs(NESTED, "inner_join", "t1", outcome_of) == tuple(
        TaskName("last", f"t1-{item}") for item in range(3)
    )
    assert task_inputs(NESTED, "join", "t0", outcome_of) == (TaskName("inner_join", "t0"), TaskName("inner_join", "t1"))
    assert task_inputs(NESTED, "work", "t1-2-r3", outcome_of) == (TaskName("work", "t1-2-r2"),)
    assert task_inputs(NESTED, "start", "t0", outcome_of) == ()


def test_frames() -> None:
    assert foreach_frames(NESTED, "work", "t1-2", outcome_of) == (
        ForeachFrame("start", "xs", 1, 2),
        ForeachFrame("inner", "ys", 2, 3),
    )
    with pytest.raises(InvalidTaskId, match="'inner' has 3 items"):
        foreach_frames(NESTED, "work", "t1-3", outcome_of)


def test_only_recursive_switches_have_iterations() -> None:
    with pytest.raises(InvalidTaskId, match="has no iterations"):
        task_inputs(NESTED, "last", "t0-0-r1", outcome_of)
