"""Rules about splits, foreaches and their joins."""

from __future__ import annotations

from collections.abc import Callable

from flow_graph.checks.reporting import Findings, at_step, at_transition, quoted
from flow_graph.graph import FlowGraph
from flow_graph.nodes import Foreach
from flow_graph.scopes import Defect


def check_direct_joins(graph: FlowGraph) -> Findings:
    """A step that opens arms, or chooses, does not lead straight into a join."""
    for node in graph:
        for target in node.next:
            if target not in graph or not graph[target].takes_inputs:
                continue
            if node.kind == "switch":
                yield at_transition(
                    node,
                    "ambiguous-join",
                    f"Step {node.name!r} is a switch, and one of its cases leads straight into the join {target!r}.",
                    "Add a step between them.",
                    target,
                )
            elif node.kind in ("split", "foreach"):
                yield at_transition(
                    node,
                    f"empty-{node.kind}",
                    f"Step {node.name!r} is a {node.kind} that leads straight into the join {target!r}.",
                    "Add a step between them.",
                    target,
                )


def check_nested_foreaches(graph: FlowGraph) -> Findings:
    """No foreach is inside another; only for schedulers that cannot run such."""
    for node in graph:
        if isinstance(node.transition, Foreach) and graph.foreaches(node.name):
            yield at_transition(
                node,
                "nested-foreach",
                f"Step {node.name!r} is a foreach inside that of {graph.foreaches(node.name)[-1]!r}.",
                "Go over all combinations in one foreach: a list of pairs, for example.",
            )


def check_scopes(graph: FlowGraph) -> Findings:
    """Every split is closed by one join that all of its arms reach, and nothing else joins."""
    for defect in graph.scopes.defects:
        yield at_step(graph[defect.step], defect.code, *DEFECTS[defect.code](defect))


def split_not_joined(defect: Defect) -> tuple[str, str]:
    """The end is reached with an open split."""
    return (
        f"Step {defect.step!r} is reached before the arms of {quoted(defect.involved)} were joined.",
        f"Add a join, a step with the arguments (self, inputs), that the arms of {quoted(defect.involved)} lead to.",
    )


def missing_arms(defect: Defect) -> tuple[str, str]:
    """A join lacks some arms of its split."""
    split, *missing = defect.involved
    return (
        f"Join {defect.step!r} joins some of the arms of {split!r} only: the arm of {quoted(missing)} is missing.",
        f"Let all arms of {split!r} lead to {defect.step!r}.",
    )


def join_without_split(defect: Defect) -> tuple[str, str]:
    """A join where nothing is open."""
    return (
        f"Step {defect.step!r} takes inputs like a join, but there is no split to join.",
        "Remove the argument inputs, or add a split or foreach before it.",
    )


def mixed_join(defect: Defect) -> tuple[str, str]:
    """A join of arms of different splits."""
    return (
        f"Join {defect.step!r} joins arms of different splits: those that come from {quoted(defect.involved)}.",
        "Join the arms of the inner split first, then those of the outer one.",
    )


def merged_arms(defect: Defect) -> tuple[str, str]:
    """Arms that meet in a step that is no join."""
    return (
        f"Step {defect.step!r} is no join, but different arms of a split lead to it, from {quoted(defect.involved)}.",
        "Give it the arguments (self, inputs), so that it joins them.",
    )


def several_joins(defect: Defect) -> tuple[str, str]:
    """A split whose arms may reach different joins, which would then wait for ever."""
    split, other = defect.involved
    return (
        f"Joins {other!r} and {defect.step!r} both join the arms of {split!r}.",
        "A split has one join, or its arms could wait for each other in different places: lead them all to one.",
    )


DEFECTS: dict[str, Callable[[Defect], tuple[str, str]]] = {
    "split-not-joined": split_not_joined,
    "missing-arms": missing_arms,
    "join-without-split": join_without_split,
    "mixed-join": mixed_join,
    "merged-arms": merged_arms,
    "several-joins": several_joins,
}
