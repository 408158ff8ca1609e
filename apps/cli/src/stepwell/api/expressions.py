"""Values that are known only when a flow's configs have been read: what decorators and parameters are declared with."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Mapping
from typing import Any

from stepwell.errors import ConfigError

_SPREAD = "**config "
_count = itertools.count()

Names = Mapping[str, Any]
"""The values of a flow's configs, by their names."""


class Expression:
    """A value to come. Its attributes and items are such too; `**` spreads it into the arguments of a decorator.

    As a class-level value of a flow it is one of its constants.
    """

    def __init__(self, text: str, find: Callable[[Names], Any]) -> None:
        self._text, self._find, self._attribute = text, find, ""

    def __getattr__(self, name: str) -> Expression:
        if name.startswith("_"):
            raise AttributeError(f"'{self._text}' has no value yet, so it has no {name}")
        return Expression(f"{self._text}.{name}", lambda names: getattr(self._find(names), name))

    def __getitem__(self, key: Any) -> Expression:
        if isinstance(key, str) and key.startswith(_SPREAD):
            return self
        return Expression(f"{self._text}[{key!r}]", lambda names: self._find(names)[key])

    def __iter__(self) -> Any:
        raise ConfigError(f"'{self._text}' has no value yet, so it cannot be iterated; use it inside config_expr(...)")

    def keys(self) -> tuple[str, ...]:
        """What `**` asks for."""
        return (f"{_SPREAD}{next(_count)}",)

    def __set_name__(self, owner: type, attribute: str) -> None:
        self._attribute = attribute

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self
        return instance._stepwell_context.artifacts.peek(self._attribute, owner.__name__)

    def __repr__(self) -> str:
        return f"<value of {self._text}>"


def config_expr(text: str) -> Any:
    """The value of a Python expression over configs, as in `config_expr("cfg.memory * 2")`, once they have been read.

    What the module defines that this is called in may be used in it. Raises `ConfigError` when it is evaluated and fails.
    """
    around = sys._getframe(1).f_globals
    try:
        code = compile(text, f"config_expr({text!r})", "eval")
    except SyntaxError as error:
        raise ConfigError(f"config_expr({text!r}) is no Python expression: {error.msg}") from None
    return Expression(text, lambda names: eval(code, {**around, **names}))


def evaluate(expression: Expression, names: Names) -> Any:
    """The value of an expression; raises `ConfigError` where it has none."""
    try:
        return expression._find(names)
    except ConfigError:
        raise
    except Exception as error:
        known = ", ".join(names) or "none"
        what = f"{type(error).__name__}: {error}"
        raise ConfigError(f"'{expression._text}' has no value: {what}; the flow's configs are: {known}") from error


def is_late(value: Any) -> bool:
    """Whether a value is, or holds, one that is to come."""
    if isinstance(value, Expression):
        return True
    if isinstance(value, dict):
        return any(is_late(one) for one in value.values())
    return isinstance(value, (list, tuple)) and any(is_late(one) for one in value)


def resolve(value: Any, names: Names) -> Any:
    """A value with everything in it evaluated that was to come; raises `ConfigError`."""
    if isinstance(value, Expression):
        return evaluate(value, names)
    if isinstance(value, dict):
        return _resolve_dict(value, names)
    if isinstance(value, (list, tuple)) and is_late(value):
        return type(value)(resolve(one, names) for one in value)
    return value


def _resolve_dict(given: Mapping[str, Any], names: Names) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in given.items():
        one = resolve(value, names)
        if not (isinstance(key, str) and key.startswith(_SPREAD)):
            found[key] = one
        elif isinstance(one, Mapping):
            found.update(one)
        else:
            raise ConfigError(f"** takes an object of a config, not {one!r}")
    return found
