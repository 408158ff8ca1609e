"""Filters in a query string: ``field[:operator]=value,value``; values are alternatives, parameters all hold.

The exception is ``ne``: none of its values. Fields that do not exist are ignored, as clients of the original
expect; an operator that a field does not have, or a value of the wrong kind, is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum

import attrs

from metadata_service.errors import InvalidRequest
from metadata_service.incoming import is_text

STATUSES = ("running", "completed", "failed")


class Kind(Enum):
    """What a field holds, and with that which operators it has."""

    TEXT = frozenset({"eq", "ne", "lt", "le", "gt", "ge", "co", "sw", "ew", "li", "is"})
    NUMBER = frozenset({"eq", "ne", "lt", "le", "gt", "ge", "is"})
    LIST = frozenset({"is"})
    STATUS = frozenset({"eq", "ne"})


RUN_FIELDS: Mapping[str, Kind] = {
    "flow_id": Kind.TEXT,
    "run_number": Kind.NUMBER,
    "run_id": Kind.TEXT,
    "user_name": Kind.TEXT,
    "ts_epoch": Kind.NUMBER,
    "last_heartbeat_ts": Kind.NUMBER,
    "tags": Kind.LIST,
    "system_tags": Kind.LIST,
    "user": Kind.TEXT,
    "status": Kind.STATUS,
}
TASK_FIELDS: Mapping[str, Kind] = {
    "task_id": Kind.NUMBER,
    "task_name": Kind.TEXT,
    "user_name": Kind.TEXT,
    "ts_epoch": Kind.NUMBER,
    "last_heartbeat_ts": Kind.NUMBER,
}
_UNITS = {"ts_epoch": "integer epoch milliseconds", "last_heartbeat_ts": "integer epoch seconds"}
_TAG_OPERATORS = ("all", "any", "likeall", "likeany")


@attrs.frozen
class Condition:
    """One parameter; a value None means absent (SQL's NULL)."""

    field: str
    operator: str
    values: tuple[str | int | None, ...]


def conditions(query: Iterable[tuple[str, str]], fields: Mapping[str, Kind]) -> tuple[Condition, ...]:
    """The conditions on known fields in a query string. Raises `InvalidRequest`."""
    found = []
    for parameter, text in query:
        field, _, operator = parameter.partition(":")
        if field in fields:
            found.append(_condition(field, operator or "eq", text, fields[field]))
        elif field == "_tags" and "status" in fields:
            found.append(_tag_condition(operator or "all", text))
    return tuple(found)


def _condition(field: str, operator: str, text: str, kind: Kind) -> Condition:
    if operator not in kind.value:
        hint = "; use _tags to find runs by tag" if kind is Kind.LIST else ""
        raise InvalidRequest(f"unsupported operator {operator[:50]!r} for field {field!r}{hint}", bare=True)
    values = tuple(_value(field, value, kind) for value in text.split(","))
    if operator == "is" and values != (None,):
        raise InvalidRequest(f"{field}:is takes the value null only", bare=True)
    if None in values and operator not in ("eq", "ne", "is"):
        raise InvalidRequest(f"null cannot be compared by {operator!r}: use {field}=null or {field}:ne=null", bare=True)
    return Condition(field, operator, values)


def _tag_condition(operator: str, text: str) -> Condition:
    if operator not in _TAG_OPERATORS:
        raise InvalidRequest(f"unsupported operator {operator[:50]!r} for field '_tags'", bare=True)
    return Condition("_tags", operator, tuple(_text("_tags", tag) for tag in text.split(",")))


def _value(field: str, text: str, kind: Kind) -> str | int | None:
    if kind is Kind.STATUS and text not in STATUSES:  # a run always has one
        raise InvalidRequest(f"unsupported status filter: {text[:50]}", bare=True)
    if text == "null":
        return None
    return _number(field, text) if kind is Kind.NUMBER else _text(field, text)


def _number(field: str, text: str) -> int:
    digits = text.removeprefix("-")
    if not digits.isdecimal() or len(digits) > 100:
        raise InvalidRequest(
            f"invalid {field}: expected {_UNITS.get(field, 'an integer')}, got {text[:50]!r}", bare=True
        )
    return int(text)


def _text(field: str, text: str) -> str:
    if not is_text(text):
        raise InvalidRequest(f"the value of {field} holds a character that cannot be stored", bare=True)
    return text
