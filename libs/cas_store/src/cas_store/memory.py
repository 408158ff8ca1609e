"""A backend in this process's memory: for tests, and for values that need not outlive it."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime, timezone

from cas_store.backend import Backend, Bytes, Stat, check_name
from cas_store.errors import MissingObject


class MemoryBackend(Backend):
    """Named bytes in a dictionary. Safe to use from several threads."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[bytes, datetime]] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"MemoryBackend({len(self._kept)} names)"

    def create(self, name: str, data: Bytes) -> bool:
        """Store if the name is free."""
        entry = bytes(data), datetime.now(timezone.utc)
        with self._lock:
            return self._kept.setdefault(check_name(name), entry) is entry

    def replace(self, name: str, data: Bytes) -> None:
        """Store, whatever was there."""
        with self._lock:
            self._kept[check_name(name)] = bytes(data), datetime.now(timezone.utc)

    def read(self, name: str) -> bytes:
        """All bytes."""
        return self._entry(name)[0]

    def read_range(self, name: str, offset: int, size: int) -> bytes:
        """Some of the bytes."""
        return self._entry(name)[0][offset : offset + size]

    def exists(self, name: str) -> bool:
        """Whether the name is taken."""
        return check_name(name) in self._kept

    def stat(self, name: str) -> Stat:
        """Size and time."""
        data, modified = self._entry(name)
        return Stat(len(data), modified)

    def delete(self, name: str) -> None:
        """Remove, if there."""
        with self._lock:
            self._kept.pop(check_name(name), None)

    def names(self, prefix: str = "") -> Iterator[str]:
        """Sorted names, as they are now."""
        with self._lock:
            names = sorted(self._kept)
        for name in names[bisect_left(names, prefix) :]:
            if not name.startswith(prefix):
                return
            yield name

    def _entry(self, name: str) -> tuple[bytes, datetime]:
        try:
            return self._kept[check_name(name)]
        except KeyError:
            raise MissingObject(name) from None
