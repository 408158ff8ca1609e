"""What a stranger may get wrong is answered by one error of this package that names what is wrong and what it must be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flow_graph import (
    Case,
    End,
    FlowGraph,
    FlowGraphError,
    Foreach,
    GraphBuilder,
    Linear,
    Node,
    Outcome,
    Split,
    Switch,
    TaskName,
    Traversal,
    check,
    foreach_frames,
    interpret,
    parse_task_id,
    read_class,
    render,
    task_inputs,
)


class Flow:
    """A class without steps."""


GRAPH = (
    GraphBuilder("Etl")
    .step("start", foreach="shards", next="train")
    .step("train", next="join")
    .step("join", next="choose")
    .step("choose", condition="good", next={True: "end", False: "mend"})
    .step("mend", next="end")
    .step("end")
    .build()
)


def built(**more: Any) -> FlowGraph:
    return GraphBuilder("A").step("start", **{"next": "end", **more}).step("end").build()


def tasks(cardinalities: Any, choices: Any = None) -> list[Any]:
    return list(interpret(GRAPH, cardinalities, {"choose": "end"} if choices is None else choices))


def finish(outcome: Any) -> object:
    traversal = Traversal(GRAPH)
    (first,) = traversal.begin()
    return traversal.finish(first, outcome)


def inputs(step: Any = "join", task: Any = "t0", outcome: Any = None) -> object:
    return task_inputs(GRAPH, step, task, lambda *_: outcome)


Nothing: Any = None
Wrong = dict[str, tuple[Callable[[], object], str]]

READING: Wrong = {
    "no class": (lambda: read_class(Nothing), "a class"),
    "a class's name": (lambda: read_class("Flow"), "a class"),  # type: ignore[arg-type]
    "an instance": (lambda: read_class(Flow()), r"type\(instance\)"),  # type: ignore[arg-type]
    "no step": (lambda: read_class(Flow, step=Nothing), "step is None"),
    "no transition": (lambda: read_class(Flow, transition=3), "transition is 3"),  # type: ignore[arg-type]
    "no JSON": (lambda: FlowGraph.from_json(Nothing), "not JSON"),
    "data as JSON": (lambda: FlowGraph.from_json({"format": 1}), "not JSON"),  # type: ignore[arg-type]
    "JSON of a list": (lambda: FlowGraph.from_json("[]"), "no format version"),
}
CHECKING: Wrong = {
    "no graph": (lambda: check(Nothing), r"GraphBuilder\.build\(\)"),
    "a builder": (lambda: check(GraphBuilder("A")), r"GraphBuilder\.build\(\)"),  # type: ignore[arg-type]
    "one rule": (lambda: check(GRAPH, also="gang"), "a sequence of texts"),
    "an unknown rule": (lambda: check(GRAPH, also=["gangs"]), "nested-foreach, gang"),
    "a number of rules": (lambda: check(GRAPH, also=3), "a sequence of texts"),  # type: ignore[arg-type]
    "no finding": (lambda: render(Nothing), "a Finding"),
    "a sentence as finding": (lambda: render("wrong"), "a Finding"),  # type: ignore[arg-type]
}
BUILDING: Wrong = {
    "no name": (lambda: GraphBuilder(Nothing), "GraphBuilder's name"),
    "a number as step": (lambda: GraphBuilder("A").step(3), "step's name is 3"),  # type: ignore[arg-type]
    "a number as next": (lambda: built(next=3), "next of step 'start' is 3"),
    "nothing in next": (lambda: built(next=[None]), "one of next of step 'start' is None"),
    "next without order": (lambda: built(next={"end"}), "in an order"),
    "a case without step": (lambda: built(condition="good", next={"a": None}), "one of next"),
    "a number as foreach": (lambda: built(foreach=3), "foreach of step 'start' is 3"),
    "a number as condition": (lambda: built(condition=3, next={"a": "end"}), "condition of step"),
    "a word as join": (lambda: built(join="yes"), "True, False or None"),
    "one decorator": (lambda: built(decorators="retry"), "a sequence of texts"),
    "no nodes": (lambda: FlowGraph("A", Nothing), "FlowGraph's nodes"),
    "names as nodes": (lambda: FlowGraph("A", ["start"]), r"a Node, as Node\("),  # type: ignore[list-item]
    "no name of a graph": (lambda: FlowGraph(Nothing, []), "FlowGraph's name"),
    "no transition of a node": (lambda: Node("start", Nothing), r"a transition, as Linear\("),
    "a step as transition": (lambda: Node("start", "end"), r"a transition, as Linear\("),  # type: ignore[arg-type]
    "no name of a node": (lambda: Node(Nothing, End()), "Node's name"),
    "nowhere": (lambda: Linear(Nothing), "Linear's target"),
    "one target of a split": (lambda: Split("end"), "Split's targets"),  # type: ignore[arg-type]
    "no variable": (lambda: Foreach("end", Nothing), "Foreach's variable"),
    "no cases": (lambda: Switch("good", Nothing), "a tuple of Cases"),
    "a mapping as cases": (lambda: Switch("good", {"a": "end"}), "a tuple of Cases"),  # type: ignore[arg-type]
    "a list as key": (lambda: Case([], "end"), "a literal"),  # type: ignore[arg-type]
}
ASKING: Wrong = {
    "no step": (lambda: GRAPH[Nothing], "no step None"),
    "a number": (lambda: GRAPH[3], "no step 3"),  # type: ignore[index]
    "a list": (lambda: GRAPH[[]], r"no step \[\]"),  # type: ignore[index]
    "no split": (lambda: GRAPH.matching_join(Nothing), "no step None"),
    "no depth": (lambda: GRAPH.foreach_depth(3), "no step 3"),  # type: ignore[arg-type]
    "no arms": (lambda: GRAPH.arms(Nothing), "no step None"),
    "not inside": (lambda: GRAPH.is_inside(Nothing, "start"), "no step None"),
    "no target": (lambda: list(GRAPH.paths(3)), "no step 3"),  # type: ignore[arg-type]
}
RUNNING: Wrong = {
    "no graph": (lambda: list(interpret(Nothing)), "a FlowGraph"),
    "a width as text": (lambda: tasks({"start": "3"}), "a whole number, not '3'"),
    "half an item": (lambda: tasks({"start": 1.5}), "a whole number, not 1.5"),
    "widths of no step": (lambda: tasks({"strat": 3}), "Did you mean 'start'"),
    "widths in a list": (lambda: tasks([3]), "cardinalities is"),
    "a number as choice": (lambda: tasks({"start": 1}, {"choose": 3}), "a step, one step for each iteration"),
    "choices as text": (lambda: tasks({"start": 1}, "end"), "choices is 'end'"),
    "no graph to walk": (lambda: Traversal(Nothing), "a FlowGraph"),
    "the name of a task": (lambda: Traversal(GRAPH).finish(TaskName("start", "t0")), "PlannedTasks"),  # type: ignore[arg-type]
    "no task": (lambda: Traversal(GRAPH).finish(Nothing), "PlannedTasks"),
    "a number as outcome": (lambda: finish(3), r"an Outcome, as Outcome\(cardinality=3\), not 3"),
    "a text as width": (lambda: finish(Outcome(cardinality="3")), "a whole number"),  # type: ignore[arg-type]
    "no task id": (lambda: parse_task_id(Nothing, 0), "task ids look like"),
    "no step of a task": (lambda: inputs(step=None), "no step None"),
    "no id of a task": (lambda: inputs(task=None), "task ids look like"),
    "no outcome": (lambda: inputs(outcome=None), "an Outcome"),
    "outcomes in a mapping": (lambda: task_inputs(GRAPH, "join", "t0", {}), "a function of step"),  # type: ignore[arg-type]
    "no graph of a task": (lambda: foreach_frames(Nothing, "train", "t0", lambda *_: Outcome()), "a FlowGraph"),
}
WRONG = {
    f"{kind}: {mistake}": wrong
    for kind, table in {
        "reading": READING, "checking": CHECKING, "building": BUILDING, "asking": ASKING, "running": RUNNING
    }.items()
    for mistake, wrong in table.items()
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_named(mistake: str) -> None:
    make, says = WRONG[mistake]
    with pytest.raises(FlowGraphError, match=says) as error:
        make()
    assert len(str(error.value)) < 500
