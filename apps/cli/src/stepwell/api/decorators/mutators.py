"""`FlowMutator` and `StepMutator`: what users write to change a flow before it is run, as its configs say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stepwell.api.decorators.own import OwnDecorator
from stepwell.api.decorators.user import StepHook

if TYPE_CHECKING:
    from stepwell.api.mutable import MutableFlow, MutableStep

ATTACHED = "_stepwell_flow_mutators"


class FlowMutator(OwnDecorator):
    """Base of a user's mutator: `@Mine` or `@Mine(x=1)` above a flow's class. `init` gets the arguments.

    Both methods are called in every process that reads the flow.
    """

    _attached = ATTACHED
    _place = "a flow's class"

    @classmethod
    def _can_be_above(cls, target: Any) -> bool:
        return isinstance(target, type)

    def pre_mutate(self, mutable_flow: MutableFlow) -> None:
        """Change the flow once its configs are read: parameters, decorators of the flow, decorators of steps."""

    def mutate(self, mutable_flow: MutableFlow) -> None:
        """Change decorators of steps once the command line, with its `--with`, is read."""


class StepMutator(StepHook):
    """Base of a user's mutator: `@Mine` or `@Mine(x=1)` above a step. `init` gets the arguments."""

    def pre_mutate(self, mutable_step: MutableStep) -> None:
        """Change the step's decorators once the flow's configs are read."""

    def mutate(self, mutable_step: MutableStep) -> None:
        """Change them once the command line, with its `--with`, is read."""


def attached_mutators(cls: type) -> tuple[FlowMutator, ...]:
    """The mutators of a flow: those that it inherits first, and of one class the lowest first."""
    return tuple(one for base in reversed(cls.__mro__) for one in vars(base).get(ATTACHED, ()))
