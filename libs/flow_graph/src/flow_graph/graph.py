"""A flow as a graph of steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import attrs

from flow_graph.arguments import field, require, text
from flow_graph.errors import NoMatchingStep, UnknownStep
from flow_graph.findings import Finding
from flow_graph.nodes import Node
from flow_graph.ordering import Order, sort_steps
from flow_graph.positions import Span
from flow_graph.scopes import Arm, Scopes, find_scopes


def by_name(nodes: Iterable[Node] | Mapping[str, Node]) -> dict[str, Node]:
    """The nodes by name. Raises InvalidArgument."""
    must = "nodes: Node('start', Linear('end')), ..."
    require((Mapping, Iterable), "FlowGraph's nodes", nodes, must)
    values = list(nodes.values() if isinstance(nodes, Mapping) else nodes)
    for node in values:
        require(Node, "one of FlowGraph's nodes", node, "a Node, as Node('start', Linear('end'))")
    return {node.name: node for node in values}


def require_graph(graph: object) -> None:
    """Raise InvalidArgument unless it is a graph."""
    require(FlowGraph, "The graph", graph, "a FlowGraph, as read_class and GraphBuilder.build() make them")


def as_tuple(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings as a tuple."""
    return tuple(findings)


def pick(names: list[str], default: str, nodes: Mapping[str, Node]) -> str | None:
    """The first of the marked steps, else the one called `default`, if there is one."""
    if names:
        return names[0]
    return default if default in nodes else None


