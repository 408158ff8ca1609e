"""Orders and cycles, for any graph, however broken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import attrs

from flow_graph.nodes import Node


@attrs.frozen
class Order:
    """All steps such that each comes after its predecessors, cycles apart; and a path round each cycle met.

    A cycle is given as the steps in order, the first one repeated at the end.
    """

    steps: tuple[str, ...]
    cycles: tuple[tuple[str, ...], ...]


def sort_steps(nodes: Mapping[str, Node], start: str | None) -> Order:
    """Sort depth first from `start`, then from the steps that cannot be reached from it, in declared order.

    Reverse postorder: topological if there is no cycle, and still an order of all steps if there is one. A switch that
    chooses itself is not a cycle. Iterative, as a flow may be longer than Python's stack.
    """
    postorder: list[str] = []
    cycles: list[tuple[str, ...]] = []
    seen: set[str] = set()
    first = [start] if start is not None else []
    # The roots are visited last first, as the order is reversed at the end; start is visited last, to come first.
    for root in [*reversed([name for name in nodes if name != start]), *first]:
        if root not in seen:
            visit(nodes, root, seen, postorder, cycles)
    return Order(tuple(reversed(postorder)), tuple(cycles))


def visit(
    nodes: Mapping[str, Node], root: str, seen: set[str], postorder: list[str], cycles: list[tuple[str, ...]]
) -> None:
    """Visit what can be reached from `root` and was not seen, depth first."""
    seen.add(root)
    trail = {root: None}  # the way from root to here: a dict, as an ordered set
    stack: list[tuple[str, Iterator[str]]] = [(root, reversed(successors(nodes, root)))]
    while stack:
        name, children = stack[-1]
        child = next(children, None)
        if child is None:
            stack.pop()
            trail.pop(name)
            postorder.append(name)
        elif child in trail:
            way = list(trail)
            cycles.append((*way[way.index(child) :], child))
        elif child not in seen:
            seen.add(child)
            trail[child] = None
            stack.append((child, reversed(successors(nodes, child))))


def successors(nodes: Mapping[str, Node], name: str) -> list[str]:
    """The known steps that `name` leads to, a recursive switch's own name left out."""
    node = nodes[name]
    return [target for target in node.next if target in nodes and not (node.recursive and target == name)]


def reachable(edges: Mapping[str, Iterable[str]], start: str) -> set[str]:
    """All that can be reached from `start`, itself included."""
    found, waiting = {start}, [start]
    while waiting:
        for target in edges[waiting.pop()]:
            if target not in found:
                found.add(target)
                waiting.append(target)
    return found
