"""What mutators are handed: a flow and its steps, whose decorators and parameters they may read and change."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from stepwell.api.configs import configs
from stepwell.api.decorators.base import attributes_of, parse_spec, written
from stepwell.api.decorators.flows import Project, Schedule
from stepwell.api.decorators.kinds import KINDS
from stepwell.api.decorators.mutators import FlowMutator, StepMutator
from stepwell.api.decorators.own import OwnDecorator
from stepwell.api.decorators.triggers import Trigger, TriggerOnFinish
from stepwell.api.decorators.user import StepHook
from stepwell.api.parameters import Parameter
from stepwell.errors import DecoratorError, ParameterError
from stepwell.suggesting import did_you_mean

if TYPE_CHECKING:
    from stepwell.api.plan import FlowPlan

Spec = tuple[str, str, list[Any], dict[str, Any]]
"""A decorator as a value: its name, its name with module, arguments by position and by name."""


class _Decorated:
    """What flows and steps have in common: decorators that are listed, added and removed."""

    IGNORE: ClassVar[int] = 1
    ERROR: ClassVar[int] = 2
    OVERRIDE: ClassVar[int] = 3
    _kinds: ClassVar[tuple[type, ...]] = ()
    _own: ClassVar[type[OwnDecorator]] = OwnDecorator

    def __init__(self, plan: FlowPlan, early: bool) -> None:
        self._plan, self._early = plan, early

    @property
    def decorator_specs(self) -> Iterator[Spec]:
        """All decorators."""
        yield from map(_spec, self._present())

    def has_decorator(self, name: str) -> bool:
        """Whether there is one of this name; a name with a dot is one with its module."""
        return bool(self.get_decorator_specs(name))

    def get_decorator_specs(self, name: str) -> list[Spec]:
        """The decorators of this name."""
        return [spec for spec in self.decorator_specs if name in spec[:2]]

    def add_decorator(
        self,
        deco_type: Any,
        deco_args: Sequence[Any] | None = None,
        deco_kwargs: Mapping[str, Any] | None = None,
        duplicates: int = IGNORE,
    ) -> Any:
        """Add a decorator: itself, or `"name:key=value"`; gives it, or None where it was not added.

        Where there is one of its name already, that stays (`IGNORE`), goes (`OVERRIDE`), or is an error (`ERROR`). Raises
        `DecoratorError`.
        """
        self._check_may_change()
        made = self._made(deco_type, list(deco_args or ()), dict(deco_kwargs or {}))
        name = _spec(made)[0]
        if self.has_decorator(name):
            if duplicates == self.IGNORE:
                return None
            if duplicates == self.ERROR:
                raise DecoratorError(f"{self._what()} has @{name} already")
            self.remove_decorator(name)
        self._add(made)
        return made

    def remove_decorator(
        self,
        deco_name: str,
        deco_args: Sequence[Any] | None = None,
        deco_kwargs: Mapping[str, Any] | None = None,
    ) -> bool:
        """Remove the decorators of a name, or only those with just these arguments; says whether there was one."""
        self._check_may_change()
        name, attributes = parse_spec(deco_name)
        exactly = bool(attributes) or deco_args is not None or deco_kwargs is not None
        wanted = list(deco_args or ()), {**attributes, **(deco_kwargs or {})}
        gone = [
            one
            for one, spec in ((one, _spec(one)) for one in self._present())
            if name in spec[:2] and (not exactly or wanted == spec[2:])
        ]
        for one in gone:
            self._remove(one)
        return bool(gone)

    def _made(self, given: Any, arguments: list[Any], named: dict[str, Any]) -> Any:
        if isinstance(given, str):
            name, attributes = parse_spec(given)
            if attributes and (arguments or named):
                raise DecoratorError(f"Give the attributes of {given} in the text or apart from it, not both")
            given, named = self._found(name), attributes or named
        if isinstance(given, self._own):
            return given
        if isinstance(given, type) and issubclass(given, self._own):
            return given(*arguments, **named)
        kind = getattr(given, "kind", None)
        if kind not in self._kinds:
            raise DecoratorError(f"{given!r} is no decorator for {self._what()}")
        if arguments:
            raise DecoratorError(f"@{kind.name} takes its attributes by name")
        return written(kind, named)

    def _found(self, name: str) -> Any:
        """What a name says: one of ours, one that the flow's module has, or one of another module, `module.name`."""
        for kind in self._kinds:
            if kind.name == name:  # type: ignore[attr-defined]
                return _Ours(kind)
        module, _, last = name.rpartition(".")
        try:
            around = import_module(module) if module else sys.modules[self._plan.cls.__module__]
        except ImportError as error:
            raise DecoratorError(f"There is no decorator '{name}': {error}") from error
        found = getattr(around, last, None)
        if not (isinstance(found, type) and issubclass(found, self._own)):
            known = ", ".join(sorted(kind.name for kind in self._kinds))  # type: ignore[attr-defined]
            meant = did_you_mean(name, (kind.name for kind in self._kinds))  # type: ignore[attr-defined]
            raise DecoratorError(
                f"There is no decorator '{name}' for {self._what()}.{meant} There are: {known}, "
                "those that the flow's module has, and those of other modules, as module.name"
            )
        return found

    def _check_may_change(self) -> None:
        """Raise where it is too late."""

    def _present(self) -> Sequence[Any]:
        raise NotImplementedError

    def _add(self, decorator: Any) -> None:
        raise NotImplementedError

    def _remove(self, decorator: Any) -> None:
        raise NotImplementedError

    def _what(self) -> str:
        raise NotImplementedError


