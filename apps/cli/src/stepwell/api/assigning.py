"""What decorators that a command line adds, and mutators, do with attributes, for the check of the flow's graph."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from flow_graph import FlowGraph, Node, Use


def assigning(graph: FlowGraph, names: Iterable[str]) -> FlowGraph:
    """The graph in which every step may assign these artifacts as well."""
    uses = tuple(Use(name, False, "@") for name in names)
    return attrs.evolve(graph, nodes=[_assigning(node, uses) for node in graph.nodes.values()]) if uses else graph


def _assigning(node: Node, uses: tuple[Use, ...]) -> Node:
    if node.artifacts is None:
        return node
    return attrs.evolve(node, artifacts=attrs.evolve(node.artifacts, assigns=node.artifacts.assigns + uses))


def providing(graph: FlowGraph, names: Iterable[str]) -> FlowGraph:
    """The graph of a flow that has these class-level values as well."""
    more = tuple(names)
    if not more:
        return graph
    nodes = [_provided(node, frozenset(more)) for node in graph.nodes.values()]
    return attrs.evolve(graph, nodes=nodes, constants=tuple(dict.fromkeys((*graph.constants, *more))))


def _provided(node: Node, names: frozenset[str]) -> Node:
    if node.artifacts is None:
        return node
    reads = tuple(use for use in node.artifacts.reads if use.name not in names)
    return attrs.evolve(node, artifacts=attrs.evolve(node.artifacts, reads=reads))
