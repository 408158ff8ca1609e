"""The memory of a sweep over a store of many objects, half of them live: ``python sweep_memory.py 5000000``.

The objects' files are made up by the backend, as only a listing of them matters; the sweep and its own files are real.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone

from cas_store import ContentStore, Digest, LocalBackend, Stat

OLD = Stat(1024, datetime(2020, 1, 1, tzinfo=timezone.utc))


class MadeUp(LocalBackend):
    """``count`` objects with evenly spaced digests, and real files for everything else."""

    def __init__(self, root: str, count: int) -> None:
        super().__init__(root, fsync="never")
        self.count = count
        self.deleted = 0

    def digest(self, number: int) -> Digest:
        return Digest("sha256", f"{number * (2**256 // self.count):064x}")

    def stats(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        if prefix != "v1/sha256/":
            yield from super().stats(prefix)
            return
        for number in range(self.count):
            digits = self.digest(number).hex
            yield f"v1/sha256/{digits[:2]}/{digits}", OLD

    def stat(self, name: str) -> Stat:
        return OLD if name.startswith("v1/") else super().stat(name)

    def delete_many(self, names: Iterable[str]) -> None:
        for name in names:
            if name.startswith("v1/"):
                self.deleted += 1
            else:
                self.delete(name)


def live(backend: MadeUp) -> Iterator[Digest]:
    """Every second object, in an order that is not sorted."""
    half = backend.count // 2
    for number in range(half):
        yield backend.digest(2 * (number * 7_368_787 % half))


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(count: int) -> tuple[float, float, float]:
    """MiB of resident memory before and at most, and seconds of CPU."""
    with tempfile.TemporaryDirectory() as root:
        backend = MadeUp(root, count)
        before, began = peak_mib(), time.process_time()
        report = ContentStore(backend).collect_garbage(live(backend), grace=timedelta(0))
        assert report.deleted == backend.deleted == count - count // 2
    return before, peak_mib(), time.process_time() - began


if __name__ == "__main__":
    count = int(sys.argv[1])
    before, most, seconds = measure(count)
    print(
        f"{count} objects, half of them live: {before:.0f} MiB before, {most:.0f} MiB at most, {seconds:.0f} s of CPU"
    )
