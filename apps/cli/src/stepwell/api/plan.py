"""What a flow's class says of itself, in a form that mutators may change: the class stays as it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from stepwell.api.decorators.base import AnyStepDecorator, attached
from stepwell.api.decorators.flows import AnyFlowDecorator, attached_to_flow
from stepwell.api.decorators.mutators import FlowMutator, StepMutator, attached_mutators
from stepwell.api.decorators.user import StepHook, attached_by_user
from stepwell.api.expressions import Names
from stepwell.api.parameters import Parameter, parameters
from stepwell.errors import DecoratorError, StepwellError

if TYPE_CHECKING:
    from stepwell.api.mutable import MutableFlow, MutableStep


@attrs.define
class StepPlan:
    """A step's decorators: ours, and those that users wrote, the innermost first."""

    decorators: list[AnyStepDecorator]
    by_user: list[StepHook]


@attrs.define
class FlowPlan:
    """A flow's parameters by attribute, decorators by name, and steps by name; `names` are its configs' values."""

    cls: type
    names: Names
    parameters: dict[str, Parameter]
    decorators: dict[str, AnyFlowDecorator]
    mutators: list[FlowMutator]
    steps: dict[str, StepPlan]

    def copy(self) -> FlowPlan:
        """A plan that changes by itself."""
        return attrs.evolve(
            self,
            parameters=dict(self.parameters),
            decorators=dict(self.decorators),
            mutators=list(self.mutators),
            steps={name: StepPlan(list(step.decorators), list(step.by_user)) for name, step in self.steps.items()},
        )

    def changed_parameters(self) -> dict[str, Any]:
        """What a class derived from the flow's has to have, so that steps see the parameters as planned."""
        removed = {name: Removed(name) for name in parameters(self.cls) if name not in self.parameters}
        return {**self.added_parameters(), **removed}

    def added_parameters(self) -> dict[str, Parameter]:
        """The parameters that are not the class's own, or not as that declares them."""
        written = parameters(self.cls)
        return {name: one for name, one in self.parameters.items() if written.get(name) is not one}


class Removed:
    """Stands in a derived class for a parameter that a mutator removed."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        raise AttributeError(f"Flow {owner.__name__} has no attribute '{self._name}': a mutator removed the parameter")


def plan_flow(cls: type, names: Names) -> FlowPlan:
    """The plan of a flow whose configs are read, as far as `pre_mutate` changes it; raises `DecoratorError`."""
    plan = FlowPlan(
        cls=cls,
        names=names,
        parameters=dict(parameters(cls)),
        decorators=attached_to_flow(cls),
        mutators=list(attached_mutators(cls)),
        steps={
            name: StepPlan(list(attached(function)), list(attached_by_user(function)))
            for name, function in _step_functions(cls)
        },
    )
    _mutate(plan, early=True)
    plan.parameters = {name: parameter.ready(names) for name, parameter in plan.parameters.items()}
    return plan


def with_options(plan: FlowPlan, added: Sequence[str]) -> FlowPlan:
    """A plan with the decorators of `--with`, as far as `mutate` changes it; raises `DecoratorError`."""
    plan = plan.copy()
    for step in plan.steps if added else ():
        mutable = _mutable_step(plan, step, early=True)
        for one in [mutable.add_decorator(text) for text in added]:
            if isinstance(one, StepMutator):  # those of the class have had their turn
                _call(one.ready(plan.names).pre_mutate, mutable)
    _mutate(plan, early=False)
    return plan


def _step_functions(cls: type) -> Iterator[tuple[str, Any]]:
    for name in dict.fromkeys(name for base in cls.__mro__ for name in vars(base)):
        function = getattr(cls, name, None)
        if getattr(function, "is_step", False) is True:
            yield name, function


def _mutate(plan: FlowPlan, early: bool) -> None:
    hook = "pre_mutate" if early else "mutate"
    for mutator in plan.mutators:  # grows while mutators add others
        _call(getattr(mutator.ready(plan.names), hook), _mutable_flow(plan, early))
    for name, step in plan.steps.items():
        for one in step.by_user:
            if isinstance(one, StepMutator):
                _call(getattr(one.ready(plan.names), hook), _mutable_step(plan, name, early))


def _mutable_flow(plan: FlowPlan, early: bool) -> MutableFlow:
    from stepwell.api.mutable import MutableFlow

    return MutableFlow(plan, early)


def _mutable_step(plan: FlowPlan, name: str, early: bool) -> MutableStep:
    from stepwell.api.mutable import MutableStep

    return MutableStep(plan, name, early)


def _call(hook: Callable[[Any], None], mutable: Any) -> None:
    try:
        hook(mutable)
    except StepwellError:
        raise
    except Exception as error:
        where = f"{type(hook.__self__).__name__}.{hook.__name__}"  # type: ignore[attr-defined]
        raise DecoratorError(f"The mutator {where} failed with {type(error).__name__}: {error}") from error
