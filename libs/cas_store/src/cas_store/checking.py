"""fsck: read and verify every byte of a store; nothing is ever unpickled."""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone

import attrs

from cas_store import condemned as sweep_files
from cas_store.backend import Backend, Stat
from cas_store.digests import PIECE, Digest, digest_at, location
from cas_store.errors import BackendError, DamagedObject, MissingObject, UnsupportedFormat
from cas_store.frames import decode
from cas_store.leases import backend_time
from cas_store.lists import PieceList
from cas_store.parallel import in_order
from cas_store.progress import Meter, Watch
from cas_store.reading import read_list, read_parts
from cas_store.records import RECORD_BYTES, pack, unpack
from cas_store.spilling import Spill
from cas_store.verified import PREFIX as VERIFIED_PREFIX
from cas_store.verified import digest_of_name

QUARANTINE = "quarantine/"
RESCUED_AT_ONCE = 256
PART_BYTES = 8 * 1024 * 1024
_LENGTH = struct.Struct(">I")
_UNKNOWN_LENGTH = 0xFFFFFFFF
"""Of a piece that could not be read."""
_LINK_BYTES = 2 * RECORD_BYTES + _LENGTH.size


@attrs.frozen
class FsckReport:
    """What was found. Mappings are from the digest concerned to what is to be said about it.

    ``damaged``: what was seen. ``missing``: a list that needs the piece. ``unreadable``: why it could not be checked (archived,
    not permitted, of a later version). ``leftovers``: names of what interrupted writers and sweeps left behind, harmless;
    ``removed``: those of them that are gone now. ``quarantined``: where damaged objects lie now. ``unknown``: names that are
    none of this library's. ``broken``: what is wrong with files of the backend's own that hold many names, by their names;
    quarantining moves them aside, and keeps what of them is sound. ``objects`` and ``size_bytes`` count what was read.
    """

    objects: int = 0
    size_bytes: int = 0
    damaged: Mapping[Digest, str] = attrs.field(factory=dict)
    missing: Mapping[Digest, Digest] = attrs.field(factory=dict)
    unreadable: Mapping[Digest, str] = attrs.field(factory=dict)
    leftovers: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    quarantined: Mapping[Digest, str] = attrs.field(factory=dict)
    unknown: tuple[str, ...] = ()
    broken: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def ok(self) -> bool:
        """Whether everything that is there could be read and is what was put."""
        return not (self.damaged or self.missing or self.unreadable or self.broken)


def check(
    backend: Backend,
    *,
    quarantine: bool = False,
    remove_leftovers: timedelta | None = None,
    watch: Watch | None = None,
) -> FsckReport:
    """See `ContentStore.fsck`."""
    broken = dict(backend.damage())
    if quarantine:
        for name in broken:
            _replace(backend, name)
    with Spill(_LINK_BYTES) as links, Spill(_LINK_BYTES) as pieces:
        others = _Others(backend)
        checked = _check_objects(backend, links, pieces, others, watch)
        missing, liars = _compare(links, pieces)
    moved = _quarantine(backend, checked.damaged, liars) if quarantine else {}
    old = _old_enough(backend, others.leftovers, remove_leftovers) if remove_leftovers is not None else []
    for name in old:
        _remove(backend, name)
    return attrs.evolve(
        checked,
        damaged={**checked.damaged, **liars},
        missing={piece: whole for piece, whole in missing.items() if _is_missing(backend, piece, whole)},
        quarantined=moved,
        leftovers=tuple(others.leftovers),
        removed=tuple(old),
        unknown=tuple(others.unknown),
        broken={**broken, **others.broken},
    )


@attrs.frozen
class _Seen:
    digest: Digest
    stored_bytes: int
    size_bytes: int = _UNKNOWN_LENGTH
    is_there: bool = True
    pieces: PieceList | None = None
    damage: str | None = None
    unreadable: str | None = None


def _check_objects(backend: Backend, links: Spill, pieces: Spill, others: _Others, watch: Watch | None) -> FsckReport:
    """Verify every file; note which pieces there are, and which ones lists need, with their lengths."""
    damaged: dict[Digest, str] = {}
    unreadable: dict[Digest, str] = {}
    workers = max(backend.parallel, os.cpu_count() or 1)
    with Meter("checking", watch) as meter:
        for seen in in_order(workers, lambda found: _seen(backend, *found), _objects(backend, others)):
            meter.add(seen.stored_bytes)
            if seen.damage is not None:
                damaged[seen.digest] = seen.damage
            if seen.unreadable is not None:
                unreadable[seen.digest] = seen.unreadable
            if seen.pieces is not None:
                for piece, _, size in seen.pieces.pieces():
                    links.add(pack(piece) + _LENGTH.pack(size) + pack(seen.digest))
            elif seen.digest.algorithm == PIECE and seen.is_there:
                pieces.add(pack(seen.digest) + _LENGTH.pack(seen.size_bytes) + pack(seen.digest))
    return FsckReport(meter.objects, meter.size_bytes, damaged, unreadable=unreadable)


