"""What a graph answers."""

from __future__ import annotations

import pytest
from flow_graph import Arm, End, FlowGraph, GraphBuilder, Linear, Node, NoMatchingStep, UnknownStep

GRAPH = (
    GraphBuilder("Flow")
    .step("start", foreach="xs", next="fan")
    .step("fan", next=["left", "right"])
    .step("left", next={1: "deep", 2: "near", 3: "left"}, condition="c")
    .step("deep", next="near")
    .step("near", next="fan_join")
    .step("right", next="fan_join")
    .step("fan_join", next="join", join=True)
    .step("join", next="end", join=True)
    .step("end")
    .build()
)


def test_order() -> None:
    assert GRAPH.steps == ("start", "fan", "left", "deep", "near", "right", "fan_join", "join", "end")
    assert [node.name for node in GRAPH] == list(GRAPH.steps)
    assert len(GRAPH) == 9
    assert "fan" in GRAPH
    assert "fun" not in GRAPH
    assert repr(GRAPH) == "<FlowGraph Flow: start, fan, left, deep, near, right, fan_join, join, end>"


def test_neighbours() -> None:
    assert GRAPH.successors["left"] == ("deep", "near", "left")
    assert GRAPH.predecessors["near"] == ("left", "deep")
    assert GRAPH.previous("left") == ("fan", "left")
    assert GRAPH.successors["end"] == ()


def test_paths() -> None:
    assert list(GRAPH.paths("near")) == [
        ("start", "fan", "left", "deep", "near"),
        ("start", "fan", "left", "near"),
    ]
    assert len(list(GRAPH.paths())) == 3
    assert all(path[0] == "start" and path[-1] == "end" for path in GRAPH.paths())
    assert list(GRAPH.paths("start")) == [("start",)]
    with pytest.raises(UnknownStep):
        list(GRAPH.paths("nowhere"))


def test_paths_are_made_one_at_a_time() -> None:
    builder = GraphBuilder("Many").step("start", next="s0")
    for level in range(60):  # 2 ** 60 ways
        builder.step(f"s{level}", next={1: f"a{level}", 2: f"b{level}"}, condition="c")
        builder.step(f"a{level}", next=f"s{level + 1}").step(f"b{level}", next=f"s{level + 1}")
    graph = builder.step("s60", next="end").step("end").build()
    assert len(next(graph.paths())) == 123


def test_nesting() -> None:
    assert GRAPH.arms("deep") == (Arm("start", 0), Arm("fan", 0))
    assert GRAPH.arms("right") == (Arm("start", 0), Arm("fan", 1))
    assert GRAPH.split_parents("near") == ("start", "fan")
    assert GRAPH.foreaches("near") == ("start",)
    assert [GRAPH.foreach_depth(step) for step in GRAPH.steps] == [0, 1, 1, 1, 1, 1, 1, 0, 0]
    assert GRAPH.is_inside("deep", "fan")
    assert GRAPH.is_inside("fan", "start")
    assert not GRAPH.is_inside("fan_join", "fan")
    assert not GRAPH.is_inside("start", "start")


def test_matching() -> None:
    assert GRAPH.matching_join("start") == "join"
    assert GRAPH.matching_join("fan") == "fan_join"
    assert GRAPH.matching_split("join") == "start"
    with pytest.raises(NoMatchingStep, match="'left' has no matching join"):
        GRAPH.matching_join("left")
    with pytest.raises(NoMatchingStep, match="'left' has no matching split"):
        GRAPH.matching_split("left")


def test_dominators() -> None:
    assert GRAPH.dominators["near"] == "left"
    assert GRAPH.dominators["fan_join"] == "fan"
    assert "left" not in GRAPH.dominators  # the first of its arm


def test_kinds() -> None:
    assert [node.kind for node in GRAPH] == [
        "foreach", "split", "switch", "linear", "linear", "linear", "join", "join", "end",
    ]  # fmt: skip
    assert GRAPH["left"].recursive
    assert not GRAPH["fan"].recursive


@pytest.mark.parametrize(
    "ask", ["previous", "arms", "foreaches", "foreach_depth", "matching_join", "split_parents", "__getitem__"]
)
def test_unknown_steps_are_guessed(ask: str) -> None:
    with pytest.raises(UnknownStep) as caught:
        getattr(GRAPH, ask)("rigth")
    assert str(caught.value) == "The flow 'Flow' has no step 'rigth'. Did you mean 'right'?"
    assert isinstance(caught.value, KeyError)


def test_a_flow_without_start_or_end() -> None:
    graph = FlowGraph("Flow", [Node("a", Linear("b")), Node("b", End())])
    assert (graph.first, graph.last) == (None, None)
    with pytest.raises(UnknownStep):
        _ = graph.start
    with pytest.raises(UnknownStep):
        _ = graph.end


def test_graphs_are_values() -> None:
    same = FlowGraph("Flow", list(GRAPH.nodes.values()), file="elsewhere.py")
    assert same == GRAPH
    assert hash(same) == hash(GRAPH)
    assert FlowGraph("Flow", GRAPH.nodes) == GRAPH
    assert FlowGraph("Other", GRAPH.nodes) != GRAPH
    with pytest.raises(AttributeError):
        GRAPH.name = "other"  # type: ignore[misc]
