"""What a store holds, and what keeping everything once saves."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from cas_store.backend import Backend, Stat
from cas_store.digests import FILE, LISTS, PIECE, location
from cas_store.frames import MAX_HEADER_BYTES, plain_size
from cas_store.lists import PieceList
from cas_store.marking import listing
from cas_store.parallel import in_order
from cas_store.progress import Meter, Watch
from cas_store.reading import read_list
from cas_store.records import RECORD_BYTES, pack_piece, unpack
from cas_store.spilling import Spill, ascending

SMALLEST_FRAME_BYTES = 9
"""Of a zstd frame: shorter files hold their pieces as they are."""


@attrs.frozen
class Usage:
    """``objects`` of ``logical_bytes`` together are kept in ``stored_bytes`` of files (file system blocks are not counted).

    An object is what was put: a list with its pieces, a plain file, or a piece that is no part of a list. What was put several
    times counts once, as nobody counts puts: sharing that shows here is sharing between different objects.
    """

    objects: int
    logical_bytes: int
    stored_bytes: int

    @property
    def ratio(self) -> float:
        """Logical bytes a stored byte: what compression and shared pieces save."""
        return self.logical_bytes / self.stored_bytes if self.stored_bytes else 1.0


def measure(backend: Backend, watch: Watch | None = None) -> Usage:
    """See `ContentStore.usage`."""
    usage = Usage(0, 0, 0)
    with Spill(RECORD_BYTES) as parts, Meter("counting", watch) as meter:
        for size, stored in _sizes(backend, parts):
            meter.add(stored)
            counts = size is not None
            usage = Usage(usage.objects + counts, usage.logical_bytes + (size or 0), usage.stored_bytes + stored)
    return usage


def _sizes(backend: Backend, parts: Spill) -> Iterator[tuple[int | None, int]]:
    """For each file: the length of the object that it stands for, None where it is a part of another's; its own length."""

    def of_list(found: tuple[bytes, Stat]) -> tuple[PieceList, int]:
        return read_list(backend, unpack(found[0])), found[1].size_bytes

    for pieces, stored in in_order(backend.parallel, of_list, listing(backend, LISTS)):
        for raw in pieces.hashes:
            parts.add(pack_piece(raw))
        yield pieces.size, stored
    for _, stat in listing(backend, (FILE,)):
        yield stat.size_bytes, stat.size_bytes
    is_part = ascending(parts)
    marked = ((record, stat, is_part(record)) for record, stat in listing(backend, (PIECE,)))
    yield from in_order(backend.parallel, lambda found: _of_piece(backend, *found), marked)


def _of_piece(backend: Backend, record: bytes, stat: Stat, is_part: bool) -> tuple[int | None, int]:
    if is_part or stat.size_bytes < SMALLEST_FRAME_BYTES:
        return None if is_part else stat.size_bytes, stat.size_bytes
    digest = unpack(record)
    start = backend.read_range(location(digest), 0, MAX_HEADER_BYTES)
    return plain_size(digest, start, stat.size_bytes), stat.size_bytes
