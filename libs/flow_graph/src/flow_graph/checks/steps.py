"""Rules about steps by themselves, and about the start and the end."""

from __future__ import annotations

import re

from flow_graph.checks.reporting import Findings, at_flow, at_step, at_transition, quoted
from flow_graph.graph import FlowGraph

RESERVED = frozenset({"name", "next", "input", "index", "cmd"})
VALID_NAME = re.compile(r"[a-z0-9][a-z0-9_]*")


def check_names(graph: FlowGraph) -> Findings:
    """Steps whose names cannot be used."""
    for node in graph:
        if node.name in RESERVED:
            yield at_step(node, "reserved-name", f"Step name {node.name!r} is a reserved word.", "Choose another name.")
        elif not VALID_NAME.fullmatch(node.name):
            yield at_step(
                node,
                "invalid-name",
                f"Step name {node.name!r} is invalid.",
                "Use lowercase letters, digits and underscores, and do not begin with an underscore.",
            )


def check_ends(graph: FlowGraph) -> Findings:
    """A flow has exactly one start and one end."""
    for role, marked in (
        ("start", [node for node in graph if node.starts]),
        ("end", [node for node in graph if node.ends]),
    ):
        if len(marked) > 1:
            for node in marked[1:]:
                yield at_step(
                    node,
                    f"several-{role}s",
                    f"The flow must have exactly one {role} step, but {quoted([n.name for n in marked])} are marked so.",
                    f"Leave {role}=True on one of them.",
                )
        elif not marked and role not in graph:
            yield at_flow(
                graph,
                f"no-{role}",
                f"The flow {graph.name!r} has no {role} step.",
                f"Add a step named {role!r}, or mark one with @step({role}=True).",
            )
        elif marked and role in graph and marked[0].name != role:
            yield at_step(
                marked[0],
                f"ambiguous-{role}",
                f"Step {marked[0].name!r} is marked as the {role}, but there is also a step named {role!r}.",
                f"Rename the step {role!r}, or remove {role}=True.",
            )


def check_arguments(graph: FlowGraph) -> Findings:
    """A step takes self, a join takes self and inputs."""
    for node in graph:
        if node.arguments == 0:
            yield at_step(node, "missing-self", f"Step {node.name!r} takes no argument.", "Add self as its argument.")
        elif node.arguments > 2:
            yield at_step(
                node,
                "too-many-arguments",
                f"Step {node.name!r} takes {node.arguments} arguments.",
                "A step takes self, a join takes self and inputs; keep other values in artifacts.",
            )
        elif node.takes_inputs and node.kind in ("split", "foreach", "switch"):
            yield at_step(
                node,
                "join-splits",
                f"Step {node.name!r} is a join (it takes inputs) and a {node.kind} at once.",
                f"Let it go on to a new step that makes the {node.kind}.",
            )


def check_end(graph: FlowGraph) -> Findings:
    """The end has no transition and joins nothing."""
    node = graph.nodes.get(graph.last or "")
    if node is None:
        return
    if node.kind != "end":
        yield at_transition(
            node,
            "end-has-transition",
            f"Step {node.name!r} is the end of the flow, but it has a transition.",
            "Remove it, or let another step be the end.",
        )
    if node.takes_inputs:
        yield at_step(
            node,
            "end-takes-inputs",
            f"Step {node.name!r} is the end of the flow, but it takes inputs like a join.",
            "Add a join before it, and let it take self only.",
        )
