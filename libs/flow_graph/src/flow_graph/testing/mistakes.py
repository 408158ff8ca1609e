"""Graphs and sources with one mistake each."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from hypothesis import strategies as st

from flow_graph.graph import FlowGraph
from flow_graph.nodes import End, Foreach, Invalid, Join, Linear, Node, Split, Switch
from flow_graph.testing.forms import body_of, source_of
from flow_graph.testing.graphs import graphs

Mistake = Callable[[st.DrawFn, FlowGraph], "tuple[FlowGraph, set[str]]"]


@st.composite
def broken_graphs(draw: st.DrawFn) -> tuple[FlowGraph, set[str]]:
    """Graphs with one mistake, and the rules of which `check` must report one."""
    graph = draw(graphs(max_depth=2))
    return draw(st.sampled_from(MISTAKES))(draw, graph)


def replace(graph: FlowGraph, *nodes: Node) -> FlowGraph:
    """A graph with some steps replaced or added."""
    return attrs.evolve(graph, nodes={**graph.nodes, **{node.name: node for node in nodes}})


def retarget(node: Node, old: str, new: str) -> Node:
    """A node whose transition leads to `new` instead of `old`."""
    match node.transition:
        case Split(targets):
            return node.evolve(transition=Split(tuple(new if t == old else t for t in targets)))
        case Switch(condition, cases):
            changed = tuple(attrs.evolve(c, target=new) if c.target == old else c for c in cases)
            return node.evolve(transition=Switch(condition, changed))
        case End() | Invalid():
            return node
    return node.evolve(transition=attrs.evolve(node.transition, target=new))


def pick_node(draw: st.DrawFn, graph: FlowGraph, *kinds: str) -> Node | None:
    """A step of one of the kinds; of any but the end if none is given."""
    nodes = [node for node in graph if (node.kind in kinds if kinds else node.kind != "end")]
    return draw(st.sampled_from(nodes)) if nodes else None


def rename(graph: FlowGraph, old: str, new: str) -> FlowGraph:
    """A graph with a step renamed everywhere."""
    nodes = [retarget(node, old, new) if old in node.next else node for node in graph.nodes.values()]
    return attrs.evolve(graph, nodes=[node.evolve(name=new) if node.name == old else node for node in nodes])


def unknown_step(draw: st.DrawFn, graph: FlowGraph) -> tuple[FlowGraph, set[str]]:
    """A transition that leads nowhere."""
    node = pick_node(draw, graph) or graph["start"]
    return replace(graph, retarget(node, draw(st.sampled_from(node.next)), "nowhere")), {"unknown-step"}


def bad_name(draw: st.DrawFn, graph: FlowGraph) -> tuple[FlowGraph, set[str]]:
    """A step with a reserved or invalid name, or a start or end that is called something else."""
    old = draw(st.sampled_from(graph.steps))
    new, code = draw(st.sampled_from([("next", "reserved-name"), ("_hidden", "invalid-name"), ("Big", "invalid-name")]))
    return rename(graph, old, new), {code}


def no_ends(draw: st.DrawFn, graph: FlowGraph) -> tuple[FlowGraph, set[str]]:
    """A flow without start or end."""
    role = draw(st.sampled_from(["start", "end"]))
    return rename(graph, role, "other"), {f"no-{role}"}


def cycle(draw: st.DrawFn, graph: FlowGraph) -> tuple[FlowGraph, set[str]]:
    """A transition that leads back: to a step before it, or for a step that is no switch, to itself."""
    node = pick_node(draw, graph, "linear", "join") or graph["start"]
    if node.kind not in ("linear", "join"):
        return replace(graph, node.evolve(transition=Linear("start"))), {"cycle"}
    ancestors = [name for name in graph.steps if leads_to(graph, name, node.name)]
    return replace(graph, retarget(node, node.next[0], draw(st.sampled_from(ancestors)))), {"cycle"}


def leads_to(graph: FlowGraph, one: str, other: str) -> bool:
    """Whether there is a way from one step to another."""
    return one == other or any(leads_to(graph, target, other) for target in graph[one].next if target != one)


def orphan(draw: st.DrawFn, graph: FlowGraph) -> tuple[FlowGraph, set[str]]:
    """A step that nothing leads to."""
    return replace(graph, Node("orphan", Linear(draw(st.sampled_from(graph.steps))))), {"unreachable"}


def no_transition(draw: st.DrawFn, graph: FlowGraph) -> tuple[FlowGraph, set[str]]:
    """A step without transition that is not the end."""
    node = pick_node(draw, graph) or graph["start"]
    return replace(graph, node.evolve(transition=End())), {"missing-transition"}


def bad_end(draw: st.DrawFn, graph: FlowGraph) -> tuple[FlowGraph, set[str]]:
    """An end that goes on or joins."""
    end = graph["end"]
    if draw(st.booleans()):
        return replace(graph, end.evolve(transition=Linear("start"))), {"end-has-transition"}
    return replace(graph, end.evolve(arguments=2)), {"end-takes-inputs"}


def bad_arguments(draw: st.DrawFn, graph: FlowGraph) -> tuple[FlowGraph, set[str]]:
    """A step with no argument or too many."""
    name = draw(st.sampled_from(graph.steps))
    number, code = draw(st.sampled_from([(0, "missing-self"), (3, "too-many-arguments")]))
    return replace(graph, graph[name].evolve(arguments=number)), {code}


def joining_split(draw: st.DrawFn, graph: FlowGraph) -> tuple[FlowGraph, set[str]]:
    """A split that is a join too, or a plain step outside every split that is one."""
    node = pick_node(draw, graph, "split", "foreach", "switch")
    if node is not None:
        return replace(graph, node.evolve(arguments=2)), {"join-splits"}
    node = graph["start"]
    inserted = Node("inserted", Join(node.next[0]), arguments=2)
    return replace(graph, retarget(node, node.next[0], "inserted"), inserted), {"join-without-split"}


def open_split(draw: st.DrawFn, graph: FlowGraph) -> tuple[FlowGraph, set[str]]:
    """A join that joins nothing any more: the arms meet without one, or reach an outer join, or the end."""
    join = pick_node(draw, graph, "join")
    if join is None:
        return replace(graph, graph["start"].evolve(transition=Foreach(graph["start"].next[0], "xs"))), {
            "split-not-joined"
        }
    plain = join.evolve(arguments=1, transition=Linear(join.next[0]))
    return replace(graph, plain), {"split-not-joined", "merged-arms", "mixed-join", "missing-arms", "several-joins"}


def escaping_arm(draw: st.DrawFn, graph: FlowGraph) -> tuple[FlowGraph, set[str]]:
    """An arm that leads to the end instead of its join."""
    inside = [node for node in graph if graph.arms(node.name) and node.kind in ("linear", "join")]
    if not inside:
        return joining_split(draw, graph)
    node = draw(st.sampled_from(inside))
    return replace(graph, retarget(node, node.next[0], "end")), {"split-not-joined", "merged-arms"}


def empty_arm(draw: st.DrawFn, graph: FlowGraph) -> tuple[FlowGraph, set[str]]:
    """A split or foreach that leads straight into its join."""
    node = pick_node(draw, graph, "split", "foreach")
    if node is None:
        return orphan(draw, graph)
    target = draw(st.sampled_from(node.next))
    return replace(graph, retarget(node, target, graph.matching_join(node.name))), {f"empty-{node.kind}"}


def bad_switch(draw: st.DrawFn, graph: FlowGraph) -> tuple[FlowGraph, set[str]]:
    """A switch with one target, or one key twice."""
    node = pick_node(draw, graph, "switch")
    if node is None or not isinstance(node.transition, Switch):
        return no_transition(draw, graph)
    cases = node.transition.cases
    if draw(st.booleans()):
        one = tuple(attrs.evolve(case, target=cases[0].target) for case in cases)
        return replace(graph, node.evolve(transition=Switch("x", one))), {"switch-one-target"}
    return replace(graph, node.evolve(transition=Switch("x", (*cases, cases[0])))), {"switch-duplicate-key"}


def wrong_gang(draw: st.DrawFn, graph: FlowGraph) -> tuple[FlowGraph, set[str]]:
    """A foreach that is a gang of unmarked tasks, or a marked step that is no gang's."""
    node = pick_node(draw, graph, "foreach")
    if node is None or draw(st.booleans()):
        name = draw(st.sampled_from(graph.steps))
        return replace(graph, graph[name].evolve(decorators=("parallel",))), {"gang-without-number"}
    return replace(graph, node.evolve(transition=Foreach(node.next[0], "4", parallel=True))), {"unmarked-gang"}


