"""The other forms of a graph: drawings and JSON, each beside a golden file that is reviewed like code.

`FLOW_GRAPH_WRITE_GOLDENS=1 pytest` writes them anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flow_graph import (
    Case,
    End,
    FlowGraph,
    Foreach,
    GraphBuilder,
    Join,
    Linear,
    MissingExtra,
    Node,
    Span,
    Split,
    Switch,
    UnreadableGraph,
)
from flow_graph.testing import graphs
from hypothesis import given

GOLDENS = Path(__file__).parent / "goldens"


def plain() -> FlowGraph:
    return GraphBuilder("Plain", "Nothing special.").step("start", next="end").step("end").build()


def everything() -> FlowGraph:
    """All kinds of transitions, nested."""
    return (
        GraphBuilder("Everything", "All there is.")
        .step("start", foreach="shards", next="prepare", doc="Splits the work.")
        .step("prepare", next="route")
        .step("route", next={"fast": "quick", "deep": "fan", None: "score", 'again "now"': "route"}, condition="mode")
        .step("quick", next="score")
        .step("fan", next=["left", "right"])
        .step("left", next="gang")
        .step("gang", next="member", num_parallel=4)
        .step("member", next="gathered", decorators=["parallel"])
        .step("gathered", next="fanned", join=True)
        .step("right", next="fanned")
        .step("fanned", next="score", join=True)
        .step("score", next="collect")
        .step("collect", next="publish", join=True)
        .step("publish", next={True: "end", False: "mail"}, condition="quiet")
        .step("mail", next="end")
        .step("end")
        .build()
    )


def broken() -> FlowGraph:
    return FlowGraph(
        "Broken", [Node("start", Linear("a")), Node("a", Split(("start", "b"))), Node("b", Foreach("c", "xs"))]
    )


FORMS: dict[str, Callable[[FlowGraph], str]] = {
    "txt": FlowGraph.to_text,
    "ascii.txt": lambda graph: graph.to_text(ascii_only=True),
    "mmd": FlowGraph.to_mermaid,
    "dot": FlowGraph.to_dot,
    "json": lambda graph: json.dumps(json.loads(graph.to_json()), indent=1) + "\n",
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("graph", [plain, everything, broken])
def test_forms_are_those_of_the_goldens(graph: Callable[[], FlowGraph], form: str) -> None:
    text = FORMS[form](graph())
    golden = GOLDENS / f"{graph.__name__}.{form}"
    if os.environ.get("FLOW_GRAPH_WRITE_GOLDENS"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


# ---- drawings


@given(graphs())
def test_the_drawing_has_every_step_on_a_line_of_its_own(graph: FlowGraph) -> None:
    lines = graph.to_text().splitlines()
    drawn = [line.lstrip("├╞└╘│─═╌ ").split(" ")[0] for line in lines]
    assert sorted(name for name in drawn if name != "→") == sorted(graph.nodes)
    place = {name: position for position, name in enumerate(drawn)}
    for node in graph:
        if node.kind in ("split", "foreach"):
            join = graph.matching_join(node.name)
            assert all(
                place[node.name] < place[inner] < place[join]
                for inner in graph.nodes
                if graph.is_inside(inner, node.name)
            )
    assert graph.to_text(ascii_only=True).isascii()


def test_arms_nested_deeper_than_pythons_stack() -> None:
    depth = 600
    inner = [
        Node(f"f{level}", Foreach(f"f{level + 1}" if level < depth - 1 else "body", "xs")) for level in range(depth)
    ]
    joins = [Node(f"j{level}", Join(f"j{level - 1}" if level else "end"), arguments=2) for level in range(depth)]
    nodes = [Node("start", Linear("f0")), *inner, Node("body", Linear(f"j{depth - 1}")), *joins, Node("end", End())]
    graph = FlowGraph("Deep", nodes)
    assert graph.foreach_depth("body") == depth
    assert len(graph.to_text().splitlines()) == len(graph)


def test_networkx() -> None:
    view = everything().to_networkx()
    assert view.nodes["start"] == {"kind": "foreach", "doc": "Splits the work.", "file": None, "line": None}
    assert view.edges["start", "prepare"] == {"label": "foreach shards"}
    assert view.has_edge("route", "route")


def test_networkx_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "networkx", None)
    with pytest.raises(MissingExtra, match=r"pip install 'stepwell-flow-graph\[networkx\]'") as caught:
        plain().to_networkx()
    assert isinstance(caught.value.__cause__, ImportError)


# ---- JSON


def test_json_keeps_all_that_there_is() -> None:
    for graph in (plain(), everything(), broken()):
        again = FlowGraph.from_json(graph.to_json())
        assert again == graph
        assert list(again.nodes) == list(graph.nodes)
        assert again.to_data() == graph.to_data()
    node = Node(
        "start",
        End(),
        at=Span(1, 2, 3),
        transition_at=Span(4, 5, 6),
        targets_at={"a": Span(7, 8, 9)},
        decorators=("x",),
    )
    graph = FlowGraph("Flow", [node], at=Span(1, 7, 11), constants=("alpha",), file="flow.py")
    again = FlowGraph.from_data(graph.to_data())
    assert (again["start"].at, again["start"].transition_at) == (Span(1, 2, 3), Span(4, 5, 6))
    assert again["start"].targets_at == {"a": Span(7, 8, 9)}
    assert (again.at, again.constants, again.file) == (Span(1, 7, 11), ("alpha",), "flow.py")


def test_keys_of_switches_keep_their_type() -> None:
    cases = tuple(Case(key, "a") for key in ("1", 1, 1.0, True, None, -1.5))
    graph = FlowGraph("Flow", [Node("start", Switch("c", cases))])
    transition: Any = FlowGraph.from_json(graph.to_json())["start"].transition
    assert [type(case.key) for case in transition.cases] == [type(case.key) for case in cases]


def test_bytes_are_read_too() -> None:
    assert FlowGraph.from_json(plain().to_json().encode()) == plain()


DAMAGED = [
    ("", "not JSON"),
    ("{", "not JSON"),
    ("[" * 100_000, "not JSON"),
    ("[]", "names no format version"),
    ("{}", "names no format version"),
    ('{"format": "1"}', "names no format version"),
    ('{"format": 1}', "graph"),
    ('{"format": 1, "name": "Flow", "steps": 3}', "graph"),
    ('{"format": 1, "name": "Flow", "steps": [3]}', "graph"),
    ('{"format": 1, "name": 3, "steps": []}', "graph.name"),
    ('{"format": 1, "name": "Flow", "steps": [], "extra": 1}', "extra"),
    ('{"format": 1, "name": "Flow", "steps": [{"name": "a"}]}', "transition"),
    ('{"format": 1, "name": "Flow", "steps": [{"name": "a", "transition": {"kind": "jump"}}]}', "transition"),
    ('{"format": 1, "name": "Flow", "steps": [{"name": "a", "transition": {"kind": "linear"}}]}', "transition.target"),
    (
        '{"format": 1, "name": "Flow", "steps": [{"name": "a", "transition": {"kind": "split", "targets": "ab"}}]}',
        "targets",
    ),
    (
        '{"format": 1, "name": "Flow", "steps": [{"name": "a", "arguments": "2", "transition": {"kind": "end"}}]}',
        "arguments",
    ),
]


@pytest.mark.parametrize(("text", "words"), DAMAGED)
def test_damaged_json_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(UnreadableGraph) as caught:
        FlowGraph.from_json(text)
    assert words in str(caught.value)


def test_a_later_format_names_what_to_do() -> None:
    with pytest.raises(UnreadableGraph, match="Install a later stepwell-flow-graph") as caught:
        FlowGraph.from_json('{"format": 2, "name": "Flow"}')
    assert caught.value.version == 2


def test_every_released_format_can_be_read() -> None:
    for file in sorted(GOLDENS.glob("*.json")):
        assert FlowGraph.from_json(file.read_bytes()).name == file.stem.capitalize()
