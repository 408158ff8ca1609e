"""Rules about artifacts: what steps read, assign and merge. A step whose source is not known is taken to be right."""

from __future__ import annotations

import attrs

from flow_graph.artifacts import Merge, Use
from flow_graph.carrying import Carrying, artifacts_of, changed_in_arms, follow_artifacts, joined_arms, takes, union
from flow_graph.checks.reporting import Findings, at_place, at_step, quoted
from flow_graph.findings import Finding
from flow_graph.graph import FlowGraph, suggest
from flow_graph.nodes import Foreach, Node, Switch
from flow_graph.rules import Severity
from flow_graph.scopes import Arm

# ---- steps by themselves


def check_constants(graph: FlowGraph) -> Findings:
    """Parameters and other class-level values are not assigned."""
    constants = frozenset(graph.constants)
    for node in graph:
        for use in artifacts_of(node).assigns:
            if use.name in constants:
                yield at_use(
                    node,
                    use,
                    "constant-assigned",
                    f"Step {node.name!r} assigns {use.name!r}{through(use)}, which cannot be changed: parameters and "
                    "class-level values are not modifiable.",
                    "Keep the new value in an artifact with another name.",
                )


def check_unused_inputs(graph: FlowGraph) -> Findings:
    """A join looks at what it joins."""
    for node in graph:
        if node.takes_inputs and node.name != graph.last and node.artifacts and not node.artifacts.uses_inputs:
            yield at_step(
                node,
                "unused-inputs",
                f"Join {node.name!r} does not use its inputs, so the results of the arms are lost behind it.",
                "Take over what is needed: self.x = [i.x for i in inputs], or self.merge_artifacts(inputs).",
            )


def at_use(node: Node, use: Use, slug: str, message: str, help: str, *, doubtful: bool = False) -> Finding:  # noqa: A002
    """A finding about a use of an artifact: an error where it certainly fails."""
    severity: Severity = "error" if use.certain and not doubtful else "warning"
    return at_place(node, use.at or node.at, slug, message, help, severity)


def through(use: Use) -> str:
    """The helper that the use stands in, in words."""
    return f" in its helper {use.via!r}" if use.via else ""


# ---- on the way


def check_artifacts(graph: FlowGraph) -> Findings:
    """What a step reads is assigned before it, and carried over by the joins between; merges have no conflicts."""
    way = Way(graph, follow_artifacts(graph), changed_in_arms(graph))
    for node in graph:
        if node.name in graph.scopes.arms and node.artifacts:
            yield from check_reads(way, node)
            yield from check_input_reads(way, node)
            for merge in node.artifacts.merges:
                yield from check_merge(way, node, merge)


@attrs.frozen
class Way:
    """A graph, and the way that artifacts take through it."""

    graph: FlowGraph
    carrying: Carrying
    changed: dict[Arm, dict[str, str]]

    def changes(self, join: Node, name: str) -> list[str]:
        """The steps that change an artifact in the arms that a join closes, one for each arm; twice that of a foreach."""
        arms = joined_arms(self.graph, join)
        steps = [self.changed[arm][name] for arm in arms if name in self.changed.get(arm, {})]
        return steps * 2 if arms and self.graph[arms[0].split].kind == "foreach" else steps

    def losing_join(self, node: Node, name: str) -> Node | None:
        """The last join before or in a step that has dropped an artifact; `None` if it was never assigned."""
        bit = self.carrying.bits[name]
        waiting, seen = [node.name], {node.name}
        while waiting:
            step = self.graph[waiting.pop()]
            previous = [before for before in self.graph.predecessors[step.name] if self.carrying.ever[before] & bit]
            if step.takes_inputs and any(self.carrying.after[before] & bit for before in previous):
                return step
            waiting += [before for before in previous if before not in seen]
            seen.update(previous)
        return None


