"""Step decorators that users write: a generator around the step, or a class with `pre_step` and `post_step`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from types import FunctionType
from typing import Any

from stepwell.api.decorators.own import OwnDecorator
from stepwell.errors import DecoratorError, StepwellError

ATTACHED = "stepwell_user_decorators"
USER_SKIP_STEP: dict[str, Any] = {}
"""What a generator yields to have the step left out."""


class StepHook(OwnDecorator):
    """What users write to put above a step: `UserStepDecorator`, `StepMutator`."""

    _attached = ATTACHED
    _place = "a step"

    @classmethod
    def _can_be_above(cls, target: Any) -> bool:
        return isinstance(target, FunctionType)


class UserStepDecorator(StepHook):
    """Base of a user's decorator: `@Mine` or `@Mine(x=1)` above a step. `init` gets the arguments.

    Decorators nest as Python applies them: the one nearest to the step runs last before it and first behind it.
    """

    skip_step: bool | dict[str, Any] = False
    """Set it in `pre_step` to leave out what the decorator wraps; the flow goes on as the step's `self.next` says."""

    def pre_step(self, step_name: str, flow: Any, inputs: Any = None) -> Callable[..., Any] | None:
        """Before the step: None, or a function to call in its place, with the flow and, in a join, the inputs.

        Where that returns True, the step's own transition is taken.
        """
        return None

    def post_step(self, step_name: str, flow: Any, exception: Exception | None = None) -> Any:
        """After the step, or what wraps it: the exception to raise, or None where all is well, also after one came in."""
        return exception


def user_step_decorator(generator: Callable[..., Generator[Any, None, Any]]) -> type[UserStepDecorator]:
    """Make a step decorator of a generator that takes `step_name, flow, inputs` and perhaps `attributes`.

    What is before its `yield` runs before the step, the rest after it; an exception of the step comes out of the `yield`.
    It may yield a function to call in place of the step, or `USER_SKIP_STEP`; without any `yield` the step is left out.
    """
    takes = len(inspect.signature(generator).parameters) if inspect.isfunction(generator) else 0
    if not inspect.isgeneratorfunction(generator) or takes not in (3, 4):
        raise DecoratorError(
            "@user_step_decorator goes above a generator function that takes step_name, flow, inputs and perhaps attributes"
        )

    class Wrapping(UserStepDecorator):
        def init(self, *arguments: Any, **attributes: Any) -> None:
            if arguments or (attributes and takes == 3):
                raise DecoratorError(
                    f"@{generator.__name__} takes none of these: let it take attributes, given by name"
                )
            self._attributes = attributes

        def pre_step(self, step_name: str, flow: Any, inputs: Any = None) -> Callable[..., Any] | None:
            more = (self._attributes,) if takes == 4 else ()
            self._running = generator(step_name, flow, inputs, *more)
            try:
                yielded = next(self._running)
            except StopIteration:
                yielded = USER_SKIP_STEP
            if isinstance(yielded, dict):
                self.skip_step = yielded or True
                return None
            return yielded  # type: ignore[no-any-return]

        def post_step(self, step_name: str, flow: Any, exception: Exception | None = None) -> Any:
            try:
                if exception is None:
                    next(self._running)
                else:
                    self._running.throw(exception)
            except StopIteration as end:
                return end.value
            except Exception as error:
                return error
            return StepwellError(f"The decorator @{generator.__name__} yields a second time; let it yield once")

    Wrapping.__name__ = Wrapping.__qualname__ = generator.__name__
    Wrapping.__doc__ = generator.__doc__
    return Wrapping


def attached_by_user(function: Any) -> tuple[StepHook, ...]:
    """A step's decorators and mutators that users wrote, the innermost first."""
    return getattr(function, ATTACHED, ())
