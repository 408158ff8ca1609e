"""A stream of 4 GiB goes into the content store and out again: time, and growth of memory (goal: below 200 MB)."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
from cas_store import ContentStore, LocalBackend
from harness import heading
from store_worker import MIB, peak

BLOCKS = 512  # of 8 MiB


def blocks() -> Iterator[bytes]:
    """Random bytes, no two blocks alike."""
    block = np.random.default_rng(0).integers(0, 1 << 63, size=MIB, dtype=np.uint64)
    for number in range(BLOCKS):
        yield (block * np.uint64(2 * number + 1)).tobytes()


class Stream(io.RawIOBase):
    """The blocks, to be read."""

    def __init__(self) -> None:
        self._blocks = blocks()
        self._held = memoryview(b"")

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, space: Any) -> int:
        """Some of the bytes."""
        if not self._held:
            self._held = memoryview(next(self._blocks, b""))
        count = min(len(space), len(self._held))
        space[:count], self._held = self._held[:count], self._held[count:]
        return count


def main() -> None:
    """Print all."""
    heading("4 GiB in and out")
    expected = hashlib.sha256()
    for block in blocks():
        expected.update(block)
    with tempfile.TemporaryDirectory(prefix="bench-stream-") as directory:
        store = ContentStore(LocalBackend(directory))
        digest, took_in = peak(lambda: store.put(Stream()))
        found = hashlib.sha256()
        _, took_out = peak(lambda: [found.update(part) for part in store.parts(digest)] and None)
    assert found.digest() == expected.digest()
    for what, took in (("in", took_in), ("out", took_out)):
        print(f"{what:4} {took['wall']:7.1f} s wall {took['cpu']:7.1f} s cpu   growth {took['growth']:6.1f} MiB")


if __name__ == "__main__":
    main()
