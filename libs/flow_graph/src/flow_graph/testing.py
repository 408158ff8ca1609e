"""Hypothesis strategies for flow graphs, for the tests of this package and of whoever runs graphs. Needs hypothesis.

- `graphs()`: well-formed graphs, with splits, foreaches, switches and recursive switches nested in each other.
- `decisions()`: what the tasks of a run decide: `Decisions`, a function of step, path and iteration.
- `broken_graphs()`: `(graph, slugs)`, a graph with one mistake, of which `check` must find one of `slugs`.
- `broken_sources()`: `(source, slug)`, a class with one mistake in what a step does with artifacts.
- `source_of(graph)`: the source of a class that means the same; `builder_of(graph)`: a builder that does.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any

import attrs
from hypothesis import strategies as st

from flow_graph.building import GraphBuilder
from flow_graph.graph import FlowGraph
from flow_graph.nodes import Case, End, Foreach, Invalid, Join, Linear, Node, Split, Switch, Transition
from flow_graph.tasks import Outcome, Path, parse_task_id

__all__ = ["Decisions", "broken_graphs", "broken_sources", "builder_of", "decisions", "graphs", "source_of"]

# ---- well-formed graphs: a tree of nested parts is drawn, then laid out as steps


@attrs.frozen
class Part:
    """A part of an arm: `kind` is linear, split, foreach or switch; `arms` are sequences of parts.

    An empty arm is a case of a switch that skips ahead. A switch that `loops` has itself as one more case.
    """

    kind: str
    arms: tuple[tuple[Part, ...], ...] = ()
    loops: bool = False


# What one number stands for: a part without its arms, and how many arms it has. The simplest comes first, as a failing
# example is shrunk towards it. At most one case of a switch may be empty: two would be two keys for one target.
CODES: tuple[tuple[str, int, bool, bool], ...] = (
    # kind, arms, the last one is empty, loops
    ("linear", 0, False, False),
    ("foreach", 1, False, False),
    ("split", 2, False, False),
    ("switch", 2, False, False),
    ("split", 3, False, False),
    ("switch", 3, False, False),
    ("switch", 2, True, False),
    ("switch", 3, True, False),
    ("switch", 2, False, True),
    ("switch", 2, True, True),
    ("foreach", 1, False, False),
)


def parse_parts(numbers: Iterator[int], depth: int) -> tuple[Part, ...]:
    """A sequence of one to three parts, nested up to `depth`, that numbers stand for; they may run out.

    Drawing numbers and parsing them is many times cheaper than drawing the tree, and shrinks as well.
    """
    parts: list[Part] = []
    goes_on = 1
    while goes_on and len(parts) < 3:
        goes_on, code = divmod(next(numbers, 0), len(CODES))
        kind, arms, skips, loops = CODES[code if depth else 0]
        full = [parse_parts(numbers, depth - 1) for _ in range(arms - skips)]
        parts.append(Part(kind, (*full, *([()] if skips else [])), loops))
    return tuple(parts)


@st.composite
def graphs(draw: st.DrawFn, max_depth: int = 3) -> FlowGraph:
    """Well-formed graphs, each nested up to `max_depth`."""
    numbers = draw(st.lists(st.integers(0, 2 * len(CODES) - 1), max_size=40))
    layout = Layout()
    layout.lay_sequence(parse_parts(iter(numbers), max_depth), "end", before_join=False, first="start")
    layout.nodes["end"] = Node("end", End())
    return FlowGraph("Drawn", layout.nodes)


@attrs.define
class Layout:
    """The steps laid out so far."""

    nodes: dict[str, Node] = attrs.field(factory=dict)
    numbers: Iterator[int] = attrs.field(factory=count)

    def lay_sequence(self, parts: tuple[Part, ...], following: str, *, before_join: bool, first: str = "") -> str:
        """Lay out parts so that they lead to `following`; the name of the first step."""
        names = [first or f"s{next(self.numbers)}", *(f"s{next(self.numbers)}" for _ in parts[1:])]
        ends = [*names[1:], following]
        for position, (name, part, end) in enumerate(zip(names, parts, ends, strict=True)):
            self.lay_part(name, part, end, before_join=before_join and position == len(parts) - 1)
        return names[0]

    def lay_part(self, name: str, part: Part, following: str, *, before_join: bool) -> None:
        """Lay out one part, its first step called `name`."""
        if part.kind == "linear":
            self.add(name, Linear(following))
        elif part.kind == "switch":
            self.lay_switch(name, part, following, before_join=before_join)
        else:
            join = f"{name}_end"
            targets = tuple(self.lay_sequence(arm, join, before_join=True) for arm in part.arms)
            self.add(name, Foreach(targets[0], f"items_{name}") if part.kind == "foreach" else Split(targets))
            self.add(join, Join(following), arguments=2)

    def lay_switch(self, name: str, part: Part, following: str, *, before_join: bool) -> None:
        """Lay out a switch. One that skips ahead into a join gets a step between, as it needs one."""
        arms = [arm or ((Part("linear"),) if before_join else ()) for arm in part.arms]
        targets = [self.lay_sequence(arm, following, before_join=before_join) if arm else following for arm in arms]
        keys: list[str | int | float | bool | None] = ["a", 2, None, "self.config.mode", -1.5]
        cases = [Case(key, target, key == "self.config.mode") for key, target in zip(keys, targets, strict=False)]
        self.add(name, Switch(f"choice_{name}", (*cases, *([Case("again", name)] if part.loops else []))))

    def add(self, name: str, transition: Transition, arguments: int = 1) -> None:
        """Add a step."""
        self.nodes[name] = Node(name, transition, arguments=arguments, doc=f"Step {name}.")


# ---- runs


@attrs.frozen
class Decisions:
    """What the tasks of a run decide: the same for the same task, whenever it is asked."""

    seed: int
    most_items: int = 3
    most_iterations: int = 3

    def cardinality(self, step: str, path: Path) -> int:
        """The number of items of a foreach task."""
        return random.Random(f"{self.seed} {step} {path}").randint(1, self.most_items)

    def choice(self, node: Node, path: Path, iteration: int) -> str:
        """The step that a switch task chooses: not itself for ever."""
        choices = [t for t in node.next if t != node.name or iteration < self.most_iterations]
        return random.Random(f"{self.seed} {node.name} {path} {iteration}").choice(choices)

    def outcome(self, node: Node, path: Path, iteration: int) -> Outcome:
        """The outcome of a task."""
        if node.kind == "foreach":
            return Outcome(cardinality=self.cardinality(node.name, path))
        return Outcome(choice=self.choice(node, path, iteration)) if node.kind == "switch" else Outcome()

    def outcome_of(self, graph: FlowGraph) -> Callable[[str, str], Outcome]:
        """The outcomes by step and task id, as `task_inputs` asks for them."""
        return lambda step, task: self.outcome(graph[step], *parse_task_id(task, graph.foreach_depth(step)))

    def arguments(self, graph: FlowGraph) -> tuple[dict[str, Callable[..., int]], dict[str, Callable[..., str]]]:
        """The cardinalities and the choices, as `interpret` takes them."""
        cardinalities: dict[str, Callable[..., int]] = {}
        choices: dict[str, Callable[..., str]] = {}
        for node in graph:
            cardinalities[node.name] = lambda path, name=node.name: self.cardinality(name, path)
            choices[node.name] = lambda path, iteration, node=node: self.choice(node, path, iteration)
        return cardinalities, choices


def decisions() -> st.SearchStrategy[Decisions]:
    """Decisions for a run."""
    return st.builds(Decisions, st.integers(0, 2**32))


# ---- other forms of a graph


def source_of(graph: FlowGraph, bodies: Mapping[str, str] | None = None, attributes: str = "config = None") -> str:
    """The source of a class with the steps of a graph; it needs a decorator `step`.

    `bodies` has the statement of a step before its transition; left out, it is such that `check` finds nothing: what
    the transition reads is assigned, and a join looks at its inputs. `attributes` stands first in the class.
    """
    lines = [f"class {graph.name}:", f"    {attributes}", ""]
    for node in graph.nodes.values():
        flags = [flag for flag, value in (("start=True", node.starts), ("end=True", node.ends)) if value]
        lines += [f"    @{mark}" for mark in node.decorators]
        lines.append(f"    @step({', '.join(flags)})" if flags else "    @step")
        lines.append(f"    def {node.name}({', '.join(['self', 'inputs', 'third'][: node.arguments])}):")
        body = (bodies or {}).get(node.name, body_of(node))
        lines += [f'        """{node.doc}"""', f"        {body}", f"        {call_of(node.transition)}", ""]
    return "\n".join(lines)


def body_of(node: Node) -> str:
    """A statement that does what the step's transition needs."""
    inputs = "list(inputs)" if node.takes_inputs else ""
    match node.transition:
        case Foreach(variable=variable, parallel=False):
            return f"self.{variable} = {inputs or '[1, 2]'}"
        case Switch(condition=condition):
            return f"self.{condition} = {inputs or repr('a')}"
    return inputs or "pass"