@attrs.frozen(slots=False)  # a __dict__ for the cached properties
class FlowGraph:
    """A flow as a graph of steps. It may be broken: `check` says how; what walks it expects a well-formed one.

    `for node in graph` goes in topological order, and so does `graph.steps` (the names); `graph["train"]` is a Node;
    `"train" in graph`. Graphs are equal if name, documentation and steps are, wherever they come from.

    - `nodes`: the steps by name, in declared order (read only).
    - `file`, `at`: where the class is defined, and the place of its name.
    - `constants`: the class-level values, parameters among them, that steps can read and may not assign.
    - `findings`: what the reader or the builder noticed that the graph itself does not show; part of `check`.
    """

    name: str = attrs.field(validator=field(text))
    nodes: dict[str, Node] = attrs.field(converter=by_name)
    doc: str = ""
    file: str | None = attrs.field(default=None, eq=False)
    at: Span | None = attrs.field(default=None, eq=False)
    constants: tuple[str, ...] = attrs.field(default=(), eq=False)
    findings: tuple[Finding, ...] = attrs.field(default=(), eq=False, converter=as_tuple)

    def __hash__(self) -> int:
        return hash((self.name, frozenset(self.nodes.values())))

    def __getitem__(self, step: str) -> Node:
        try:
            return self.nodes[step]
        except (KeyError, TypeError):  # what has no hash is no step either
            raise self.unknown(step) from None

    def __contains__(self, step: object) -> bool:
        return step in self.nodes

    def __iter__(self) -> Iterator[Node]:
        return (self.nodes[name] for name in self.steps)

    def __len__(self) -> int:
        return len(self.nodes)

    def __repr__(self) -> str:
        return f"<FlowGraph {self.name}: {', '.join(self.steps)}>"

    def unknown(self, step: str) -> UnknownStep:
        """The error that says that `step` is none, with a suggestion."""
        return UnknownStep(step, self.name, suggest(step, self.nodes) if isinstance(step, str) else None)

    @property
    def line(self) -> int | None:
        """The line of the class, from 1; `None` where the graph was not read from source."""
        return self.at.line if self.at else None

    # ---- order

    @cached_property
    def order(self) -> Order:
        """The steps in order, and the cycles if there are any."""
        return sort_steps(self.nodes, self.first)

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of all steps in topological order, `start` first."""
        return self.order.steps

    @cached_property
    def number(self) -> dict[str, int]:
        """The position of each step in topological order."""
        return {name: position for position, name in enumerate(self.steps)}

    @cached_property
    def successors(self) -> Mapping[str, tuple[str, ...]]:
        """The steps that each step leads to, each once, in declared order; unknown ones are left out."""
        return {
            name: tuple(dict.fromkeys(target for target in self.nodes[name].next if target in self.nodes))
            for name in self.steps
        }

    @cached_property
    def predecessors(self) -> Mapping[str, tuple[str, ...]]:
        """The steps that lead to each step, in topological order; a recursive switch is among its own."""
        found: dict[str, list[str]] = {name: [] for name in self.nodes}
        for name in self.steps:
            for target in self.nodes[name].next:
                if target in found and name not in found[target]:
                    found[target].append(name)
        return {name: tuple(names) for name, names in found.items()}

    def previous(self, step: str) -> tuple[str, ...]:
        """The steps that lead to `step`, in topological order. Raises UnknownStep."""
        return self.predecessors[self[step].name]

    def paths(self, target: str | None = None) -> Iterator[tuple[str, ...]]:
        """All ways from the start to `target`, by default the end, each as the steps on it; one at a time.

        There may be very many: each split and each switch multiplies them. Ways lead through a recursive switch once.
        """
        wanted = self[target or self.end].name
        leading = {wanted}
        for name in reversed(self.steps):
            leading.update({name} if leading.intersection(self.successors[name]) else ())
        way: list[str] = []
        stack = [(0, self.start)] if self.start in leading else []
        while stack:
            depth, name = stack.pop()
            way[depth:] = [name]
            if name == wanted:
                yield tuple(way)
            else:
                stack += [(depth + 1, t) for t in reversed(self.successors[name]) if t in leading and t not in way]

    # ---- beginning and end

    @cached_property
    def first(self) -> str | None:
        """The step that the flow starts with, `None` if it has none: the one marked so, else `start`."""
        return pick([node.name for node in self.nodes.values() if node.starts], "start", self.nodes)

    @cached_property
    def last(self) -> str | None:
        """The step that the flow ends with, `None` if it has none: the one marked so, else `end`."""
        return pick([node.name for node in self.nodes.values() if node.ends], "end", self.nodes)

    @property
    def start(self) -> str:
        """The step that the flow starts with. Raises UnknownStep if it has none."""
        return self[self.first or "start"].name

    @property
    def end(self) -> str:
        """The step that the flow ends with. Raises UnknownStep if it has none."""
        return self[self.last or "end"].name

    # ---- nesting

    @cached_property
    def scopes(self) -> Scopes:
        """Which arms each step is inside of, and which join closes which split."""
        return find_scopes(self.nodes, self.steps, self.first)

    def arms(self, step: str) -> tuple[Arm, ...]:
        """The arms of splits and foreaches that `step` is inside of, outermost first; none if it cannot be reached."""
        return self.scopes.arms.get(self[step].name, ())

    def split_parents(self, step: str) -> tuple[str, ...]:
        """The splits and foreaches that `step` is inside of, outermost first."""
        return tuple(arm.split for arm in self.arms(step))

    def is_inside(self, step: str, split: str) -> bool:
        """Whether `step` is inside of `split` (a split or a foreach): behind it and before its join."""
        return self[split].name in self.split_parents(step)

    def foreaches(self, step: str) -> tuple[str, ...]:
        """The foreach steps that `step` is inside of, outermost first."""
        return tuple(arm.split for arm in self.arms(step) if self.nodes[arm.split].kind == "foreach")

    def foreach_depth(self, step: str) -> int:
        """How many foreaches `step` is inside of: the number of indices in its tasks' paths."""
        return len(self.foreaches(step))

    def matching_join(self, split: str) -> str:
        """The join that closes what `split` (a split or a foreach) opens. Raises UnknownStep, NoMatchingStep."""
        found = self.scopes.join_of.get(self[split].name)
        if found is None:
            raise NoMatchingStep(split, "join")
        return found

    def matching_split(self, join: str) -> str:
        """The split or foreach that `join` closes. Raises UnknownStep, NoMatchingStep."""
        found = self.scopes.split_of.get(self[join].name)
        if found is None:
            raise NoMatchingStep(join, "split")
        return found

    @cached_property
    def dominators(self) -> dict[str, str]:
        """For each step the last step before it that all ways to it have in common.

        Within one arm: the first step of an arm, and of the flow, has none; that of a join is its split.
        """
        return find_dominators(self)

    # ---- other forms

    def to_data(self) -> dict[str, Any]:
        """The graph as plain data (dicts, lists, literals), for embedding in other JSON."""
        from flow_graph.serialization import graph_to_data

        return graph_to_data(self)

    @classmethod
    def from_data(cls, data: Any) -> FlowGraph:
        """The graph that `to_data` gave. Raises UnreadableGraph."""
        from flow_graph.serialization import graph_from_data

        return graph_from_data(data)

    def to_json(self) -> str:
        """The graph as JSON text, with a format version: the same text for the same graph."""
        from flow_graph.serialization import graph_to_json

        return graph_to_json(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> FlowGraph:
        """The graph that `to_json` gave, of this or an earlier version. Raises UnreadableGraph."""
        from flow_graph.serialization import graph_from_json

        return graph_from_json(text)

    def to_text(self, *, ascii_only: bool = False) -> str:
        """The graph as a drawing for a terminal, one line for each step; `ascii_only` for one that knows no lines."""
        from flow_graph.outlining import draw

        return draw(self, ascii_only=ascii_only)

    def to_mermaid(self) -> str:
        """The graph as a Mermaid flowchart."""
        from flow_graph.drawing import mermaid

        return mermaid(self)

    def to_dot(self) -> str:
        """The graph in Graphviz's language."""
        from flow_graph.drawing import dot

        return dot(self)

    def to_networkx(self) -> Any:
        """The graph as a networkx.DiGraph; nodes carry kind, doc, file and line. Raises MissingExtra."""
        from flow_graph.drawing import digraph

        return digraph(self)


def find_dominators(graph: FlowGraph) -> dict[str, str]:
    """The immediate dominators (Cooper, Harvey, Kennedy 2001: one pass is enough without cycles), arm by arm."""
    found: dict[str, str] = {}
    for name in graph.steps:
        if name in graph.scopes.split_of:
            found[name] = graph.scopes.split_of[name]
            continue
        for before in graph.predecessors[name]:
            if before == name or graph.arms(before) != graph.arms(name):
                continue
            found[name] = meet(found.get(name, before), before, found, graph.number)
    return found


def meet(one: str, other: str, dominators: Mapping[str, str], number: Mapping[str, int]) -> str:
    """The last step that all ways to both of two steps of an arm have in common."""
    while one != other:
        if number[one] < number[other]:
            one, other = other, one
        one = dominators[one]
    return one


def suggest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(name, list(known), n=1)), None)
