"""The arms of a graph: the flow itself, each arm of a split, the body of each foreach."""

from __future__ import annotations

from flow_graph import Arm, FlowGraph, Node

Arms = tuple[Arm, ...]
"""An arm, with those around it, outermost first; empty for the flow itself."""


def arm_inside(graph: FlowGraph, node: Node, index: int = 0) -> Arms:
    """An arm that a split opens, or the body of a foreach."""
    return (*graph.arms(node.name), Arm(node.name, index))


def steps_by_arm(graph: FlowGraph) -> dict[Arms, list[str]]:
    """The steps of each arm, without those of the arms inside of it, in topological order."""
    steps: dict[Arms, list[str]] = {}
    for step in graph.steps:
        steps.setdefault(graph.arms(step), []).append(step)
    return steps
