"""Pages of a listing: how many rows, and where the last page ended.

A cursor is base64 of the JSON object of the last row's sort keys, opaque to clients.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence

import attrs

from metadata_service.errors import InvalidRequest
from metadata_service.ids import LARGEST_ID
from metadata_service.incoming import is_text

DEFAULT_LIMIT = 50
LARGEST_LIMIT = 500

Key = int | str


@attrs.frozen
class Order:
    """The sort keys of a listing, all descending; each is named and is a number or a text."""

    keys: tuple[tuple[str, type], ...]


FLOWS = Order((("ts_epoch", int), ("flow_id", str)))
RUNS = Order((("ts_epoch", int), ("run_number", int)))
TASKS = Order((("ts_epoch", int), ("task_id", int)))
METADATA = Order((("ts_epoch", int), ("id", int)))
ARTIFACTS = Order((("ts_epoch", int), ("task_id", int), ("name", str)))


@attrs.frozen
class Page:
    """One page: at most ``limit`` rows that sort after ``after`` (the keys of the last row seen; None: from the top)."""

    limit: int
    after: tuple[Key, ...] | None


def page_of(query: Mapping[str, str], order: Order, *, wanted: bool = False) -> Page | None:
    """The page that a query string asks for; None for a whole listing. Raises `InvalidRequest`.

    ``wanted``: something else in the query, such as a filter, asks for pages.
    """
    if not wanted and "_limit" not in query and "_cursor" not in query:
        return None
    return Page(_limit(query.get("_limit", "")), _decode(query.get("_cursor", ""), order))


def cursor_after(keys: Sequence[Key], order: Order) -> str:
    """The cursor of the page after a row with these keys."""
    named = {name: key for (name, _), key in zip(order.keys, keys, strict=True)}
    return base64.urlsafe_b64encode(json.dumps(named, separators=(",", ":")).encode()).decode()


def _limit(text: str) -> int:
    if not text:
        return DEFAULT_LIMIT
    if not text.isdecimal():
        raise InvalidRequest(f"_limit must be a whole number from 0 to {LARGEST_LIMIT}, got {text[:50]!r}")
    return min(int(text[:9]), LARGEST_LIMIT)


def _decode(text: str, order: Order) -> tuple[Key, ...] | None:
    if not text:
        return None
    try:
        named = json.loads(base64.b64decode(text, altchars=b"-_", validate=True))
        return tuple(_key(named[name], kind) for name, kind in order.keys)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidRequest("Invalid cursor", bare=True) from error


def _key(value: object, kind: type) -> Key:
    if kind is int and type(value) is int and abs(value) <= LARGEST_ID:
        return value
    if kind is str and isinstance(value, str) and is_text(value):
        return value
    raise ValueError(f"not a {kind.__name__}: {value!r}")
