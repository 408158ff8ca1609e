"""Which steps of a graph built in code are joins, where the code leaves it out.

In a flow's source a join shows by its argument `inputs`; a builder has nothing of the kind, but most often it can be
told. Where it cannot, nothing is guessed: the step stays as it is, and `check` asks for a join.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flow_graph.graph import pick
from flow_graph.nodes import Join, Linear, Node
from flow_graph.ordering import sort_steps, successors
from flow_graph.scopes import Arms, leave


def infer_joins(nodes: Mapping[str, Node], undecided: Iterable[str]) -> dict[str, Node]:
    """The nodes, with those of `undecided` that must be joins turned into joins."""
    undecided = set(undecided)
    decided = dict(nodes)
    start = pick([node.name for node in nodes.values() if node.starts], "start", nodes)
    arrivals: dict[str, list[tuple[str, Arms]]] = {}
    for name in sort_steps(nodes, start).steps:
        node = nodes[name]
        ways = arrivals.get(name, [])
        arms = min((arms for _, arms in ways), key=len, default=())
        if name in undecided and isinstance(node.transition, Linear) and must_join(name, ways, decided):
            decided[name] = node = node.evolve(transition=Join(node.transition.target), arguments=2)
        if node.takes_inputs:
            arms = arms[:-1]
        for target in successors(nodes, name):
            arrivals.setdefault(target, []).append((name, leave(node, target, arms)))
    return decided


def must_join(name: str, ways: list[tuple[str, Arms]], nodes: Mapping[str, Node]) -> bool:
    """Whether a step with a plain transition can only be a join."""
    if not ways or not all(arms for _, arms in ways):
        return False
    if len({arms for _, arms in ways}) > 1:
        return len({(arms[:-1], arms[-1].split) for _, arms in ways}) == 1
    before, arms = ways[0]
    split = nodes[arms[-1].split]
    if split.kind != "foreach" or name in split.next:
        return False
    return "join" in name.split("_") or (follows_body(before, split, nodes) and steps_left(name, nodes) == len(arms))


def follows_body(before: str, split: Node, nodes: Mapping[str, Node]) -> bool:
    """Whether `before` is all of the body of a foreach, so that no earlier step could have been its join."""
    return before in split.next or (nodes[before].takes_inputs and any(nodes[t].kind == "foreach" for t in split.next))


def steps_left(name: str, nodes: Mapping[str, Node]) -> int:
    """How many steps there are from `name` to the end, the end left out; 0 if the way is not a straight one."""
    count = 0
    while nodes[name].kind in ("linear", "join") and count <= len(nodes):
        count += 1
        name = nodes[name].next[0]
        if name not in nodes:
            return 0
    return count if nodes[name].kind == "end" else 0
