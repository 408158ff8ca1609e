"""How rules report: where a finding is, and lists of steps in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from flow_graph.findings import Finding
from flow_graph.graph import FlowGraph
from flow_graph.nodes import Node
from flow_graph.positions import Span
from flow_graph.rules import RULES, Severity

Findings = Iterator[Finding]
Check = Callable[[FlowGraph], Findings]


def at_step(node: Node, slug: str, message: str, help: str) -> Finding:  # noqa: A002 - the field's name
    """A finding about a step as a whole."""
    return at_place(node, node.at, slug, message, help)


def at_transition(node: Node, slug: str, message: str, help: str, target: str | None = None) -> Finding:  # noqa: A002
    """A finding about a step's transition, or about one target in it."""
    place = node.targets_at.get(target) if target else None
    return at_place(node, place or node.transition_at or node.at, slug, message, help)


def at_place(
    node: Node,
    at: Span | None,
    slug: str,
    message: str,
    help: str,  # noqa: A002
    severity: Severity | None = None,
) -> Finding:
    """A finding about a place in a step, by default as serious as the rule is."""
    return Finding(slug, message, help, node.name, node.file, at, severity or RULES[slug].severity)


def at_flow(graph: FlowGraph, slug: str, message: str, help: str) -> Finding:  # noqa: A002
    """A finding about the flow as a whole."""
    return Finding(slug, message, help, None, graph.file, graph.at, RULES[slug].severity)


def quoted(steps: Iterable[str]) -> str:
    """Steps in words."""
    return ", ".join(map(repr, steps))
