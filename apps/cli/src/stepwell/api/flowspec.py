"""`FlowSpec` and `step`: how a workflow is written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from stepwell.api.configs import Config
from stepwell.api.expressions import Expression
from stepwell.api.parameters import Parameter
from stepwell.api.transitions import read_transition
from stepwell.errors import InvalidNext
from stepwell.terminal import say_error
from stepwell.tracebacks import show_mistakes_in_one_line

if TYPE_CHECKING:
    from stepwell.execution.context import TaskContext

F = TypeVar("F", bound=Callable[..., None])

show_mistakes_in_one_line(say_error)


@overload
def step(function: F) -> F: ...
@overload
def step(*, start: bool = False, end: bool = False) -> Callable[[F], F]: ...
def step(function: F | None = None, *, start: bool = False, end: bool = False) -> F | Callable[[F], F]:
    """Mark a method of a flow as one of its steps.

    `@step(start=True)` and `@step(end=True)` mark the first and the last one where they are not called so; one may be both.
    """

    def mark(function: F) -> F:
        function.is_step = True  # type: ignore[attr-defined]
        return function

    return mark if function is None else mark(function)


class FlowSpec:
    """Base class of a workflow: its steps are the methods marked with `@step`.

    What a step assigns to `self` is an artifact: it is kept, and the steps behind it can read it. Constructing a flow
    hands the command line over to it, as in `if __name__ == "__main__": MyFlow()`.
    """

    __slots__ = ("__dict__", "__weakref__", "_stepwell_context")
    _stepwell_context: TaskContext

    def __init_subclass__(cls) -> None:
        from stepwell.api.loading import flow_defined

        super().__init_subclass__()
        flow_defined(cls)

    def __init__(self, use_cli: bool = True) -> None:
        if use_cli:
            from stepwell.api.loading import flow_constructed

            flow_constructed(type(self))

    def next(self, *targets: Any, **options: Any) -> None:
        """Say where the flow goes from here; the last statement of every step but the last.

        `next(self.a)`, `next(self.a, self.b)` (a branch), `next(self.a, foreach="items")`, or
        `next({"yes": self.a, "no": self.b}, condition="answer")`. Raises `InvalidNext` for anything else.
        """
        context = self._stepwell_context
        line = sys._getframe(1).f_lineno
        if context.transition is not None:
            raise InvalidNext(f"Step '{context.spec.step}' calls self.next a second time, on line {line}; call it once")
        context.transition = read_transition(self, targets, options, context.step_names, context.spec.step, line)

    @property
    def name(self) -> str:
        """The flow's name."""
        return type(self).__name__

    @property
    def index(self) -> int | None:
        """The position of this task's item in the innermost `foreach`; None outside one."""
        frames = self._stepwell_context.spec.frames
        return frames[-1].index if frames else None

    @property
    def input(self) -> Any:
        """This task's item of the innermost `foreach`; None outside one."""
        frames = self._stepwell_context.spec.frames
        return self._stepwell_context.foreach_item(len(frames) - 1) if frames else None

    def foreach_stack(self) -> list[tuple[int, int, Any]]:
        """The (index, cardinality, item) of each enclosing `foreach`, outermost first."""
        context = self._stepwell_context
        return [
            (frame.index, frame.cardinality, context.foreach_item(depth))
            for depth, frame in enumerate(context.spec.frames)
        ]

    def merge_artifacts(self, inputs: Iterable[Any], exclude: Iterable[str] = (), include: Iterable[str] = ()) -> None:
        """Take over, in a join, what the inputs agree on and this step has not set itself.

        Values are compared by content, without loading them. Raises `MergeConflict` where inputs differ,
        `MissingInMerge` where an `include` name is nowhere; then nothing is set.
        """
        self._stepwell_context.merge(self, inputs, frozenset(exclude), frozenset(include))

    def __getattr__(self, name: str) -> Any:
        """Load an artifact on first access."""
        if name.startswith("__") or name == "_stepwell_context":
            raise AttributeError(f"Flow {type(self).__name__} has no attribute '{name}'")
        value = self._stepwell_context.artifacts.load(name, type(self).__name__)
        self.__dict__[name] = value
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        """Assign an artifact; class-level values are constant."""
        if name != "_stepwell_context" and is_constant(type(self), name):
            raise AttributeError(
                f"'{name}' is a constant of {type(self).__name__}: class-level attributes and Parameters cannot be "
                f"changed in a step; assign another name"
            )
        if name in _OF_ALL_FLOWS:
            raise AttributeError(
                f"'{name}' is an attribute of every flow, and cannot be an artifact; assign another name"
            )
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        """Drop an artifact."""
        dropped = self._stepwell_context.artifacts.drop(name)
        if self.__dict__.pop(name, None) is None and not dropped:
            raise AttributeError(f"Flow {type(self).__name__} has no attribute '{name}'")

    def __getstate__(self) -> Any:
        """Refuse to be pickled."""
        raise TypeError("a flow cannot be an artifact of itself; save the values you need instead of self")


_OF_ALL_FLOWS = frozenset(name for name in vars(FlowSpec) if not name.startswith("_"))


def is_constant(flow: type, name: str) -> bool:
    """Whether `name` is a class-level value of the flow, which every task sees alike."""
    if name.startswith("_"):
        return False
    for cls in flow.__mro__:
        if cls is FlowSpec:
            return False
        if name in vars(cls):
            value = vars(cls)[name]
            return isinstance(value, (Parameter, Expression)) or not (callable(value) or hasattr(value, "__get__"))
    return False


def constants(flow: type) -> dict[str, Any]:
    """The class-level values of a flow, without its parameters and configs; of an expression of configs, that itself."""
    names = {name for cls in flow.__mro__ if issubclass(cls, FlowSpec) and cls is not FlowSpec for name in vars(cls)}
    return {
        name: getattr(flow, name)
        for name in sorted(names)
        if is_constant(flow, name) and not isinstance(getattr(flow, name), (Parameter, Config))
    }
