"""Telling how far long work is, a few times a second at most."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs

EVERY_SECONDS = 0.2


@attrs.frozen
class Progress:
    """What long work did so far in one of its stages; ``size_bytes`` is what it read or wrote, where that is known."""

    stage: str
    objects: int
    size_bytes: int


Watch = Callable[[Progress], None]


class Meter:
    """Counts the objects of a stage and tells ``watch``, if there is one, now and then and at the end of the ``with`` block."""

    def __init__(self, stage: str, watch: Watch | None) -> None:
        self._stage = stage
        self._watch = watch
        self._told = time.monotonic()
        self.objects = 0
        self.size_bytes = 0

    def __enter__(self) -> Meter:
        return self

    def __exit__(self, *_: object) -> None:
        self._tell()

    def add(self, size_bytes: int = 0, objects: int = 1) -> None:
        """Count."""
        self.objects += objects
        self.size_bytes += size_bytes
        if self._watch is not None and time.monotonic() - self._told >= EVERY_SECONDS:
            self._tell()

    def _tell(self) -> None:
        if self._watch is not None:
            self._told = time.monotonic()
            self._watch(Progress(self._stage, self.objects, self.size_bytes))
