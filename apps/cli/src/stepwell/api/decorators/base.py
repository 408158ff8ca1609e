"""How a step decorator is declared, attached to a step, and read from `--with`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import attrs

from stepwell.api.expressions import Names, is_late, resolve
from stepwell.errors import DecoratorError

if TYPE_CHECKING:
    from flow_graph import Node

    from stepwell.api.decorators.flows import FlowDecorator

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


@attrs.frozen
class Late(Generic[Made]):
    """A decorator of a step or a flow whose attributes are known only when the flow's configs are."""

    kind: type[Made]
    attributes: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The decorator's name."""
        return str(self.kind.name)  # type: ignore[attr-defined]

    def ready(self, names: Names) -> Made:
        """The decorator; raises `ConfigError`, `DecoratorError`."""
        return make(self.kind, resolve(self.attributes, names))


AnyStepDecorator = StepDecorator | Late[StepDecorator]


def ready(decorator: Made | Late[Made], names: Names) -> Made:
    """A decorator itself, or what it is once the configs are known."""
    return decorator.ready(names) if isinstance(decorator, Late) else decorator


def written(kind: type[Made], attributes: dict[str, Any]) -> Made | Late[Made]:
    """A decorator from its attributes, checked now if they are known now; raises `DecoratorError`."""
    return Late(kind, attributes) if is_late(attributes) else make(kind, attributes)


def attributes_of(decorator: StepDecorator | FlowDecorator | Late[Any]) -> dict[str, Any]:
    """What a decorator was given, as far as it differs from the defaults."""
    if isinstance(decorator, Late):
        return dict(decorator.attributes)
    values = {field.alias: (field, getattr(decorator, field.name)) for field in attrs.fields(type(decorator))}
    return {name: value for name, (field, value) in values.items() if value != _default_of(field)}


def _default_of(field: attrs.Attribute[Any]) -> Any:
    default: Any = field.default
    convert: Any = field.converter
    if default is attrs.NOTHING:
        return default
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        default = default.factory()
    return convert(default) if convert else default


def usable(kind: type[StepDecorator]) -> Callable[..., Any]:
    """The decorator that a flow file writes: `@retry` or `@retry(times=4)`."""

    def decorate(function: Any = None, **attributes: Any) -> Any:
        if function is not None and not callable(function):
            raise DecoratorError(f"@{kind.name} takes its attributes by name: @{kind.name}({_example(kind)}=...)")
        made = written(kind, attributes)
        if function is not None:
            return attach(function, made)
        return lambda step: attach(step, made)

    decorate.__name__ = kind.name
    decorate.__doc__ = kind.__doc__
    decorate.kind = kind  # type: ignore[attr-defined]
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


def attach(function: F, decorator: AnyStepDecorator) -> F:
    """Add a decorator to a step; raises `DecoratorError` where it has that kind already."""
    present: tuple[AnyStepDecorator, ...] = getattr(function, ATTACHED, ())
    if any(one.name == decorator.name for one in present):
        raise DecoratorError(f"Step '{function.__name__}' has @{decorator.name} twice; keep one")
    setattr(function, ATTACHED, (*present, decorator))
    return function


def attached(function: Any) -> tuple[AnyStepDecorator, ...]:
    """The decorators of a step, in the order in which Python applied them."""
    return getattr(function, ATTACHED, ())


def parse_spec(text: str) -> tuple[str, dict[str, Any]]:
    """The name and the attributes in `name:key=value,key=value`; values are JSON where they parse as such."""
    name, _, rest = text.partition(":")
    attributes = {}
    for pair in filter(None, _BETWEEN_PAIRS.split(rest)):
        key, equals, value = pair.partition("=")
        if not equals:
            raise DecoratorError(f"The decorator {text}: '{pair}' is no key=value")
        attributes[key.strip()] = _parse_value(value.strip())
    return name, attributes


# A comma in a value, as in vars={"a": 1, "b": 2}, is none between pairs: no name and = follow it.
_BETWEEN_PAIRS = re.compile(r",(?=\s*\w+\s*=)")


def _parse_value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _example(kind: type[StepDecorator]) -> str:
    fields = attrs.fields(kind)
    return fields[0].name if fields else "name"