def wide_split(draw: st.DrawFn, graph: FlowGraph) -> tuple[FlowGraph, set[str]]:
    """A split with many arms alike."""
    arms = [f"arm{number}" for number in range(draw(st.integers(17, 20)))]
    joined = [Node(arm, Linear("wide_join")) for arm in arms]
    following = replace(graph, Node("wide_join", Join("end"), arguments=2), *joined)
    last = [node for node in graph if "end" in node.next]
    changed = [retarget(node, "end", "wide") for node in last]
    return replace(following, Node("wide", Split(tuple(arms))), *changed), {"wide-split"}


MISTAKES: list[Mistake] = [
    unknown_step,
    bad_name,
    no_ends,
    cycle,
    orphan,
    no_transition,
    bad_end,
    bad_arguments,
    joining_split,
    open_split,
    escaping_arm,
    empty_arm,
    bad_switch,
    wrong_gang,
    wide_split,
]


@st.composite
def broken_sources(draw: st.DrawFn) -> tuple[str, str]:
    """The source of a class called Drawn with one mistake about artifacts, and the rule that `check` must report."""
    graph = draw(graphs(max_depth=2))
    wanted = draw(st.sampled_from(["read", "constant", "foreach", "switch", "join", "lost"]))
    kind = {"foreach": "foreach", "switch": "switch", "join": "join", "lost": "join"}.get(wanted)
    names = [node.name for node in graph if kind in (None, node.kind)]
    if not names:
        wanted, names = "read", list(graph.steps)
    node = graph[draw(st.sampled_from(names))]
    body = body_of(node)
    match wanted:
        case "read":
            return source_of(graph, {node.name: f"{body}; self.absent"}), "unassigned-artifact"
        case "constant":
            return source_of(graph, {node.name: f"{body}; self.config = 1"}), "constant-assigned"
        case "foreach" | "switch":
            slug = "unassigned-foreach" if wanted == "foreach" else "unassigned-condition"
            return source_of(graph, {node.name: "pass"}), slug
        case "join":
            return source_of(graph, {node.name: "pass"}), "unused-inputs"
    split = graph[graph.matching_split(node.name)]
    bodies = {split.name: f"self.kept = 1; {body_of(split)}", node.name: f"{body}; self.kept"}
    return source_of(graph, bodies), "lost-in-join"
