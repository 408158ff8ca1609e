"""How a step decorator is declared, attached to a step, and read from `--with`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import attrs

from stepwell.errors import DecoratorError

if TYPE_CHECKING:
    from flow_graph import Node

ATTACHED = "stepwell_decorators"
F = TypeVar("F", bound=Callable[..., Any])


@attrs.frozen
class StepDecorator:
    """Base of the decorators: frozen values, one class each, with the decorator's attributes as fields."""

    name: ClassVar[str]

    def why_not_on(self, step: Node) -> str | None:
        """Why the decorator cannot be on a step, for people; None where it can."""
        return None


D = TypeVar("D", bound=StepDecorator)


def usable(kind: type[StepDecorator]) -> Callable[..., Any]:
    """The decorator that a flow file writes: `@retry` or `@retry(times=4)`."""

    def decorate(function: Any = None, **attributes: Any) -> Any:
        if function is not None and not callable(function):
            raise DecoratorError(f"@{kind.name} takes its attributes by name: @{kind.name}({_example(kind)}=...)")
        made = make(kind, attributes)
        if function is not None:
            return attach(function, made)
        return lambda step: attach(step, made)

    decorate.__name__ = kind.name
    decorate.__doc__ = kind.__doc__
    return decorate


def make(kind: type[D], attributes: dict[str, Any]) -> D:
    """A decorator from its attributes; raises `DecoratorError` for an unknown or wrong one."""
    known = [field.name for field in attrs.fields(kind)]
    unknown = sorted(set(attributes) - set(known))
    if unknown:
        raise DecoratorError(f"@{kind.name} has no attribute '{unknown[0]}'; it has: {', '.join(known) or 'none'}")
    try:
        return kind(**attributes)
    except (TypeError, ValueError) as error:
        raise DecoratorError(f"@{kind.name}: {error}") from error


def attach(function: F, decorator: StepDecorator) -> F:
    """Add a decorator to a step; raises `DecoratorError` where it has that kind already."""
    present: tuple[StepDecorator, ...] = getattr(function, ATTACHED, ())
    if any(one.name == decorator.name for one in present):
        raise DecoratorError(f"Step '{function.__name__}' has @{decorator.name} twice; keep one")
    setattr(function, ATTACHED, (*present, decorator))
    return function


def attached(function: Any) -> tuple[StepDecorator, ...]:
    """The decorators of a step, in the order in which Python applied them."""
    return getattr(function, ATTACHED, ())


def parse_with(text: str, kinds: Iterable[type[StepDecorator]]) -> StepDecorator:
    """The decorator of `--with name` or `--with name:key=value,key=value`; values are JSON where they parse as such."""
    name, _, rest = text.partition(":")
    by_name = {kind.name: kind for kind in kinds}
    if name not in by_name:
        raise DecoratorError(f"--with {name}: there is no decorator '{name}'; there are: {', '.join(sorted(by_name))}")
    attributes = {}
    for pair in filter(None, rest.split(",")):
        key, equals, value = pair.partition("=")
        if not equals:
            raise DecoratorError(f"--with {text}: '{pair}' is no key=value")
        attributes[key.strip()] = _parse_value(value.strip())
    return make(by_name[name], attributes)


def _parse_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _example(kind: type[StepDecorator]) -> str:
    fields = attrs.fields(kind)
    return fields[0].name if fields else "name"
