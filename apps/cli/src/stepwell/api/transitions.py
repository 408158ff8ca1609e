"""What `self.next(...)` decided, read from its arguments at run time."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import attrs
from flow_graph import Node, Outcome

from stepwell.errors import InvalidNext

GANG = "@num_parallel"
"""What a transition to a gang has in place of the name of a foreach's artifact."""

FORMS = (
    "use self.next(self.a), self.next(self.a, self.b), self.next(self.a, foreach='items'), "
    "self.next(self.a, num_parallel=4) or self.next({value: self.a, ...}, condition='name')"
)


@attrs.frozen
class Transition:
    """What a finished task decided: where to go, and how wide or by which case. To a gang, `foreach` is `GANG`."""

    targets: tuple[str, ...] = ()
    foreach: str | None = None
    cardinality: int | None = None
    condition: str | None = None
    choice: str | None = None

    @property
    def outcome(self) -> Outcome:
        """The part of it that the graph's walk needs."""
        return Outcome(cardinality=self.cardinality, choice=self.choice)


def read_transition(
    flow: Any, targets: tuple[Any, ...], options: dict[str, Any], steps: Collection[str], step: str, line: int
) -> Transition:
    """The transition that the arguments of `self.next` describe; raises `InvalidNext` for anything else."""

    def fail(what: str) -> InvalidNext:
        return InvalidNext(f"Step '{step}', line {line}: {what}; {FORMS}")

    foreach, condition = options.pop("foreach", None), options.pop("condition", None)
    nodes = options.pop("num_parallel", None)
    if options:
        raise fail(f"self.next does not know {', '.join(map(repr, sorted(options)))}")
    if not targets:
        raise fail("self.next has no target")
    if nodes is not None and (foreach is not None or condition is not None):
        raise fail("num_parallel goes with neither foreach nor condition")
    if condition is not None:
        return _switch(flow, targets, foreach, condition, steps, fail)
    names = tuple(_step_name(target, steps, fail) for target in targets)
    if foreach is None and nodes is None:
        return Transition(targets=names)
    if len(names) > 1:
        raise fail("a foreach goes to one step only")
    if nodes is not None:
        if not isinstance(nodes, int) or isinstance(nodes, bool) or nodes < 1:
            raise fail(f"num_parallel takes how many tasks there are, from 1, not {nodes!r}")
        return Transition(targets=names, foreach=GANG, cardinality=nodes)
    return Transition(targets=names, foreach=_name(foreach, "foreach", fail), cardinality=_count(flow, foreach, fail))


def static_transition(node: Node) -> Transition:
    """The transition of a step that did not get to decide: where it leads, of one without foreach and switch."""
    return Transition(targets=node.next)


def _switch(
    flow: Any, targets: tuple[Any, ...], foreach: Any, condition: Any, steps: Collection[str], fail: Any
) -> Transition:
    if foreach is not None:
        raise fail("condition and foreach exclude each other")
    if len(targets) != 1 or not isinstance(targets[0], dict) or not targets[0]:
        raise fail("condition needs one dictionary of cases")
    cases = {value: _step_name(target, steps, fail) for value, target in targets[0].items()}
    value = _attribute(flow, _name(condition, "condition", fail), "condition", fail)
    if value not in cases:
        raise fail(f"self.{condition} is {value!r}, which is none of the cases {', '.join(map(repr, cases))}")
    return Transition(targets=tuple(dict.fromkeys(cases.values())), condition=condition, choice=cases[value])


def _step_name(target: Any, steps: Collection[str], fail: Any) -> str:
    if isinstance(target, dict):
        raise fail("a dictionary of cases needs condition='name'")
    name = getattr(target, "__name__", None)
    if name is None or not hasattr(target, "__self__"):
        raise fail(f"{target!r} is no step")
    if name not in steps:
        raise fail(f"'{name}' is a method, but no step: mark it with @step")
    return str(name)


def _name(value: Any, option: str, fail: Any) -> str:
    if not isinstance(value, str):
        raise fail(f"{option} takes the name of an attribute of self as a string, not {value!r}")
    return value


def _attribute(flow: Any, name: str, option: str, fail: Any) -> Any:
    try:
        return getattr(flow, name)
    except AttributeError:
        raise fail(f"{option}='{name}', but self.{name} was never set") from None


def _count(flow: Any, name: str, fail: Any) -> int:
    items = _attribute(flow, name, "foreach", fail)
    try:
        count = len(items) if hasattr(items, "__len__") else sum(1 for _ in items)
    except TypeError:
        raise fail(f"foreach='{name}', but self.{name} is a {type(items).__name__}, which cannot be iterated") from None
    if count == 0:
        raise fail(f"foreach='{name}', but self.{name} is empty: a foreach needs at least one item")
    return count
