"""The comments of a machine, which lead whoever reads it back to the source."""

from __future__ import annotations

from pathlib import PurePath

from flow_graph import FlowGraph, Node

FORMAT = 1


def comment_on_machine(graph: FlowGraph) -> str:
    """What the machine is, and where it comes from."""
    return " ".join(
        part for part in (f"{where(graph)}{graph.name}.", graph.doc, f"(sched_sfn format {FORMAT})") if part
    )


def comment_on(node: Node) -> str:
    """Where a step stands in the source, and the first line of its docstring."""
    return f"{where(node)}{node.doc or f'Step {node.name}.'}"


def where(source: FlowGraph | Node) -> str:
    """The place in the source, without the folders, which differ from one machine to another."""
    return f"{PurePath(source.file).name}:{source.line}: " if source.file and source.line else ""
