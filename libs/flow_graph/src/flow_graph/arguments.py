"""Whether arguments are what they should be: who errs hears it at once, with what to give instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flow_graph.errors import InvalidArgument


def require(kinds: type | tuple[type, ...], where: str, value: object, must: str) -> None:
    """Raise InvalidArgument unless a value, which goes by this name, is of one of these types."""
    if not isinstance(value, kinds):
        raise InvalidArgument(where, value, must)


def text(where: str, value: object) -> None:
    """Raise InvalidArgument unless it is text."""
    require(str, where, value, "text")


def optional_text(where: str, value: object) -> None:
    """Raise InvalidArgument unless it is text or None."""
    require((str, type(None)), where, value, "text, or None")


def texts(where: str, values: object) -> None:
    """Raise InvalidArgument unless these are several texts: a single one is none."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InvalidArgument(where, values, "a sequence of texts")
    for value in values:
        text(f"one of {where}", value)


def mapping(where: str, value: object) -> None:
    """Raise InvalidArgument unless it is a mapping, or None."""
    require((Mapping, type(None)), where, value, "a mapping from steps")


def field(check: Callable[[str, object], None]) -> Callable[[Any, Any, Any], None]:
    """The check of a field of an attrs class."""
    return lambda one, attribute, value: check(f"{type(one).__name__}'s {attribute.name}", value)
