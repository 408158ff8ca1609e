"""The parts of a graph: steps, and the transition that each one makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from flow_graph.arguments import field, require, text, texts
from flow_graph.artifacts import Artifacts
from flow_graph.positions import Span

Key = str | int | float | bool | None
"""A literal that a switch can compare its variable with."""


def literal(where: str, value: object) -> None:
    """Raise InvalidArgument unless a switch can compare its variable with it."""
    require((str, int, float, type(None)), where, value, "a literal: text, a number, True, False or None")


def some_cases(where: str, value: object) -> None:
    """Raise InvalidArgument unless these are cases."""
    require(tuple, where, value, "a tuple of Cases")
    for case in value:  # type: ignore[attr-defined]
        require(Case, f"one of {where}", case, "a Case, as Case('small', 'quick')")


def a_transition(where: str, value: object) -> None:
    """Raise InvalidArgument unless it is a transition."""
    require(Transition.__args__, where, value, "a transition, as Linear('end') or End()")


@attrs.frozen
class Linear:
    """Go on with one task of `target`."""

    kind: ClassVar[str] = "linear"
    target: str = attrs.field(validator=field(text))

    @property
    def targets(self) -> tuple[str, ...]:
        """The steps this leads to."""
        return (self.target,)


@attrs.frozen
class Join:
    """Wait for all the arms of a split or foreach, then go on with one task of `target`."""

    kind: ClassVar[str] = "join"
    target: str = attrs.field(validator=field(text))

    @property
    def targets(self) -> tuple[str, ...]:
        """The steps this leads to."""
        return (self.target,)


@attrs.frozen
class Split:
    """Go on with one task of each of `targets`, side by side."""

    kind: ClassVar[str] = "split"
    targets: tuple[str, ...] = attrs.field(validator=field(texts))


@attrs.frozen
class Foreach:
    """Go on with one task of `target` for each item of the artifact `variable`.

    With `parallel` the tasks are a gang, which run at the same time and can talk to each other (`num_parallel=`); then
    `variable` says how many, as it is written in the source: `4`, `self.workers`.
    """

    kind: ClassVar[str] = "foreach"
    target: str = attrs.field(validator=field(text))
    variable: str = attrs.field(validator=field(text))
    parallel: bool = False

    @property
    def targets(self) -> tuple[str, ...]:
        """The steps this leads to."""
        return (self.target,)


@attrs.frozen
class Case:
    """One case of a switch.

    `key` is the literal compared with the switch's variable. Where the source has a configuration value instead
    (`self.config.key`), `key` is that expression's text and `expression` is true: its value is known at run time only.
    """

    key: Key = attrs.field(validator=field(literal))
    target: str = attrs.field(validator=field(text))
    expression: bool = False


@attrs.frozen
class Switch:
    """Go on with one task of the step whose case equals the artifact `condition`; it may be the switch itself."""

    kind: ClassVar[str] = "switch"
    condition: str = attrs.field(validator=field(text))
    cases: tuple[Case, ...] = attrs.field(validator=field(some_cases))

    @property
    def targets(self) -> tuple[str, ...]:
        """The steps this can lead to, each once, in the order of the cases."""
        return tuple(dict.fromkeys(case.target for case in self.cases))


@attrs.frozen
class End:
    """No transition: the flow ends here."""

    kind: ClassVar[str] = "end"
    targets: ClassVar[tuple[str, ...]] = ()


@attrs.frozen
class Invalid:
    """A transition that was found but not understood; `check` reports it under the rule `slug`, with these words.

    `targets` are the steps that it names as far as one can tell, so that one mistake is not reported as many. `at` is
    the part of the source that was not understood.
    """

    kind: ClassVar[str] = "invalid"
    slug: str
    message: str
    help: str
    targets: tuple[str, ...] = ()
    at: Span | None = attrs.field(default=None, eq=False)


Transition = Linear | Split | Foreach | Switch | Join | End | Invalid


@attrs.frozen
class Node:
    """One step: its name, its transition, and where it stands in the source.

    Two nodes are equal if they mean the same in the graph; where they come from and `artifacts` do not count.

    - `arguments`: how many arguments the method takes, `self` included; a join takes two.
    - `starts`/`ends`: marked by `@step(start=True)` or `@step(end=True)`.
    - `decorators`: the names of the other decorators, as written: `retry`, `module.card`.
    - `doc`: the first line of the docstring.
    - `at`: the place of the name in its `def`; `transition_at`: that of the transition; `targets_at`: those of the
      steps that it names.
    - `artifacts`: what the method does with artifacts, `None` if that is not known, as of a graph built in code.
    """

    name: str = attrs.field(validator=field(text))
    transition: Transition = attrs.field(validator=field(a_transition))
    arguments: int = 1
    starts: bool = False
    ends: bool = False
    decorators: tuple[str, ...] = ()
    doc: str = ""
    file: str | None = attrs.field(default=None, eq=False)
    at: Span | None = attrs.field(default=None, eq=False)
    transition_at: Span | None = attrs.field(default=None, eq=False)
    targets_at: Mapping[str, Span] = attrs.field(factory=dict, eq=False, repr=False)
    artifacts: Artifacts | None = attrs.field(default=None, eq=False, repr=False)

    @property
    def next(self) -> tuple[str, ...]:
        """The steps that this one leads to, each once, in declared order."""
        return self.transition.targets

    @property
    def kind(self) -> str:
        """One of linear, split, foreach, switch, join, end, invalid."""
        return self.transition.kind

    @property
    def line(self) -> int | None:
        """The line of the `def`, from 1; `None` where the graph was not read from source."""
        return self.at.line if self.at else None

    @property
    def parallel(self) -> bool:
        """Whether the step is one of a gang: it is marked `@parallel` or, for example, `@pytorch_parallel`."""
        return any(name.split(".")[-1].split("_")[-1] == "parallel" for name in self.decorators)

    @property
    def takes_inputs(self) -> bool:
        """Whether the step is written as a join: its method takes `inputs`."""
        return self.arguments > 1

    @property
    def recursive(self) -> bool:
        """Whether the step is a switch that can choose itself again."""
        return self.kind == "switch" and self.name in self.next

    def evolve(self, **changes: Any) -> Node:
        """A copy with some fields changed."""
        return attrs.evolve(self, **changes)
