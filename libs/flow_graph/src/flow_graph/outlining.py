"""A graph as a drawing for a terminal: one line for each step, in the order in which they run.

    start          foreach shard in shards
    ╞═ prepare
    │  route       switch on mode
    │  ├╌ quick    mode = 'fast'
    │  ├╌ deep     mode = 'deep'
    │  │  deeper
    │  └╌ score
    ╘═ collect     joins start
    end

The arms of a split hang on `├─`, the body of a foreach on `╞═`, the cases of a switch on `├╌`; the line closes with the
step that they lead to. Where a case leads to a step that is drawn elsewhere, `→` names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

import attrs

from flow_graph.drawing import edge_label
from flow_graph.graph import FlowGraph, meet
from flow_graph.nodes import Foreach, Node, Switch

ASCII = str.maketrans(
    {"├": "|", "╞": "|", "└": "`", "╘": "`", "│": "|", "─": "-", "═": "=", "╌": "~", "→": ">", "↺": "@"}
)
BRANCH = {"split": ("├─ ", "└─ "), "foreach": ("╞═ ", "╘═ "), "switch": ("├╌ ", "└╌ ")}


@attrs.frozen
class Line:
    """A line of the drawing: what stands before the step, the step, and what is noted beside it."""

    before: str
    text: str
    note: str = ""


@attrs.frozen
class Stretch:
    """What is to be drawn: the steps from `step` up to `stop`, that left out.

    `first` stands before the first line, `rest` before the others; `note` is noted beside the first.
    """

    step: str
    stop: str | None
    first: str
    rest: str
    note: str = ""


def draw(graph: FlowGraph, *, ascii_only: bool = False) -> str:
    """The drawing of a graph; of one that is not well formed, its transitions."""
    lines = list(outline(graph) if is_sound(graph) else transitions(graph))
    width = max((len(line.before + line.text) for line in lines if line.note), default=0)
    text = "".join(
        f"{line.before}{line.text}".ljust(width + 3 if line.note else 0) + f"{line.note}\n" for line in lines
    )
    return text.translate(ASCII) if ascii_only else text


def is_sound(graph: FlowGraph) -> bool:
    """Whether a graph is well formed."""
    from flow_graph.checking import require_well_formed
    from flow_graph.errors import GraphError

    try:
        require_well_formed(graph)
    except GraphError:
        return False
    return True


def transitions(graph: FlowGraph) -> Iterator[Line]:
    """One line for each step of a graph that hangs together in no way that could be drawn."""
    for node in graph:
        yield Line("", node.name, f"→ {', '.join(node.next)}" if node.next else "")


def outline(graph: FlowGraph) -> Iterator[Line]:
    """The lines of a well-formed graph."""
    after = meeting_points(graph)
    drawn: set[str] = set()
    stack = [Stretch(graph.start, None, "", "")]
    while stack:
        stretch = stack.pop()
        if stretch.step == stretch.stop or stretch.step in drawn:
            yield Line(stretch.first, f"→ {stretch.step}", stretch.note)
            continue
        node = graph[stretch.step]
        drawn.add(node.name)
        yield Line(stretch.first, node.name, "   ".join(filter(None, (stretch.note, note(graph, node)))))
        stack += reversed(list(follow(node, stretch, after)))


def follow(node: Node, stretch: Stretch, after: dict[str, str]) -> Iterator[Stretch]:
    """What is to be drawn behind a step: its arms one after the other, then the step that they lead to."""
    meeting = after.get(node.name)
    if meeting is None:
        return
    if node.kind not in BRANCH:
        if meeting != stretch.stop:
            yield Stretch(meeting, stretch.stop, stretch.rest, stretch.rest)
        return
    closes = meeting != stretch.stop
    arm, close = (stretch.rest + mark for mark in BRANCH[node.kind])
    for target in node.next:
        last = not closes and target == node.next[-1]
        first, rest = (close, f"{stretch.rest}   ") if last else (arm, f"{stretch.rest}│  ")
        label = edge_label(node, target) if node.kind == "switch" else ""
        if target == node.name:
            yield Stretch(node.name, node.name, first, rest, f"{label} ↺")
        else:
            yield Stretch(target, meeting, first, rest, label)
    if closes:
        yield Stretch(meeting, stretch.stop, close, stretch.rest)


def note(graph: FlowGraph, node: Node) -> str:
    """What is noted beside a step."""
    match node.transition:
        case Foreach(variable=variable, parallel=parallel):
            return f"num_parallel {variable}" if parallel else f"foreach {variable}"
        case Switch(condition=condition):
            return f"switch on {condition}"
    return f"joins {graph.matching_split(node.name)}" if node.takes_inputs else ""


def meeting_points(graph: FlowGraph) -> dict[str, str]:
    """For each step the first one behind it that all ways from it lead to; behind a split that is its join.

    The immediate post-dominators within each arm, found as the dominators are, from the end.
    """
    found: dict[str, str] = {}
    height = {name: -position for name, position in graph.number.items()}
    for name in reversed(graph.steps):
        node = graph[name]
        if node.kind in ("split", "foreach"):
            found[name] = graph.matching_join(name)
        elif others := [target for target in node.next if target != name]:
            found[name] = reduce(lambda one, other: meet(one, other, found, height), others)
    return found
