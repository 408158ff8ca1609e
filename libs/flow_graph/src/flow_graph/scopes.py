"""Which splits each step is inside of, and which join closes which split.

Going from the start, a split or foreach opens a scope and each of its targets begins an *arm* of it; a join closes the
scope that was opened last. A switch opens nothing: its cases stay in the same arm and may meet again in any step.
What does not fit is collected as defects, which `check` puts into words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from flow_graph.nodes import Foreach, Node, Split
from flow_graph.ordering import successors


@attrs.frozen
class Arm:
    """One arm of an open split: the step that splits, and which of its targets; always 0 for a foreach."""

    split: str
    index: int


Arms = tuple[Arm, ...]


@attrs.frozen
class Defect:
    """Something that does not fit: `code`, the step where it shows, and the steps involved."""

    code: str
    step: str
    involved: tuple[str, ...] = ()


@attrs.frozen
class Scopes:
    """`arms[step]`: the open arms around a step, outermost first; only steps that can be reached have an entry."""

    arms: dict[str, Arms] = attrs.field(factory=dict)
    join_of: dict[str, str] = attrs.field(factory=dict)
    split_of: dict[str, str] = attrs.field(factory=dict)
    defects: list[Defect] = attrs.field(factory=list)


def find_scopes(nodes: Mapping[str, Node], order: Iterable[str], start: str | None) -> Scopes:
    """Follow the arms through the graph; `order` is topological."""
    scopes = Scopes()
    arrivals: dict[str, list[tuple[str, Arms]]] = {}
    for name in order:
        if name != start and name not in arrivals:
            continue
        node = nodes[name]
        arms = enter(node, arrivals.get(name, []), nodes, scopes)
        scopes.arms[name] = arms
        if node.kind == "end" and arms:
            scopes.defects.append(Defect("split-not-joined", name, tuple(arm.split for arm in arms)))
        for target in successors(nodes, name):
            arrivals.setdefault(target, []).append((name, leave(node, target, arms)))
    return scopes


def leave(node: Node, target: str, arms: Arms) -> Arms:
    """The arms that are open on the way from `node` to `target`."""
    match node.transition:
        case Split(targets):
            return (*arms, Arm(node.name, targets.index(target)))
        case Foreach():
            return (*arms, Arm(node.name, 0))
        case _:
            return arms


def enter(node: Node, arrivals: list[tuple[str, Arms]], nodes: Mapping[str, Node], scopes: Scopes) -> Arms:
    """The arms that are open in `node`, given those on the ways that lead to it."""
    ways = [arms for _, arms in arrivals]
    if node.takes_inputs and ways:
        return close(node, arrivals, nodes, scopes)
    if len(set(ways)) > 1:
        scopes.defects.append(Defect("merged-arms", node.name, tuple(name for name, _ in arrivals)))
    return min(ways, key=len, default=())


def close(node: Node, arrivals: list[tuple[str, Arms]], nodes: Mapping[str, Node], scopes: Scopes) -> Arms:
    """Match a join with the split that it closes."""
    names = tuple(name for name, _ in arrivals)
    ways = [arms for _, arms in arrivals]
    if not any(ways):
        scopes.defects.append(Defect("join-without-split", node.name, names))
        return ()
    if len({(arms[:-1], arms[-1].split) if arms else None for arms in ways}) > 1:
        scopes.defects.append(Defect("mixed-join", node.name, names))
        return min((arms[:-1] for arms in ways), key=len)
    split = ways[0][-1].split
    expected = nodes[split].next
    met = {expected[arms[-1].index] for arms in ways}
    missing = tuple(target for target in dict.fromkeys(expected) if target not in met)
    if missing:
        scopes.defects.append(Defect("missing-arms", node.name, (split, *missing)))
    elif split in scopes.join_of:
        scopes.defects.append(Defect("several-joins", node.name, (split, scopes.join_of[split])))
    scopes.join_of.setdefault(split, node.name)
    scopes.split_of[node.name] = split
    return ways[0][:-1]
