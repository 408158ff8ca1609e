"""Rules about transitions, and about what can be reached by them."""

from __future__ import annotations

from flow_graph.checks.reporting import Findings, at_place, at_step, at_transition, quoted
from flow_graph.graph import FlowGraph, suggest
from flow_graph.nodes import Invalid, Split, Switch
from flow_graph.ordering import reachable
from flow_graph.transitions import invalid

WIDE = 16
"""A split with more targets than this is called wide."""


def check_transitions(graph: FlowGraph) -> Findings:
    """Every step but the end has a transition that is understood."""
    for node in graph:
        if node.name == graph.last:
            continue
        if node.kind == "end" and graph.last is not None:  # else this may be meant as the end
            yield at_step(
                node,
                "missing-transition",
                f"Step {node.name!r} has no transition, and it is not the end of the flow.",
                "Add self.next(...) as its last line.",
            )
        elif node.kind != "end" and not (node.next and node.kind != "invalid"):
            found = node.transition
            if not isinstance(found, Invalid):  # made by hand
                found = invalid(node.name, "it names no step to go to")
            yield at_place(node, found.at or node.transition_at or node.at, found.slug, found.message, found.help)


def check_targets(graph: FlowGraph) -> Findings:
    """Transitions lead to steps of the flow, each once, and not to the start."""
    for node in graph:
        for target in node.next:
            if target not in graph:
                guess = suggest(target, graph.nodes)
                yield at_transition(
                    node,
                    "unknown-step",
                    f"Step {node.name!r} leads to {target!r}, which is no step of the flow.",
                    f"Did you mean {guess!r}?" if guess else f"Define a step {target!r}, or correct the name.",
                    target,
                )
            elif target == graph.first and target != node.name:
                yield at_transition(
                    node,
                    "start-has-incoming",
                    f"Step {node.name!r} leads to {target!r}, the start of the flow.",
                    "Nothing may lead to the start: remove this transition.",
                    target,
                )
        if isinstance(node.transition, Split) and len(set(node.next)) < len(node.next):
            yield at_transition(
                node,
                "duplicate-target",
                f"Step {node.name!r} leads to the same step twice: {quoted(node.next)}.",
                "Name each step once; to run one step several times, use a foreach.",
            )


def check_switches(graph: FlowGraph) -> Findings:
    """A switch chooses between at least two steps, by distinct keys."""
    for node in graph:
        if not isinstance(node.transition, Switch):
            continue
        cases = node.transition.cases
        if len(node.next) == 1:
            yield at_transition(
                node,
                "switch-one-target",
                f"Step {node.name!r} has a switch with one target only, {node.next[0]!r}.",
                "A switch chooses between at least two different steps; else write self.next(self.step).",
            )
        keys = [case.key for case in cases]
        for key in [key for position, key in enumerate(keys) if key in keys[:position]]:
            yield at_transition(
                node,
                "switch-duplicate-key",
                f"Step {node.name!r} has a switch with the key {key!r} twice.",
                "Keys that are equal (1 and True are) hide each other: keep one case per key.",
            )


def check_cycles(graph: FlowGraph) -> Findings:
    """No way leads back, but for a switch that chooses itself again."""
    for cycle in graph.order.cycles:
        yield at_transition(
            graph[cycle[-2]],
            "cycle",
            f"There is a loop in the flow: {' -> '.join(cycle)}.",
            "Remove one of these transitions; to repeat a step, let it be a switch that chooses itself.",
        )


def check_reachable(graph: FlowGraph) -> Findings:
    """Every step can be reached from the start."""
    edges = {node.name: [likely(target, graph) for target in node.next] for node in graph}
    if graph.first is None:
        return
    found = reachable({name: [t for t in targets if t] for name, targets in edges.items()}, graph.first)
    if any(None in edges[name] or not (edges[name] or name == graph.last) for name in found):
        return  # a transition is missing or leads nowhere: what cannot be reached is probably behind it
    for node in graph:
        if node.name not in found:
            yield at_step(
                node,
                "unreachable",
                f"Step {node.name!r} cannot be reached from the start.",
                "Add a transition that leads to it, or remove the step.",
            )


def likely(target: str, graph: FlowGraph) -> str | None:
    """The step that a transition leads to, or was meant to lead to."""
    return target if target in graph else suggest(target, graph.nodes)


def check_wide_splits(graph: FlowGraph) -> Findings:
    """A split names a handful of steps; for many alike there is the foreach."""
    for node in graph:
        if isinstance(node.transition, Split) and len(node.next) > WIDE:
            yield at_transition(
                node,
                "wide-split",
                f"Step {node.name!r} splits into {len(node.next)} steps, more than {WIDE}.",
                "If they do the same to different items, write one step and go over the items with a foreach.",
            )
