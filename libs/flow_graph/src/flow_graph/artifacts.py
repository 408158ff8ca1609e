"""What a step's method does with artifacts, as far as its source shows it."""

from __future__ import annotations

import attrs

from flow_graph.positions import Span


@attrs.frozen
class Use:
    """A place where a method reads or assigns an artifact.

    `certain` if every run of the method that reaches its end comes past it: not inside a branch, a loop or a function.
    `via` is the helper method in whose body it stands; `at` is then the place of the call.
    """

    name: str
    certain: bool = True
    via: str = ""
    at: Span | None = attrs.field(default=None, eq=False)


@attrs.frozen
class Merge:
    """A call of `merge_artifacts`; `include` is `None` for all names. Not `literal`: what it takes is not known."""

    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()
    literal: bool = True
    at: Span | None = attrs.field(default=None, eq=False)


@attrs.frozen
class Artifacts:
    """All that a method does with artifacts.

    - `reads`: of names that it has not assigned before itself; one for each name.
    - `assigns`: one for each name, the first.
    - `input_reads`: attributes read of a join's inputs, one for each name.
    - `merges`: calls of `merge_artifacts`, in order.
    - `uses_inputs`: a join looks at its inputs at all.
    - `opaque`: the method may assign what its source does not show, by `setattr` or by handing `self` on.
    """

    reads: tuple[Use, ...] = ()
    assigns: tuple[Use, ...] = ()
    input_reads: tuple[Use, ...] = ()
    merges: tuple[Merge, ...] = ()
    uses_inputs: bool = False
    opaque: bool = False
