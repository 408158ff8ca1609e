"""Well-formed graphs: a tree of nested parts is drawn as numbers, then laid out as steps."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import attrs
from hypothesis import strategies as st

from flow_graph.graph import FlowGraph
from flow_graph.nodes import Case, End, Foreach, Join, Linear, Node, Split, Switch, Transition


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