def _objects(backend: Backend, others: _Others) -> Iterator[tuple[Digest, Stat]]:
    """Every object's file, in the order of names: lists come before pieces, so pieces written meanwhile are seen as well."""
    try:
        for name, stat in backend.stats():
            digest = digest_at(name)
            if digest is None:
                others.add(name, stat)
            else:
                yield digest, stat
    except (DamagedObject, UnsupportedFormat) as error:  # of a file that holds many names: the rest cannot be listed
        others.broken[str(error.key if isinstance(error, DamagedObject) else error.what)] = str(error)


def _seen(backend: Backend, digest: Digest, stat: Stat) -> _Seen:
    seen = _Seen(digest, stat.size_bytes)
    try:
        if digest.is_list:
            return attrs.evolve(seen, pieces=read_list(backend, digest))
        return attrs.evolve(seen, size_bytes=sum(map(len, read_parts(backend, digest))))
    except MissingObject:  # deleted since it was listed
        return attrs.evolve(seen, is_there=False)
    except DamagedObject as error:
        return attrs.evolve(seen, damage=error.detail)
    except (BackendError, UnsupportedFormat) as error:
        return attrs.evolve(seen, unreadable=str(error))


def _compare(links: Spill, pieces: Spill) -> tuple[dict[Digest, Digest], dict[Digest, str]]:
    """What lists need and is not there, with one of them; and lists that give a piece another length than it has."""
    missing: dict[Digest, Digest] = {}
    liars: dict[Digest, str] = {}
    there = iter(pieces)
    current = next(there, None)
    for link in links:
        record, size, whole = _unlinked(link)
        while current is not None and current[:RECORD_BYTES] < record:
            current = next(there, None)
        if current is None or current[:RECORD_BYTES] != record:
            missing[unpack(record)] = unpack(whole)
        elif _unlinked(current)[1] not in (size, _UNKNOWN_LENGTH):
            liars[unpack(whole)] = f"it gives {unpack(record)} {size} bytes, which is not what that has"
    return missing, liars


def _unlinked(link: bytes) -> tuple[bytes, int, bytes]:
    """A piece's record, its length, and the record of what says so."""
    (size,) = _LENGTH.unpack_from(link, RECORD_BYTES)
    return link[:RECORD_BYTES], size, link[-RECORD_BYTES:]


def _is_missing(backend: Backend, piece: Digest, whole: Digest) -> bool:
    """Whether it still is so: a sweep may have deleted both meanwhile."""
    return backend.exists(location(whole)) and not backend.exists(location(piece))


def _quarantine(backend: Backend, damaged: Iterable[Digest], liars: Iterable[Digest]) -> dict[Digest, str]:
    """Move aside what is damaged still, and not what a writer mended meanwhile; where each lies now."""
    now = datetime.now(timezone.utc)
    still = (digest for digest in damaged if _seen(backend, digest, Stat(0, now)).damage is not None)
    return {digest: _move_aside(backend, location(digest)) for digest in (*still, *liars)}


def _replace(backend: Backend, name: str) -> None:
    """Move a damaged file aside that held many names, and store anew what of it can be read and is sound."""
    rescued = backend.set_aside(name, QUARANTINE + name)
    while held := list(itertools.islice(rescued, RESCUED_AT_ONCE)):
        backend.create_many([(name, data) for name, data in held if _is_sound(name, data)])
    backend.flush()


def _is_sound(name: str, data: bytes) -> bool:
    digest = digest_at(name)
    try:
        return digest is not None and decode(digest, data) is not None
    except DamagedObject:
        return False


def _move_aside(backend: Backend, name: str) -> str:
    aside = QUARANTINE + name
    size = backend.stat(name).size_bytes
    backend.replace_parts(aside, _raw(backend, name, size), size)
    backend.flush()
    backend.delete(name)
    return aside


def _raw(backend: Backend, name: str, size: int) -> Iterator[bytes]:
    for at in range(0, size, PART_BYTES):
        yield backend.read_range(name, at, PART_BYTES)


class _Others:
    """Names that are no object's, sorted into leftovers and what is not this library's."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.leftovers = dict(backend.leftovers())
        self.unknown: list[str] = []
        self.broken: dict[str, str] = {}
        try:
            self._sweep = sweep_files.current(backend)
        except (DamagedObject, UnsupportedFormat):
            self._sweep = None

    def add(self, name: str, stat: Stat) -> None:
        """Sort in one name."""
        if name.startswith((VERIFIED_PREFIX, sweep_files.PREFIX)):
            if self._is_left_over(name):
                self.leftovers[name] = stat
        elif not name.startswith(QUARANTINE):
            self.unknown.append(name)

    def _is_left_over(self, name: str) -> bool:
        if name.startswith(VERIFIED_PREFIX):
            digest = digest_of_name(name)
            return digest is None or not self._backend.exists(location(digest))
        if self._sweep is None:
            return True
        return name.startswith(sweep_files.LISTS) and not name.startswith(sweep_files.parts_prefix(self._sweep.id))


def _old_enough(backend: Backend, leftovers: Mapping[str, Stat], age: timedelta) -> list[str]:
    if not leftovers:
        return []
    limit = backend_time(backend) - age
    return [name for name, stat in leftovers.items() if stat.modified <= limit]


def _remove(backend: Backend, name: str) -> None:
    if name.startswith((VERIFIED_PREFIX, sweep_files.PREFIX)):
        backend.delete(name)
    else:
        backend.remove_leftover(name)
