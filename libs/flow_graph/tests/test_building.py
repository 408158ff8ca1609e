"""Building a graph in code."""

from __future__ import annotations

from typing import Any

import pytest
from flow_graph import Case, Foreach, GraphBuilder, GraphError, Join, Linear, Split, Switch


def builder() -> GraphBuilder:
    return GraphBuilder("Flow")


def test_the_example_of_the_contract() -> None:
    graph = (
        GraphBuilder("Etl", "What it does.")
        .step("start", foreach="shards", next="train", doc="Begins.")
        .step("train", next="join")
        .step("join", next="end")
        .step("end")
        .build()
    )
    assert (graph.name, graph.doc, graph["start"].doc) == ("Etl", "What it does.", "Begins.")
    assert graph["start"].transition == Foreach("train", "shards")
    assert graph["train"].transition == Linear("join")
    assert graph["join"].transition == Join("end")
    assert graph["join"].takes_inputs
    assert graph.steps == ("start", "train", "join", "end")
    assert graph["start"].next == ("train",)
    assert graph.matching_join("start") == "join"
    assert graph.foreach_depth("train") == 1


def test_all_kinds() -> None:
    graph = (
        builder()
        .step("begin", next=["a", "b"], start=True)
        .step("a", next={"x": "a", 1: "c"}, condition="mode")
        .step("b", next="j")
        .step("c", next="j")
        .step("j", next="g")
        .step("g", next="member", num_parallel=2)
        .step("member", next="k", decorators=["parallel"])
        .step("k", next="done", join=True)
        .step("done", end=True)
        .build()
    )
    assert graph["begin"].transition == Split(("a", "b"))
    assert graph["a"].transition == Switch("mode", (Case("x", "a"), Case(1, "c")))
    assert graph["a"].recursive
    assert graph["g"].transition == Foreach("member", "2", parallel=True)
    assert graph["member"].parallel
    assert (graph.start, graph.end) == ("begin", "done")


@pytest.mark.parametrize("name", ["join", "join_all", "shards_join"])
def test_a_join_is_told_by_its_name(name: str) -> None:
    graph = (
        builder()
        .step("start", foreach="xs", next="a").step("a", next="b").step("b", next=name).step(name, next="end").step("end")
    ).build()  # fmt: skip
    assert graph.matching_join("start") == name


def test_a_join_is_told_by_its_place() -> None:
    graph = (
        builder()
        .step("start", foreach="xs", next="a")
        .step("a", next="gather")
        .step("gather", next="end")
        .step("end")
        .build()
    )
    assert graph.matching_join("start") == "gather"
    graph = (
        builder()
        .step("start", next=("a", "b")).step("a", next="c").step("b", next="c").step("c", next="end").step("end")
    ).build()  # fmt: skip
    assert graph.matching_join("start") == "c"


def test_where_it_cannot_be_told_the_builder_asks() -> None:
    steps = (
        builder()
        .step("start", foreach="xs", next="a").step("a", next="b").step("b", next="c").step("c", next="end").step("end")
    )  # fmt: skip
    with pytest.raises(GraphError) as caught:
        steps.build()
    assert [finding.slug for finding in caught.value.findings] == ["split-not-joined"]
    assert "inputs" in caught.value.findings[0].help


def test_join_false_is_respected() -> None:
    steps = (
        builder()
        .step("start", foreach="xs", next="a")
        .step("a", next="join")
        .step("join", next="end", join=False)
        .step("end")
    )
    with pytest.raises(GraphError):
        steps.build()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"next": []}, "names no step"),
        ({"foreach": "xs"}, "names no step"),
        ({"num_parallel": 2}, "names no step"),
        ({"condition": "c"}, "names no step"),
        ({"next": ["end", "end2"], "foreach": "xs"}, "exactly one target"),
        ({"next": "end", "foreach": "no name"}, "is not the name of an artifact"),
        ({"next": "end", "foreach": "xs", "num_parallel": 2}, "exclude each other"),
        ({"next": "end", "condition": "c"}, "goes with a mapping"),
        ({"next": {1: "end", 2: "a"}}, "without a condition"),
        ({"next": {}, "condition": "c"}, "without cases"),
        ({"next": {1: "end", 2: "a"}, "condition": "no name"}, "is not the name of an artifact"),
        ({"next": {1: "end", 2: "a"}, "condition": "c", "foreach": "xs"}, "cannot also have foreach="),
        ({"next": {(1, 2): "end", 2: "a"}, "condition": "c"}, "the switch key (1, 2) is not a literal"),
    ],
)
def test_mistakes_are_collected(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(GraphError) as caught:
        builder().step("start", **arguments).step("end").build()
    assert any(words in finding.message for finding in caught.value.findings)


def test_all_mistakes_at_once() -> None:
    with pytest.raises(GraphError) as caught:
        builder().step("start", next="a").step("a", next="b").step("Big", next="end").step("end").build()
    assert {finding.slug for finding in caught.value.findings} == {"unknown-step", "invalid-name"}
