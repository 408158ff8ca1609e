"""Values that any Python version writes and any other reads; run as a program, saves them: ``python python_versions.py ROOT``."""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import json
import pathlib
import sys
import uuid
from typing import Any


def values() -> dict[str, Any]:
    """Of the kinds that users keep, each small."""
    return {
        "scalars": [None, True, -1, 2**80, 1.5, float("inf"), 1j, "täxt \N{SNOWMAN}", b"bytes"],
        "containers": {
            "list": [1, [2]],
            "tuple": (1, (2,)),
            "set": {1, 2},
            "frozen": frozenset({"a"}),
            "dict": {1: {2: 3}},
        },
        "times": [
            datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc),
            datetime.date(2026, 1, 2),
            datetime.timedelta(days=1, seconds=2),
        ],
        "numbers": [decimal.Decimal("1.10"), fractions.Fraction(1, 3), range(3, 9, 2), slice(1, 2)],
        "collections": [collections.OrderedDict(a=1), collections.defaultdict(list, a=[1]), collections.Counter("aab")],
        "others": [pathlib.PurePosixPath("a/b"), uuid.UUID(int=7), ValueError("what", 1), ...],
        "a long text": "some text " * 1000,
        "bytes of some length": b"\0\1\2\3" * 10_000,
        "a bytearray": bytearray(b"0123456789" * 5000),
        "a buffer inside": [bytearray(bytes(range(256)) * 100), "beside"],
        "a large one": [bytearray(b"page" * 1_000_000)],
    }


def same(left: Any, right: Any) -> bool:
    """Equal, and of equal types, exceptions included."""
    return repr(left) == repr(right) and (len(repr(left)) > 200 or type(left) is type(right))


def main(root: str) -> None:
    """Save the values; print their references."""
    from cas_store import ContentStore, LocalBackend, ObjectStore

    objects = ObjectStore(ContentStore(LocalBackend(root)))
    print(json.dumps({name: objects.save(value).to_json() for name, value in values().items()}, indent=1))


if __name__ == "__main__":
    main(sys.argv[1])
