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
Made = TypeVar("Made")


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


def make(kind: type[Made], attributes: dict[str, Any]) -> Made:
    """A decorator of a step or a flow from its attributes; raises `DecoratorError` for an unknown or wrong one."""
    name = kind.name  # type: ignore[attr-defined]
    fields = {field.alias: field for field in attrs.fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(attributes) - set(fields))
    if unknown:
        raise DecoratorError(f"@{name} has no attribute '{unknown[0]}'; it has: {', '.join(fields) or 'none'}")
    missing = [key for key, field in fields.items() if field.default is attrs.NOTHING and key not in attributes]
    if missing:
        raise DecoratorError(f"@{name} needs {missing[0]}, as in @{name}({missing[0]}=...)")
    try:
        return kind(**attributes)
    except (TypeError, ValueError) as error:
        raise DecoratorError(f"@{name}: {error.args[0] if error.args else error}") from error


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
