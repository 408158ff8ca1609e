"""Build a graph in code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from flow_graph.arguments import optional_text, require, text, texts
from flow_graph.checking import require_well_formed
from flow_graph.errors import InvalidArgument
from flow_graph.findings import Finding
from flow_graph.graph import FlowGraph
from flow_graph.joins import infer_joins
from flow_graph.nodes import Case, End, Node, Transition
from flow_graph.transitions import invalid, plain_transition, switch_transition

Next = str | Sequence[str] | Mapping[Any, str] | None


class GraphBuilder:
    """Builds a graph step by step; mistakes are collected and reported by `build`.

    ```python
    graph = (
        GraphBuilder("Etl")
        .step("start", foreach="shards", next="train")
        .step("train", next="join")
        .step("join", next="end")
        .step("end")
        .build()
    )
    ```
    """

    def __init__(self, name: str, doc: str = "") -> None:
        text("GraphBuilder's name", name)
        self.name = name
        self.doc = doc
        self.nodes: dict[str, Node] = {}
        self.undecided: set[str] = set()
        self.findings: list[Finding] = []

    def step(
        self,
        name: str,
        *,
        next: Next = None,  # noqa: A002 - named as in a flow
        foreach: str | None = None,
        condition: str | None = None,
        num_parallel: int | str | None = None,
        join: bool | None = None,
        decorators: Sequence[str] = (),
        doc: str = "",
        start: bool = False,
        end: bool = False,
    ) -> GraphBuilder:
        """Add a step.

        `next` is one step, several (a split), or a mapping from values to steps (a switch on `condition`); with
        `foreach`, one task of it runs for each item of that artifact. `start` and `end` mark the first and the last
        step if they are not called so. With `num_parallel` the next step runs as a gang of so many tasks; it has to have
        `parallel` among its `decorators`, which are names without arguments.

        `join` says whether the step joins the arms that lead to it. Left out, it is a join where arms of a split meet;
        inside a foreach if `join` is a word of its name (`join`, `join_shards`), or if it directly follows a one-step
        body and only further joins and the end come after it. Where this cannot tell, `build` asks for `join=True`.
        """
        check_step(name, next, foreach, condition, num_parallel, join, decorators)
        if name in self.nodes:
            self.findings.append(
                Finding("duplicate-step", f"Step {name!r} is defined twice.", "Rename or remove one of them.", name)
            )
        number = None if num_parallel is None else str(num_parallel)
        transition = build_transition(name, next, foreach, condition, number, joins=bool(join))
        self.nodes[name] = Node(
            name,
            transition,
            arguments=2 if join else 1,
            starts=start,
            ends=end,
            decorators=tuple(decorators),
            doc=doc,
        )
        self.undecided.discard(name)
        if join is None:
            self.undecided.add(name)
        return self

    def build(self) -> FlowGraph:
        """The graph. Raises GraphError with all findings if it is not well formed."""
        graph = FlowGraph(self.name, infer_joins(self.nodes, self.undecided), self.doc, findings=self.findings)
        require_well_formed(graph)
        return graph


def check_step(
    name: object,
    next: object,  # noqa: A002
    foreach: object,
    condition: object,
    num_parallel: object,
    join: object,
    decorators: object,
) -> None:
    """Raise InvalidArgument unless the arguments of `GraphBuilder.step` are of the right types."""
    text("The step's name", name)
    where = f"{{}} of step {name!r}"
    if isinstance(next, Mapping):
        texts(where.format("next"), list(next.values()))
    elif next is not None and not isinstance(next, str):
        if isinstance(next, AbstractSet):
            raise InvalidArgument(where.format("next"), next, "in an order: a list of steps")
        texts(where.format("next"), next)
    optional_text(where.format("foreach"), foreach)
    optional_text(where.format("condition"), condition)
    require((int, str, type(None)), where.format("num_parallel"), num_parallel, "a whole number")
    require((bool, type(None)), where.format("join"), join, "True, False or None")
    texts(where.format("decorators"), decorators)


def build_transition(
    step: str,
    next: Next,  # noqa: A002
    foreach: str | None,
    condition: str | None,
    num_parallel: str | None,
    *,
    joins: bool,
) -> Transition:
    """The transition that the arguments of `GraphBuilder.step` stand for."""
    options = (foreach, num_parallel)
    if isinstance(next, Mapping):
        return build_switch(step, next, condition, plain=options == (None, None))
    if next is None:
        if options != (None, None) or condition is not None:
            return invalid(step, "it names no step to go to")
        return End()
    targets = (next,) if isinstance(next, str) else tuple(next)
    if condition is not None:
        return invalid(step, "condition= goes with a mapping of cases", targets)
    return plain_transition(step, targets, foreach, joins, num_parallel)


def build_switch(step: str, cases: Mapping[Any, str], condition: str | None, *, plain: bool) -> Transition:
    """The switch of a mapping from values to steps."""
    if not plain:
        return invalid(step, "a switch cannot also have foreach= or num_parallel=", tuple(cases.values()))
    for key in cases:
        if not (key is None or isinstance(key, (str, int, float))):
            return invalid(step, f"the switch key {key!r} is not a literal", tuple(cases.values()))
    return switch_transition(step, [Case(key, target) for key, target in cases.items()], condition)
