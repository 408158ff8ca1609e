"""Which part of a value cannot be serialized: found by trying its parts, only after the whole has failed."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

from cas_store.errors import UnserializableObject

MAX_DEPTH = 12
MAX_TRIED = 2000


def unserializable(value: Any, error: Exception) -> UnserializableObject:
    """The error that names the innermost part that fails by itself."""
    budget = [MAX_TRIED]
    path, part, reason = "value", value, error
    for _ in range(MAX_DEPTH):
        for step, inner in _parts(part):
            failure = _failure(inner, budget)
            if failure is not None:
                path, part, reason = path + step, inner, failure
                break
        else:
            break
    kind = type(part)
    return UnserializableObject(path, f"{kind.__module__}.{kind.__qualname__}", f"{type(reason).__name__}: {reason}")


def _failure(value: Any, budget: list[int]) -> Exception | None:
    if budget[0] <= 0:
        return None
    budget[0] -= 1
    try:
        pickle.dumps(value, 5, buffer_callback=lambda _: None)
    except Exception as error:
        return error
    return None


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """What a value holds, each with how to write the way to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield f"[{key!r}]", inner
            yield f".keys()[{key!r}]", key
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield f"[{index}]", inner
    elif isinstance(value, (set, frozenset)):
        for inner in value:
            yield f"{{{inner!r}}}", inner
    elif not isinstance(value, type):
        yield from ((f".{name}", inner) for name, inner in _attributes(value))


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """What pickle looks at: of a class that says itself what that is, no other attribute; none where it refuses."""
    own = getattr(type(value), "__getstate__", None)
    if own is not getattr(object, "__getstate__", None):
        try:
            state = value.__getstate__()
        except Exception:
            return
        if isinstance(state, dict):
            yield from state.items()
        return
    yield from getattr(value, "__dict__", {}).items()
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                yield name, getattr(value, name)