def check_reads(way: Way, node: Node) -> Findings:
    """What a step reads of `self` may be there."""
    artifacts = artifacts_of(node)
    assigned = {use.name for use in artifacts.assigns}
    for use in artifacts.reads if not artifacts.opaque else ():
        by_round_before = not use.certain and use.name in assigned  # a loop may have assigned it
        if by_round_before or way.carrying.before[node.name] & way.carrying.bits[use.name]:
            continue
        join = way.losing_join(node, use.name)
        yield lost(way, node, use, join) if join else unassigned(way, node, use)


def unassigned(way: Way, node: Node, use: Use) -> Finding:
    """What is assigned nowhere before a step."""
    match node.transition:
        case Foreach(variable=use.name, parallel=False):
            slug, what = "unassigned-foreach", "is a foreach over"
        case Switch(condition=use.name):
            slug, what = "unassigned-condition", "is a switch on"
        case _:
            slug, what = "unassigned-artifact", "reads"
    return at_use(
        node,
        use,
        slug,
        f"Step {node.name!r} {what} {use.name!r}{through(use)}, but no step before it assigns that: "
        f"the flow has no attribute {use.name!r} there.",
        suggestion(way.graph, use.name) or f"Assign self.{use.name} in a step before it, or in this one.",
        doubtful=node.name in way.carrying.doubtful,
    )


def lost(way: Way, node: Node, use: Use, join: Node) -> Finding:
    """What a join has dropped. If several arms have changed it, the join has to say which it takes."""
    name, steps = use.name, way.changes(join, use.name)
    reads = f"Step {node.name!r} reads {name!r}{through(use)}"
    if len(steps) > 1:
        slug = "ambiguous-merge"
        where = quoted(dict.fromkeys(steps))
        message = (
            f"{reads}, which is assigned in several arms (in {where}), and join {join.name!r} does not choose one."
        )
        mend = f"self.{name} = [i.{name} for i in inputs] for all of them, or self.{name} = inputs[0].{name} for one."
    else:
        slug = "lost-in-join"
        message = f"{reads}, which join {join.name!r} does not carry over: behind a join is only what it takes over."
        mend = f"self.{name} = inputs[0].{name}, or self.merge_artifacts(inputs) for all that the arms agree on."
    doubtful = node.name in way.carrying.doubtful
    return at_use(node, use, slug, message, f"Write in {join.name!r}: {mend}", doubtful=doubtful)


def check_input_reads(way: Way, node: Node) -> Findings:
    """What a join reads of its inputs may be there in one of them."""
    arriving = union(way.carrying.after[name] for name in way.graph.predecessors[node.name])
    for use in artifacts_of(node).input_reads:
        if not arriving & way.carrying.bits[use.name]:
            yield at_use(
                node,
                use,
                "unassigned-artifact",
                f"Join {node.name!r} reads {use.name!r} of its inputs, which no step in the arms leaves there.",
                suggestion(way.graph, use.name) or f"Assign self.{use.name} in the arms.",
                doubtful=node.name in way.carrying.doubtful,
            )


def check_merge(way: Way, node: Node, merge: Merge) -> Findings:
    """What a join merges was changed in one arm at most, or is set before."""
    if not merge.literal:
        return
    own = {use.name for use in artifacts_of(node).assigns}
    candidates = {name for arm in joined_arms(way.graph, node) for name in way.changed.get(arm, {})}
    names = sorted(
        name for name in candidates if takes(merge, name) and name not in own and len(way.changes(node, name)) > 1
    )
    if names:
        split = way.graph[way.graph.matching_split(node.name)]
        who = f"all tasks of {split.next[0]!r}" if split.kind == "foreach" else f"several arms of {split.name!r}"
        yield at_place(
            node,
            merge.at or node.at,
            "conflicting-merge",
            f"Join {node.name!r} merges {quoted(names)}, which {who} assign: it fails where they differ.",
            f"Assign it before the merge (self.{names[0]} = ...), or leave it out: merge_artifacts(inputs, exclude={names}).",
        )


def suggestion(graph: FlowGraph, name: str) -> str | None:
    """A name that was probably meant, as a question."""
    guess = suggest(name, {use.name for node in graph for use in artifacts_of(node).assigns} - {name})
    return f"Did you mean {guess!r}?" if guess else None
