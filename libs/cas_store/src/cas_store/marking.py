"""Marking: what has to stay, and what does not, in memory that does not grow with the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from cas_store.backend import Backend, Stat
from cas_store.digests import LISTS, VERSION_PREFIX, Digest, digest_at
from cas_store.errors import (
    ArchivedObject,
    CasStoreError,
    DamagedObject,
    MissingObject,
    SweepRefused,
    UnsupportedFormat,
)
from cas_store.parallel import in_order
from cas_store.reading import read_list
from cas_store.records import BY_NAME, RECORD_BYTES, pack, pack_piece, unpack
from cas_store.references import Reference, digests_of
from cas_store.spilling import Spill, ascending

Tick = Callable[[], None]
LATER_VERSIONS = "v2/"
"""A store that any later version of the format was used in has a name below this (FORMAT.md, "Versions")."""


def protect(
    backend: Backend, live: Iterable[Digest | Reference | str], before: datetime, protected: Spill, tick: Tick
) -> None:
    """Add to ``protected`` what has to stay: the live digests, and all pieces of lists that are live or younger than ``before``.

    So every list that a sweep leaves alone keeps its pieces. Raises `SweepRefused` where it cannot know all of them.
    """
    with Spill(RECORD_BYTES) as roots:
        try:
            for digest in digests_of(live):
                tick()
                roots.add(pack(digest))
        except CasStoreError as error:
            raise SweepRefused(f"what is live cannot be told: {error}. Nothing was deleted") from error
        for record in roots:
            protected.add(record)
        needed = _lists_to_read(backend, roots, before)
        for hashes in in_order(backend.parallel, lambda digest: _pieces(backend, digest), needed):
            tick()
            for raw in hashes:
                protected.add(pack_piece(raw))


def listing(backend: Backend, algorithms: Iterable[str] = BY_NAME) -> Iterator[tuple[bytes, Stat]]:
    """The record and stat of every file that is a digest's, sorted.

    One algorithm at a time, as some servers that speak S3's protocol list directory by directory. Raises `SweepRefused` where a
    backend does not list in order: what is live could be taken for garbage.
    """
    last = b""
    for algorithm in algorithms:
        for name, stat in backend.stats(f"{VERSION_PREFIX}{algorithm}/"):
            digest = digest_at(name)
            if digest is not None:
                record = pack(digest)
                if record <= last:
                    raise SweepRefused(
                        f"{backend!r} does not list names in order: {name} comes late. Nothing was deleted"
                    )
                last = record
                yield record, stat


def unprotected(backend: Backend, protected: Spill, before: datetime, tick: Tick) -> Iterator[tuple[bytes, int]]:
    """The record and size of what nothing protects and what was last written at or before ``before``, sorted."""
    stays = ascending(protected)
    for record, stat in listing(backend):
        tick()
        if not stays(record) and stat.modified <= before:
            yield record, stat.size_bytes


def refuse_later_versions(backend: Backend) -> None:
    """Raise `SweepRefused` where a later release keeps something that may need what this one would delete."""
    for name in backend.names(LATER_VERSIONS):
        refusal = f"{name} was written by a later stepwell-cas-store: upgrade, then sweep. Nothing was deleted"
        raise SweepRefused(refusal) from UnsupportedFormat(name, LATER_VERSIONS.rstrip("/"))


def _lists_to_read(backend: Backend, roots: Spill, before: datetime) -> Iterator[Digest]:
    for record in roots:
        if (digest := unpack(record)).is_list:
            yield digest
    is_live = ascending(roots)
    for record, stat in listing(backend, LISTS):
        if not is_live(record) and stat.modified > before:
            yield unpack(record)


def _pieces(backend: Backend, digest: Digest) -> tuple[bytes, ...]:
    try:
        return read_list(backend, digest).hashes
    except (MissingObject, DamagedObject, UnsupportedFormat, ArchivedObject) as error:
        raise SweepRefused(
            f"{digest} cannot be read, so the pieces that it needs are not known: {error}. Nothing was deleted: "
            "restore it, or quarantine it with fsck and drop what refers to it"
        ) from error
