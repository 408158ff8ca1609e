"""Whether arguments are of the right types, before Batch's own limits are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from compute_batch.errors import InvalidSpec


def require(kinds: type | tuple[type, ...], field: str, value: object, must: str, owner: str = "") -> None:
    """Raise InvalidSpec unless an argument, which goes by this name, is of one of these types."""
    if not isinstance(value, kinds):
        raise wrong(field, value, must, owner)


def wrong(field: str, value: object, must: str, owner: str = "") -> InvalidSpec:
    """The error that says what an argument is, and what it must be."""
    shown = repr(value)
    cut = shown if len(shown) <= 80 else f"{shown[:80]}…"
    return InvalidSpec(field, f"{owner}{field} is {cut}; it must be {must}.")


def several(kinds: type | tuple[type, ...], field: str, values: Any, must: str, owner: str = "") -> tuple[Any, ...]:
    """Values of these types as a tuple: a single one, or a text, is none. Raises InvalidSpec."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise wrong(field, values, f"a sequence of {must}", owner)
    found = tuple(values)
    for value in found:
        require(kinds, field, value, must, f"one of {owner}")
    return found


def texts_by_name(field: str, values: Any, owner: str = "") -> dict[str, str]:
    """A copy of a mapping whose names are texts; what its values may be is said elsewhere. Raises InvalidSpec."""
    require(Mapping, field, values, "a mapping from names to texts", owner)
    for name in values:
        require(str, field, name, "text", f"a name in {owner}")
    return dict(values)


def texts(field: str, values: Any) -> Sequence[str]:
    """Texts as a tuple. Raises InvalidSpec."""
    return several(str, field, values, "text")


def seconds(one: object, attribute: Any, value: object) -> None:
    """The check of a field of an attrs class that is a number, 0 at least. Raises InvalidSpec."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not value >= 0:
        raise wrong(attribute.name, value, "a number, 0 at least", f"{type(one).__name__}'s ")
