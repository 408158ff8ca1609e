"""Check that a graph is well formed.

Each rule is a function from the graph to its findings, and all rules are run. Where one mistake would show in many
places, the later rules stand back: nesting is only judged where the transitions themselves are sound.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from flow_graph.errors import GraphError
from flow_graph.findings import Finding
from flow_graph.graph import FlowGraph, suggest
from flow_graph.nodes import Invalid, Node, Split, Switch
from flow_graph.ordering import reachable
from flow_graph.scopes import Defect

Findings = Iterator[Finding]
Rule = Callable[[FlowGraph], Findings]

RESERVED = frozenset({"name", "next", "input", "index", "cmd"})
VALID_NAME = re.compile(r"[a-z0-9][a-z0-9_]*")


def check(graph: FlowGraph) -> list[Finding]:
    """All that is wrong with a graph, in the order of the source; no error among them: the graph is well formed."""
    findings = [*graph.findings, *run(RULES, graph)]
    if is_connected(graph):
        findings += check_scopes(graph)
    return sorted(findings, key=lambda finding: (finding.file or "", finding.line or 0))


def require_well_formed(graph: FlowGraph) -> None:
    """Raise GraphError with all findings if there is an error among them."""
    findings = check(graph)
    if any(finding.severity == "error" for finding in findings):
        raise GraphError(graph.name, findings)


def run(rules: tuple[Rule, ...], graph: FlowGraph) -> list[Finding]:
    """The findings of some rules."""
    return [finding for rule in rules for finding in rule(graph)]


def is_connected(graph: FlowGraph) -> bool:
    """Whether the transitions lead from the start to the end: known, understood, and without a way back."""
    return (
        graph.first is not None
        and graph.last is not None
        and not graph.order.cycles
        and not any(target not in graph for node in graph for target in node.next)
        and all((node.kind == "end") == (node.name == graph.last) and node.kind != "invalid" for node in graph)
    )


def at_step(node: Node, code: str, message: str, help: str) -> Finding:  # noqa: A002 - the field's name
    """A finding about a step as a whole."""
    return Finding(code, message, help, node.name, node.file, node.line)


def at_transition(node: Node, code: str, message: str, help: str) -> Finding:  # noqa: A002
    """A finding about a step's transition."""
    return Finding(code, message, help, node.name, node.file, node.transition_line or node.line)


def at_flow(graph: FlowGraph, code: str, message: str, help: str) -> Finding:  # noqa: A002
    """A finding about the flow as a whole."""
    return Finding(code, message, help, None, graph.file, graph.line)


def names(steps: tuple[str, ...] | list[str]) -> str:
    """Steps in words."""
    return ", ".join(map(repr, steps))


# ---- steps by themselves


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
                    f"The flow must have exactly one {role} step, but {names([n.name for n in marked])} are marked so.",
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


# ---- transitions


def check_transitions(graph: FlowGraph) -> Findings:
    """Every step but the end has a transition that is understood."""
    for node in graph:
        if node.name == graph.last:
            continue
        if node.kind == "end":
            yield at_step(
                node,
                "missing-transition",
                f"Step {node.name!r} has no transition, and it is not the end of the flow.",
                "Add self.next(...) as its last line.",
            )
        elif isinstance(node.transition, Invalid):
            yield at_transition(node, node.transition.code, node.transition.message, node.transition.help)


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
                )
            elif target == graph.first and target != node.name:
                yield at_transition(
                    node,
                    "start-has-incoming",
                    f"Step {node.name!r} leads to {target!r}, the start of the flow.",
                    "Nothing may lead to the start: remove this transition.",
                )
        if isinstance(node.transition, Split) and len(set(node.next)) < len(node.next):
            yield at_transition(
                node,
                "duplicate-target",
                f"Step {node.name!r} leads to the same step twice: {names(node.next)}.",
                "Name each step once; to run one step several times, use a foreach.",
            )


def check_switches(graph: FlowGraph) -> Findings:
    """A switch chooses between at least two steps, by distinct keys."""
    for node in graph:
        if not isinstance(node.transition, Switch):
            continue
        cases = node.transition.cases
        if len(node.next) < 2:
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
    if any(not graph[name].next and name != graph.last for name in found):
        return  # a transition is missing on the way: what follows is probably reached by it
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
                )
            elif node.kind in ("split", "foreach"):
                yield at_transition(
                    node,
                    f"empty-{node.kind}",
                    f"Step {node.name!r} is a {node.kind} that leads straight into the join {target!r}.",
                    "Add a step between them.",
                )


# ---- nesting


def check_scopes(graph: FlowGraph) -> Findings:
    """Every split is closed by one join that all of its arms reach, and nothing else joins."""
    for defect in graph.scopes.defects:
        yield at_step(graph[defect.step], defect.code, *DEFECTS[defect.code](defect))


def split_not_joined(defect: Defect) -> tuple[str, str]:
    """The end is reached with an open split."""
    return (
        f"Step {defect.step!r} is reached before the arms of {names(defect.involved)} were joined.",
        f"Add a join, a step with the arguments (self, inputs), that the arms of {names(defect.involved)} lead to.",
    )


def missing_arms(defect: Defect) -> tuple[str, str]:
    """A join lacks some arms of its split."""
    split, *missing = defect.involved
    return (
        f"Join {defect.step!r} joins some of the arms of {split!r} only: the arm of {names(missing)} is missing.",
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
        f"Join {defect.step!r} joins arms of different splits: those that come from {names(defect.involved)}.",
        "Join the arms of the inner split first, then those of the outer one.",
    )


def merged_arms(defect: Defect) -> tuple[str, str]:
    """Arms that meet in a step that is no join."""
    return (
        f"Step {defect.step!r} is no join, but different arms of a split lead to it, from {names(defect.involved)}.",
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

RULES: tuple[Rule, ...] = (
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
)
