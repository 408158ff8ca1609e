"""From the arguments of a transition to the transition: the rules that the reader and the builder share."""

from __future__ import annotations

from collections.abc import Sequence

from flow_graph.nodes import Case, Foreach, Invalid, Join, Linear, Split, Switch, Transition

FORMS = (
    "Write one of: self.next(self.a) | self.next(self.a, self.b) | self.next(self.a, foreach='items') | "
    "self.next({'x': self.a, 'y': self.b}, condition='name') | self.next(self.a, num_parallel=4)."
)


def invalid(step: str, reason: str, targets: Sequence[str] = (), help: str = FORMS) -> Invalid:  # noqa: A002 - the field's name
    """A transition that matches no supported form."""
    return Invalid(
        "invalid-transition", f"Step {step!r} has a transition that is not understood: {reason}.", help, tuple(targets)
    )


def plain_transition(
    step: str, targets: Sequence[str], foreach: str | None, joins: bool, num_parallel: str | None = None
) -> Transition:
    """The transition to one or several steps, for each item of an artifact, or to a gang of `num_parallel` tasks."""
    if not targets:
        return invalid(step, "it names no step to go to")
    if foreach is not None and num_parallel is not None:
        return invalid(step, "foreach and num_parallel exclude each other", targets)
    if foreach is None and num_parallel is None:
        if len(targets) > 1:
            return Split(tuple(targets))
        return Join(targets[0]) if joins else Linear(targets[0])
    if len(targets) > 1:
        return invalid(step, f"a {'gang' if foreach is None else 'foreach'} has exactly one target", targets)
    if foreach is None:
        return Foreach(targets[0], num_parallel or "", parallel=True)
    if not foreach.isidentifier():
        return invalid(step, f"foreach={foreach!r} is not the name of an artifact", targets)
    return Foreach(targets[0], foreach)


def switch_transition(step: str, cases: Sequence[Case], condition: str | None) -> Transition:
    """The transition to the step that the value of an artifact selects."""
    targets = tuple(dict.fromkeys(case.target for case in cases))
    if condition is None:
        return Invalid(
            "switch-without-condition",
            f"Step {step!r} has a switch without a condition.",
            "Name the artifact that selects the case: self.next({...}, condition='name').",
            targets,
        )
    if not cases:
        return Invalid(
            "switch-without-cases",
            f"Step {step!r} has a switch without cases.",
            "Give at least two: self.next({'x': self.a, 'y': self.b}, condition='name').",
        )
    if not condition.isidentifier():
        return invalid(step, f"condition={condition!r} is not the name of an artifact", targets)
    return Switch(condition, tuple(cases))