def call_of(transition: Transition) -> str:
    """The statement that makes a transition."""
    match transition:
        case Foreach(target, variable, parallel):
            option = f"num_parallel={variable}" if parallel else f"foreach={variable!r}"
            return f"self.next(self.{target}, {option})"
        case Switch(condition, cases):
            items = ", ".join(f"{c.key if c.expression else repr(c.key)}: self.{c.target}" for c in cases)
            return f"self.next({{{items}}}, condition={condition!r})"
        case _ if transition.targets:
            return f"self.next({', '.join(f'self.{target}' for target in transition.targets)})"
    return "pass"


def builder_of(graph: FlowGraph) -> GraphBuilder:
    """A builder with the steps of a graph; it knows no configuration values, so with these it comes out different."""
    builder = GraphBuilder(graph.name, graph.doc)
    for node in graph.nodes.values():
        how = builder_arguments(node.transition)
        marks: dict[str, Any] = {"start": node.starts, "end": node.ends, "decorators": node.decorators}
        builder.step(node.name, **how, **marks, join=node.takes_inputs, doc=node.doc)
    return builder


def builder_arguments(transition: Transition) -> dict[str, Any]:
    """The arguments of `GraphBuilder.step` that make a transition."""
    match transition:
        case Foreach(target, variable, parallel):
            return {"next": target, "num_parallel" if parallel else "foreach": variable}
        case Switch(condition, cases):
            return {"next": {case.key: case.target for case in cases}, "condition": condition}
        case Split(targets):
            return {"next": targets}
    return {"next": transition.targets[0]} if transition.targets else {}


# ---- graphs with one mistake

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


# ---- sources with one mistake


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