class _Ours:
    def __init__(self, kind: type) -> None:
        self.kind = kind


def _spec(decorator: Any) -> Spec:
    if isinstance(decorator, OwnDecorator):
        kind, (arguments, named) = type(decorator), decorator._arguments
        return kind.__name__, f"{kind.__module__}.{kind.__qualname__}", list(arguments), dict(named)
    return decorator.name, f"stepwell.{decorator.name}", [], attributes_of(decorator)


class MutableStep(_Decorated):
    """A step of a flow that is being put together."""

    _kinds = KINDS
    _own = StepHook

    def __init__(self, plan: FlowPlan, name: str, early: bool) -> None:
        super().__init__(plan, early)
        self.name = name

    @property
    def flow(self) -> MutableFlow:
        """The flow that the step is of."""
        return MutableFlow(self._plan, self._early)

    @property
    def _step(self) -> Any:
        return self._plan.steps[self.name]

    def _present(self) -> Sequence[Any]:
        return (*self._step.decorators, *self._step.by_user)

    def _add(self, decorator: Any) -> None:
        if isinstance(decorator, StepMutator) and not self._early:
            raise DecoratorError(f"A mutator of step '{self.name}' is to be added in pre_mutate")
        (self._step.by_user if isinstance(decorator, StepHook) else self._step.decorators).append(decorator)

    def _remove(self, decorator: Any) -> None:
        if isinstance(decorator, StepMutator) and not self._early:
            raise DecoratorError(f"A mutator of step '{self.name}' is to be removed in pre_mutate")
        plan = self._step
        plan.decorators = [one for one in plan.decorators if one is not decorator]
        plan.by_user[:] = [one for one in plan.by_user if one is not decorator]

    def _what(self) -> str:
        return f"Step '{self.name}'"


class MutableFlow(_Decorated):
    """A flow that is being put together. Its steps, parameters and configs are attributes too: `flow.start`, `flow.cfg`."""

    _kinds = (Project, Schedule, Trigger, TriggerOnFinish)
    _own = FlowMutator

    @property
    def configs(self) -> Iterator[tuple[str, Any]]:
        """The values of the configs by name."""
        yield from ((name, self._plan.names[name]) for name in configs(self._plan.cls))

    @property
    def parameters(self) -> Iterator[tuple[str, Parameter]]:
        """The parameters by attribute."""
        yield from list(self._plan.parameters.items())

    @property
    def steps(self) -> Iterator[tuple[str, MutableStep]]:
        """The steps by name."""
        yield from ((name, MutableStep(self._plan, name, self._early)) for name in self._plan.steps)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self._plan.steps:
            return MutableStep(self._plan, name, self._early)
        if name in self._plan.parameters:
            return self._plan.parameters[name]
        if name in self._plan.names:
            return self._plan.names[name]
        return getattr(self._plan.cls, name)

    def add_parameter(self, name: str, value: Parameter, overwrite: bool = False) -> None:
        """Add a parameter under an attribute's name; raises `ParameterError` where it is taken, unless `overwrite`."""
        self._check_may_change()
        if not isinstance(value, Parameter):
            raise ParameterError(f"add_parameter('{name}', ...) takes a Parameter, not {value!r}")
        if hasattr(self._plan.cls, name) and not (overwrite and name in self._plan.parameters):
            raise ParameterError(f"The flow has '{name}' already; overwrite=True replaces a parameter")
        if any(one.name == value.name for key, one in self._plan.parameters.items() if key != name):
            raise ParameterError(f"The flow has a parameter that is called '{value.name}' already")
        value.attribute = name
        self._plan.parameters[name] = value

    def remove_parameter(self, parameter_name: str) -> bool:
        """Remove a parameter by its own name; says whether there was one."""
        self._check_may_change()
        gone = [key for key, one in self._plan.parameters.items() if one.name == parameter_name]
        for key in gone:
            del self._plan.parameters[key]
        return bool(gone)

    def _check_may_change(self) -> None:
        if not self._early:
            raise DecoratorError("The command line is read: change a flow's parameters and decorators in pre_mutate")

    def _present(self) -> Sequence[Any]:
        return (*self._plan.decorators.values(), *self._plan.mutators)

    def _add(self, decorator: Any) -> None:
        if isinstance(decorator, FlowMutator):
            self._plan.mutators.append(decorator)
        else:
            self._plan.decorators[decorator.name] = decorator

    def _remove(self, decorator: Any) -> None:
        if isinstance(decorator, FlowMutator):
            raise DecoratorError(f"The mutator {type(decorator).__name__} has begun: it cannot be removed")
        del self._plan.decorators[decorator.name]

    def _what(self) -> str:
        return f"The flow '{self._plan.cls.__name__}'"
