"""A graph as a picture, in the languages that draw it, and as a networkx graph."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flow_graph.errors import MissingExtra
from flow_graph.graph import FlowGraph
from flow_graph.nodes import Foreach, Node, Switch

# Mermaid: brackets round the label give the shape.
SHAPES = {
    "split": ("[/", "\\]"),
    "foreach": ("[[", "]]"),
    "switch": ("{", "}"),
    "join": ("[\\", "/]"),
    "end": ("([", "])"),
}
DOT_SHAPES = {"split": "trapezium", "foreach": "box3d", "switch": "diamond", "join": "invtrapezium", "end": "oval"}


def edges(graph: FlowGraph) -> Iterator[tuple[str, str, str]]:
    """All transitions as (from, to, label)."""
    for node in graph:
        for target in node.next:
            yield node.name, target, edge_label(node, target)


def edge_label(node: Node, target: str) -> str:
    """What to write on the way from a step to `target`."""
    match node.transition:
        case Foreach(variable=variable, parallel=parallel):
            return f"num_parallel {variable}" if parallel else f"foreach {variable}"
        case Switch(cases=cases):
            keys = [str(case.key) if case.expression else repr(case.key) for case in cases if case.target == target]
            return f"{node.transition.condition} = {', '.join(keys)}"
    return ""


def mermaid(graph: FlowGraph) -> str:
    """A Mermaid flowchart. Identifiers get a prefix, as `end` is a word of Mermaid's own."""
    lines = ["flowchart TD"]
    for node in graph:
        opening, closing = SHAPES.get(node.kind, ("[", "]"))
        lines.append(f"    step_{node.name}{opening}{mermaid_text(node.name)}{closing}")
    for source, target, label in edges(graph):
        arrow = f"-->|{mermaid_text(label)}|" if label else "-->"
        lines.append(f"    step_{source} {arrow} step_{target}")
    return "\n".join(lines) + "\n"


def mermaid_text(text: str) -> str:
    """A quoted text, in which Mermaid reads entities."""
    escaped = "".join(char if char.isalnum() or char in " _-=.,'" else f"#{ord(char)};" for char in text)
    return f'"{escaped}"'


def dot(graph: FlowGraph) -> str:
    """A digraph in Graphviz's language."""
    lines = [f"digraph {dot_text(graph.name)} {{", "    node [shape=box];"]
    lines += [f"    {dot_text(node.name)} [shape={DOT_SHAPES.get(node.kind, 'box')}];" for node in graph]
    for source, target, label in edges(graph):
        attributes = f" [label={dot_text(label)}]" if label else ""
        lines.append(f"    {dot_text(source)} -> {dot_text(target)}{attributes};")
    return "\n".join([*lines, "}"]) + "\n"


def dot_text(text: str) -> str:
    """A quoted string, with Graphviz's escapes."""
    return json.dumps(text, ensure_ascii=False)


def digraph(graph: FlowGraph) -> Any:
    """A networkx.DiGraph: nodes with kind, doc, file and line, edges with label."""
    try:
        import networkx  # type: ignore[import-untyped,unused-ignore]
    except ImportError as error:
        raise MissingExtra("networkx", "networkx") from error
    result: Any = networkx.DiGraph(name=graph.name)
    for node in graph:
        result.add_node(node.name, kind=node.kind, doc=node.doc, file=node.file, line=node.line)
    for source, target, label in edges(graph):
        result.add_edge(source, target, label=label)
    return result
