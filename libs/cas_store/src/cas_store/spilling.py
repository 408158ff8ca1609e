"""Sorting more records than fit in memory: runs are sorted in memory, kept in temporary files, and merged."""

from __future__ import annotations

import heapq
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import IO

HELD_RECORDS = 250_000
"""Records in memory before they become a run: some 25 MB at 33 bytes each."""
MAX_RUNS = 64
"""Runs before they are merged into one, which bounds open files and read buffers."""
BLOCK_RECORDS = 1024


class Spill:
    """A set of equally long byte records, on disk but for a bounded part; for one thread. Its ``with`` block ends its life.

    Iterating gives the records added so far, sorted, each once; it may be done any number of times, and more be added after.
    """

    def __init__(self, record_bytes: int, held_records: int = HELD_RECORDS) -> None:
        self._record_bytes = record_bytes
        self._held_records = held_records
        self._held: list[bytes] = []
        self._runs: list[IO[bytes]] = []

    def __enter__(self) -> Spill:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def add(self, record: bytes) -> None:
        """Add one record."""
        self._held.append(record)
        if len(self._held) >= self._held_records:
            self._flush()

    def __iter__(self) -> Iterator[bytes]:
        self._flush()
        return self._merged()

    def close(self) -> None:
        """Give the disk space back."""
        self._held.clear()
        self._drop_runs()

    def _flush(self) -> None:
        if not self._held:
            return
        self._held.sort()
        self._runs.append(self._written(self._held))
        self._held = []
        if len(self._runs) >= MAX_RUNS:
            merged = self._written(self._merged())
            self._drop_runs()
            self._runs.append(merged)

    def _written(self, records: Iterable[bytes]) -> IO[bytes]:
        import tempfile

        run: IO[bytes] = tempfile.TemporaryFile(prefix="cas_store-")  # noqa: SIM115 (lives as long as the spill)
        rest = iter(records)
        while block := b"".join(itertools.islice(rest, BLOCK_RECORDS)):
            run.write(block)
        run.flush()
        return run

    def _merged(self) -> Iterator[bytes]:
        last = None
        for record in heapq.merge(*map(self._read, self._runs)):
            if record != last:
                yield record
                last = record

    def _read(self, run: IO[bytes]) -> Iterator[bytes]:
        length, at = self._record_bytes, 0
        while block := os.pread(run.fileno(), length * BLOCK_RECORDS, at):
            at += len(block)
            for start in range(0, len(block), length):
                yield block[start : start + length]

    def _drop_runs(self) -> None:
        for run in self._runs:
            run.close()
        self._runs = []


def ascending(records: Iterable[bytes]) -> Callable[[bytes], bool]:
    """A test whether a record is among sorted ones, which has to be asked in ascending order: it reads them once."""
    rest = iter(records)
    current = next(rest, None)

    def among(record: bytes) -> bool:
        nonlocal current
        while current is not None and current < record:
            current = next(rest, None)
        return current == record

    return among
