"""Whether arguments are what they should be: who errs hears it at once, with what to give instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sched_sfn.errors import InvalidArgument

Validator = Callable[[Any, Any, Any], None]
"""Checks a field of an attrs class."""
Check = Callable[[str, object], None]
"""Raises InvalidArgument unless a value, which goes by this name, is right."""


def instance(*kinds: type, must: str) -> Check:
    """It is of one of these types; `must` says in words what it must be."""

    def check(where: str, value: object) -> None:
        if not isinstance(value, kinds):
            raise InvalidArgument(where, value, must)

    return check


def whole(least: int, most: int | None = None) -> Check:
    """It is a whole number within these bounds."""
    bounds = f"{least:,} at least" if most is None else f"{least:,} to {most:,}"

    def check(where: str, value: object) -> None:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not is_whole or value < least or (most is not None and value > most):  # type: ignore[operator]
            raise InvalidArgument(where, value, f"a whole number, {bounds}")

    return check


def optional(check: Check) -> Check:
    """It is None, or right."""
    return lambda where, value: None if value is None else check(where, value)


def by_text(check: Check, must: str) -> Check:
    """It is a mapping from texts to what is right; `must` says of what."""

    def check_all(where: str, value: object) -> None:
        if not isinstance(value, Mapping):
            raise InvalidArgument(where, value, must)
        for key, item in value.items():
            text(f"a name in {where}", key)
            check(f"{where}[{key!r}]", item)

    return check_all


def field(check: Check) -> Validator:
    """The check of a field of an attrs class."""
    return lambda one, attribute, value: check(f"{type(one).__name__}'s {attribute.name}", value)


text = instance(str, must="text")


def name(where: str, value: object) -> None:
    """It is text, and not empty."""
    if not isinstance(value, str) or not value:
        raise InvalidArgument(where, value, "text, and not empty")


def number(where: str, value: object) -> None:
    """It is a number above 0."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not value > 0:
        raise InvalidArgument(where, value, "a number above 0")
