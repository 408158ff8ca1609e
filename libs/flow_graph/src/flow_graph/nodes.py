"""The parts of a graph: steps, and the transition that each one makes."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

Key = str | int | float | bool | None
"""A literal that a switch can compare its variable with."""


@attrs.frozen
class Linear:
    """Go on with one task of `target`."""

    kind: ClassVar[str] = "linear"
    target: str

    @property
    def targets(self) -> tuple[str, ...]:
        """The steps this leads to."""
        return (self.target,)


@attrs.frozen
class Join:
    """Wait for all the arms of a split or foreach, then go on with one task of `target`."""

    kind: ClassVar[str] = "join"
    target: str

    @property
    def targets(self) -> tuple[str, ...]:
        """The steps this leads to."""
        return (self.target,)


@attrs.frozen
class Split:
    """Go on with one task of each of `targets`, side by side."""

    kind: ClassVar[str] = "split"
    targets: tuple[str, ...]


@attrs.frozen
class Foreach:
    """Go on with one task of `target` for each item of the artifact `variable`."""

    kind: ClassVar[str] = "foreach"
    target: str
    variable: str

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

    key: Key
    target: str
    expression: bool = False


@attrs.frozen
class Switch:
    """Go on with one task of the step whose case equals the artifact `condition`; it may be the switch itself."""

    kind: ClassVar[str] = "switch"
    condition: str
    cases: tuple[Case, ...]

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
    """A transition that was found but not understood, or is not supported; `check` reports `code` and `message`.

    `targets` are the steps that it names as far as one can tell, so that one mistake is not reported as many.
    """

    kind: ClassVar[str] = "invalid"
    code: str
    message: str
    help: str
    targets: tuple[str, ...] = ()


Transition = Linear | Split | Foreach | Switch | Join | End | Invalid


@attrs.frozen
class Node:
    """One step: its name, its transition, and where it stands in the source.

    Two nodes are equal if they mean the same; `file` and the lines (1-based) do not count.

    - `arguments`: how many arguments the method takes, `self` included; a join takes two.
    - `starts`/`ends`: marked by `@step(start=True)` or `@step(end=True)`.
    - `doc`: the first line of the docstring.
    - `line`: the line of the `def`; `transition_line`: that of the transition.
    """

    name: str
    transition: Transition
    arguments: int = 1
    starts: bool = False
    ends: bool = False
    doc: str = ""
    file: str | None = attrs.field(default=None, eq=False)
    line: int | None = attrs.field(default=None, eq=False)
    transition_line: int | None = attrs.field(default=None, eq=False)

    @property
    def next(self) -> tuple[str, ...]:
        """The steps that this one leads to, each once, in declared order."""
        return self.transition.targets

    @property
    def kind(self) -> str:
        """One of linear, split, foreach, switch, join, end, invalid."""
        return self.transition.kind

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
