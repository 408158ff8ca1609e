"""Rules about gangs: the tasks of a foreach with `num_parallel`, which run at the same time."""

from __future__ import annotations

from flow_graph.checks.reporting import Findings, at_step, at_transition
from flow_graph.graph import FlowGraph
from flow_graph.nodes import Foreach, Node


def check_gangs(graph: FlowGraph) -> Findings:
    """num_parallel and @parallel go together, and a gang is joined at once."""
    for node in graph:
        if is_gang(node):
            yield from check_target(graph, node, node.next[0])
        if node.parallel:
            yield from check_marked(graph, node)


def check_no_gangs(graph: FlowGraph) -> Findings:
    """There is no gang; only for schedulers that cannot run such."""
    for node in graph:
        if is_gang(node):
            yield at_transition(
                node,
                "gang",
                f"Step {node.name!r} uses num_parallel, which cannot be run here.",
                "Use a foreach if the tasks need not talk to each other.",
            )


def is_gang(node: Node) -> bool:
    """Whether a step starts a gang."""
    return isinstance(node.transition, Foreach) and node.transition.parallel


def check_target(graph: FlowGraph, node: Node, target: str) -> Findings:
    """What num_parallel leads to is marked."""
    if target in graph and not graph[target].parallel:
        yield at_transition(
            node,
            "unmarked-gang",
            f"Step {node.name!r} leads to {target!r} with num_parallel, but {target!r} is not marked @parallel.",
            f"Put @parallel on {target!r}, or use a foreach if the tasks need not talk to each other.",
            target,
        )


def check_marked(graph: FlowGraph, node: Node) -> Findings:
    """What is marked is reached with num_parallel only, and leads to a join."""
    others = [name for name in graph.predecessors[node.name] if not is_gang(graph[name])]
    if others or node.name == graph.first:
        yield at_step(
            node,
            "gang-without-number",
            f"Step {node.name!r} is marked @parallel, but "
            + (f"{others[0]!r} leads to it without num_parallel." if others else "the flow starts with it."),
            f"Write self.next(self.{node.name}, num_parallel=...), or remove @parallel.",
        )
    following = [name for name in node.next if name in graph]
    if node.kind not in ("end", "invalid") and not (
        node.kind == "linear" and all(graph[name].takes_inputs for name in following)
    ):
        yield at_transition(
            node,
            "gang-without-join",
            f"Step {node.name!r} is marked @parallel, so the step behind it has to be a join.",
            "Let it lead to a step with the arguments (self, inputs), and go on from there.",
        )
