"""Moving objects between stores: as they are stored, verified on the way, and only what is missing."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import attrs

from cas_store.digests import FILE, Digest
from cas_store.errors import MissingObject
from cas_store.marking import listing
from cas_store.parallel import in_order
from cas_store.progress import Meter, Watch
from cas_store.reading import file_size, read_list, read_parts, read_stored
from cas_store.records import unpack
from cas_store.references import Reference, digests_of
from cas_store.spilling import ascending
from cas_store.store import ContentStore, store_given


@attrs.frozen
class CopyReport:
    """How many files (objects, lists, pieces) were moved, and their bytes as stored; how many were there already."""

    copied: int
    copied_bytes: int
    present: int

    def counting(self, size: int | None) -> CopyReport:
        """With one file more: its bytes if it was moved, None if it was there."""
        if size is None:
            return attrs.evolve(self, present=self.present + 1)
        return attrs.evolve(self, copied=self.copied + 1, copied_bytes=self.copied_bytes + size)


def copy(
    source: ContentStore,
    target: ContentStore,
    digests: Iterable[Digest | Reference | str],
    *,
    progress: Watch | None = None,
) -> CopyReport:
    """Copy objects, lists with their pieces; what the target has is not read. Raises `MissingObject` and `DamagedObject`.

    Each object is whole in the target before the next one's list: stopping at any point leaves nothing unsound, and going on
    later moves only the rest.
    """
    store_given(source), store_given(target)
    report = CopyReport(0, 0, 0)
    with Meter("copying", progress) as meter:
        for size in _copied(source, target, digests_of(digests)):
            meter.add(size or 0)
            report = report.counting(size)
    target.backend.flush()
    return report


def sync(source: ContentStore, target: ContentStore, *, progress: Watch | None = None) -> CopyReport:
    """Copy all that the source has and the target lacks, found by listing both once. Nothing is deleted."""
    has = ascending(record for record, _ in listing(store_given(target).backend))
    missing = (unpack(record) for record, _ in listing(store_given(source).backend) if not has(record))
    return copy(source, target, missing, progress=progress)


def _copied(source: ContentStore, target: ContentStore, digests: Iterable[Digest]) -> Iterator[int | None]:
    """For each file its size if it was moved, None if it was there; lists come after all their pieces."""
    workers = max(source.backend.parallel, target.backend.parallel)

    def move(digest: Digest) -> int | None:
        return None if _is_there(target, digest) else _moved(source, target, digest)

    for are_lists, group in itertools.groupby(digests, lambda digest: digest.is_list):
        if not are_lists:
            yield from in_order(workers, move, group)
            continue
        for whole in group:
            if _is_there(target, whole):
                yield None
                continue
            yield from in_order(workers, move, dict.fromkeys(read_list(source.backend, whole).digests()))
            yield _moved(source, target, whole)


def _is_there(target: ContentStore, digest: Digest) -> bool:
    try:
        target.confirm([digest])
    except MissingObject:
        return False
    return digest in target


def _moved(source: ContentStore, target: ContentStore, digest: Digest) -> int:
    """Move one file; how many bytes it has."""
    if digest.algorithm == FILE:
        size = file_size(source.backend, digest)
        target.writer.file(digest, lambda: read_parts(source.backend, digest), size)
        return size
    stored = read_stored(source.backend, digest)
    target.writer.adopt(digest, stored)
    return len(stored)
