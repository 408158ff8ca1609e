"""The files of a sweep that writers read: what is condemned, and what is being deleted now. FORMAT.md, "Sweep files"."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

import attrs

from cas_store.backend import Backend
from cas_store.errors import DamagedObject, MissingObject, UnsupportedFormat
from cas_store.records import RECORD_BYTES

VERSION = 1
PREFIX = "sweep/v1/"
HEADER = PREFIX + "condemned"
BATCH = PREFIX + "batch"
LISTS = PREFIX + "list-"
PART_RECORDS = 4096
"""Records in a part: a writer that has to know about one digest reads one part of 132 KiB."""
_SEAL_BYTES = hashlib.sha256().digest_size


@attrs.frozen
class Condemned:
    """The list of a sweep: what was not live and was last written at or before ``before``, by the backend's clock.

    Its records lie sorted in parts; ``parts`` has the first record of each. ``due`` is when deleting may begin.
    """

    id: str
    before: datetime
    grace: timedelta
    due: datetime
    objects: int
    size_bytes: int
    parts: tuple[bytes, ...]

    def part_of(self, record: bytes) -> int | None:
        """The number of the only part that can hold the record."""
        return bisect_right(self.parts, record) - 1 if self.parts and record >= self.parts[0] else None


def part_holds(part: bytes, record: bytes) -> bool:
    """Whether a record is in a part."""

    def at(index: int) -> bytes:
        return part[index * RECORD_BYTES : (index + 1) * RECORD_BYTES]

    return at(bisect_left(range(len(part) // RECORD_BYTES), record, key=at)) == record


def publish(
    backend: Backend, found: Iterable[tuple[bytes, int]], before: datetime, grace: timedelta
) -> Condemned | None:
    """Make a list of sorted records and sizes known to writers, whole: its parts first, then the header that names them."""
    identity = os.urandom(8).hex()
    objects = size_bytes = 0
    parts: list[bytes] = []
    rest = iter(found)
    while block := list(itertools.islice(rest, PART_RECORDS)):
        _write(backend, _part_name(identity, len(parts)), b"".join(record for record, _ in block))
        parts.append(block[0][0])
        objects += len(block)
        size_bytes += sum(size for _, size in block)
    if not parts:
        return None
    header = {
        "v": VERSION,
        "id": identity,
        "before": before.isoformat(),
        "grace_seconds": grace.total_seconds(),
        "objects": objects,
        "bytes": size_bytes,
        "parts": [first.hex() for first in parts],
    }
    backend.flush()
    _write(backend, HEADER, json.dumps(header).encode())
    backend.flush()
    return current(backend)


def current(backend: Backend) -> Condemned | None:
    """The list that is in force, if any; raises `DamagedObject`, or `UnsupportedFormat` for one of a later version."""
    try:
        header = _read(backend, HEADER)
        announced = backend.stat(HEADER).modified
    except MissingObject:
        return None
    try:
        return _parsed(json.loads(header), announced)
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedObject(HEADER, "it is no list of condemned objects; the next sweep replaces it") from error


def _parsed(header: Any, announced: datetime) -> Condemned:
    if header["v"] != VERSION:
        raise UnsupportedFormat(HEADER, header["v"])
    grace = timedelta(seconds=header["grace_seconds"])
    return Condemned(
        id=header["id"],
        before=datetime.fromisoformat(header["before"]),
        grace=grace,
        due=announced + grace,
        objects=header["objects"],
        size_bytes=header["bytes"],
        parts=tuple(bytes.fromhex(first) for first in header["parts"]),
    )


def read_part(backend: Backend, condemned: Condemned, number: int) -> bytes:
    """The records of a part; raises `MissingObject` where the sweep has ended since."""
    return _read(backend, _part_name(condemned.id, number))


def records(backend: Backend, condemned: Condemned, start: bytes = b"") -> Iterator[bytes]:
    """The records of a list from ``start`` on, sorted; one part is held at a time."""
    for number in range(condemned.part_of(start) or 0, len(condemned.parts)):
        part = read_part(backend, condemned, number)
        for at in range(0, len(part), RECORD_BYTES):
            if (record := part[at : at + RECORD_BYTES]) >= start:
                yield record


@attrs.frozen
class Batch:
    """What a sweep deletes at this moment. ``token`` is another one each time that a batch is announced."""

    token: bytes
    sweep: str
    records: bytes

    def holds(self, record: bytes) -> bool:
        """Whether the record may be deleted at any moment."""
        return part_holds(self.records, record)


_TOKEN_BYTES = 8


def announce_batch(backend: Backend, condemned: Condemned, records: Iterable[bytes]) -> None:
    """From now on these may be deleted, and those of the batch before are not any more."""
    _write(backend, BATCH, os.urandom(_TOKEN_BYTES) + bytes.fromhex(condemned.id) + b"".join(records))


def current_batch(backend: Backend) -> Batch | None:
    """What is being deleted now, if anything."""
    try:
        data = _read(backend, BATCH)
    except MissingObject:
        return None
    return Batch(data[:_TOKEN_BYTES], data[_TOKEN_BYTES : 2 * _TOKEN_BYTES].hex(), data[2 * _TOKEN_BYTES :])


def discard(backend: Backend) -> None:
    """End a sweep: nothing is condemned any more. The header goes first, so that no reader of it finds parts missing for long."""
    backend.delete(HEADER)
    backend.delete(BATCH)
    backend.delete_many(list(backend.names(LISTS)))


def parts_prefix(identity: str) -> str:
    """What the names of a list's parts begin with."""
    return f"{LISTS}{identity}/"


def _part_name(identity: str, number: int) -> str:
    return f"{parts_prefix(identity)}{number:06d}"


def _write(backend: Backend, name: str, data: bytes) -> None:
    backend.replace(name, data + hashlib.sha256(data).digest())


def _read(backend: Backend, name: str) -> bytes:
    sealed = backend.read(name)
    data, seal = sealed[:-_SEAL_BYTES], sealed[-_SEAL_BYTES:]
    if hashlib.sha256(data).digest() != seal:
        raise DamagedObject(name, "its checksum is another one; the next sweep replaces it")
    return data
