"""Which artifacts may be there in each step: what was assigned on the ways to it, as far as joins carry it over.

A set of artifacts is a number with one bit for each name, so that a flow of ten thousand steps is no burden; of the
names only those that some step reads count.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from flow_graph.artifacts import Artifacts, Merge, Use
from flow_graph.graph import FlowGraph
from flow_graph.nodes import Node
from flow_graph.scopes import Arm

EVERYTHING = -1
"""The set of all names: all bits are set."""

NOTHING = Artifacts(opaque=True)
"""Stands for a step of which nothing is known."""


@attrs.define
class Carrying:
    """The artifacts around each step.

    - `bits`: the bit of each name that is read anywhere.
    - `before`: what may be there when the step begins; in a join what it merges.
    - `after`: what may be there when it ends.
    - `ever`: what was assigned on any way to the end of the step, were no join to drop anything.
    - `doubtful`: decorators, which may assign artifacts too, stand on the step or on a way to it.
    """

    bits: dict[str, int]
    before: dict[str, int] = attrs.field(factory=dict)
    after: dict[str, int] = attrs.field(factory=dict)
    ever: dict[str, int] = attrs.field(factory=dict)
    doubtful: set[str] = attrs.field(factory=set)

    def mask(self, names: Iterable[str]) -> int:
        """The set of some names."""
        result = 0
        for name in names:
            result |= self.bits.get(name, 0)
        return result


def follow_artifacts(graph: FlowGraph) -> Carrying:
    """Follow the artifacts through a graph without cycles."""
    names = {use.name for node in graph for use in all_reads(artifacts_of(node))}
    carrying = Carrying({name: 1 << position for position, name in enumerate(sorted(names))})
    for node in graph:
        enter(node, [name for name in graph.predecessors[node.name] if name != node.name], carrying)
    return carrying


def artifacts_of(node: Node) -> Artifacts:
    """What a step does with artifacts; anything, if that is not known."""
    return node.artifacts or NOTHING


def all_reads(artifacts: Artifacts) -> tuple[Use, ...]:
    """All that a step reads, of itself and of its inputs."""
    return artifacts.reads + artifacts.input_reads


def enter(node: Node, previous: list[str], carrying: Carrying) -> None:
    """Follow the artifacts into a step and through it."""
    artifacts = artifacts_of(node)
    arriving = union(carrying.after[name] for name in previous)
    before = merged(artifacts.merges, arriving, carrying) if node.takes_inputs else arriving
    assigned = EVERYTHING if artifacts.opaque else carrying.mask(use.name for use in artifacts.assigns)
    carrying.before[node.name] = before
    carrying.after[node.name] = union((before, assigned))
    carrying.ever[node.name] = union((*(carrying.ever[name] for name in previous), assigned))
    if node.decorators or any(name in carrying.doubtful for name in previous):
        carrying.doubtful.add(node.name)


def union(masks: Iterable[int]) -> int:
    """The union of sets; where one holds the others it is the same object, so that equal sets take memory once."""
    result = 0
    for mask in masks:
        either = result | mask
        result = result if either == result else mask if either == mask else either
    return result


def merged(merges: tuple[Merge, ...], arriving: int, carrying: Carrying) -> int:
    """What a join takes over from its inputs."""
    result = 0
    for merge in merges:
        taken = arriving if merge.include is None else arriving & carrying.mask(merge.include)
        result |= taken & ~carrying.mask(merge.exclude)
    return result


# ---- what arms change


def changed_in_arms(graph: FlowGraph) -> dict[Arm, dict[str, str]]:
    """For each arm the artifacts that its last steps leave changed, and the step that changed each last.

    What an inner scope has changed counts as far as its join takes it over.
    """
    changed: dict[Arm, dict[str, str]] = {}
    for node in graph:
        arms = graph.arms(node.name)
        here = changed.setdefault(arms[-1], {}) if arms else {}
        artifacts = artifacts_of(node)
        for arm in joined_arms(graph, node):
            for merge in artifacts.merges:
                here.update({name: step for name, step in changed.get(arm, {}).items() if takes(merge, name)})
        here.update({use.name: node.name for use in artifacts.assigns})
    return changed


def joined_arms(graph: FlowGraph, join: Node) -> list[Arm]:
    """The arms that a join closes."""
    split = graph.scopes.split_of.get(join.name)
    if split is None:
        return []
    width = len(graph[split].next) if graph[split].kind == "split" else 1
    return [Arm(split, index) for index in range(width)]


def takes(merge: Merge, name: str) -> bool:
    """Whether a merge takes an artifact over, if it is there."""
    return name not in merge.exclude and (merge.include is None or name in merge.include)
