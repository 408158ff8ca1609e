"""Check that a graph is well formed, and that its steps use artifacts soundly.

Each rule is a function from the graph to its findings, and all rules are run. Where one mistake would show in many
places, the later rules stand back: nesting, and the way of artifacts, are only judged where the transitions themselves
are sound. `flow_graph.rules` lists all rules.
"""

from __future__ import annotations

from collections.abc import Iterable

from flow_graph.arguments import texts
from flow_graph.checks.artifacts import check_artifacts, check_constants, check_unused_inputs
from flow_graph.checks.gangs import check_gangs, check_no_gangs
from flow_graph.checks.nesting import check_direct_joins, check_nested_foreaches, check_scopes
from flow_graph.checks.reporting import Check
from flow_graph.checks.steps import check_arguments, check_end, check_ends, check_names
from flow_graph.checks.transitions import (
    check_cycles,
    check_reachable,
    check_switches,
    check_targets,
    check_transitions,
    check_wide_splits,
)
from flow_graph.errors import GraphError, InvalidArgument
from flow_graph.findings import Finding
from flow_graph.graph import FlowGraph, require_graph

ALWAYS: tuple[Check, ...] = (
    check_names,
    check_ends,
    check_arguments,
    check_end,
    check_transitions,
    check_targets,
    check_switches,
    check_cycles,
    check_reachable,
    check_direct_joins,
    check_gangs,
    check_wide_splits,
)
CONNECTED: tuple[Check, ...] = (check_scopes,)
ON_REQUEST: dict[str, Check] = {"nested-foreach": check_nested_foreaches, "gang": check_no_gangs}
IN_SOURCE: tuple[Check, ...] = (check_constants, check_unused_inputs)
CONNECTED_IN_SOURCE: tuple[Check, ...] = (check_artifacts,)


def check(graph: FlowGraph, *, also: Iterable[str] = ()) -> list[Finding]:
    """All that is wrong with a graph, in the order of the source; no error among them: the flow is sound.

    `also` names rules that are off by default, as only some schedulers need them: `nested-foreach`, `gang`. Takes time linear in
    the steps. Raises InvalidArgument for a name that is no such rule.
    """
    require_graph(graph)
    asked = asked_for(also)
    findings = [*graph.findings, *run((*ALWAYS, *IN_SOURCE), graph)]
    if is_connected(graph):
        findings += run((*CONNECTED, *asked, *CONNECTED_IN_SOURCE), graph)
    return sorted(findings, key=lambda f: (f.file or "", f.line or 0, f.column or 0))


def asked_for(also: Iterable[str]) -> tuple[Check, ...]:
    """The rules of these names that are off by default."""
    texts("also", also)
    names = list(also)
    for name in names:
        if name not in ON_REQUEST:
            raise InvalidArgument("one of also", name, f"one of {', '.join(ON_REQUEST)}")
    return tuple(ON_REQUEST[name] for name in names)


def require_well_formed(graph: FlowGraph) -> None:
    """Raise GraphError with all findings if there is an error among them.

    It is the graph that has to be well formed here: what its steps do with artifacts is not looked at.
    """
    require_graph(graph)
    findings = [*graph.findings, *run(ALWAYS, graph)]
    if is_connected(graph):
        findings += run(CONNECTED, graph)
    if any(finding.severity == "error" for finding in findings):
        raise GraphError(graph.name, check(graph))


def run(checks: tuple[Check, ...], graph: FlowGraph) -> list[Finding]:
    """The findings of some rules."""
    return [finding for rule in checks for finding in rule(graph)]


def is_connected(graph: FlowGraph) -> bool:
    """Whether the transitions lead from the start to the end: known, understood, and without a way back."""
    return (
        graph.first is not None
        and graph.last is not None
        and not graph.order.cycles
        and not any(target not in graph for node in graph for target in node.next)
        and all(bool(node.next) == (node.name != graph.last) and node.kind != "invalid" for node in graph)
    )
