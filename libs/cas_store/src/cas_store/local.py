"""A backend on a local directory, or on a mounted one: files, and small pieces that came many at a time in one file."""

from __future__ import annotations

import contextlib
import heapq
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Literal

from cas_store.backend import Bytes, Stat
from cas_store.errors import AccessDenied, MissingObject
from cas_store.files import FileBackend, FsyncPolicy
from cas_store.os_errors import mapped_errors
from cas_store.small_objects import FEWEST, NAME, SMALL_BYTES, Row, SmallObjects, rows_of


class LocalBackend(FileBackend):
    """Named bytes as files below ``root``. Constructing one touches no disk; directories are made when needed.

    ``fsync`` says what survives a *power cut* (a killed process never loses or tears anything that was acknowledged, under any
    policy):

    - ``always``: whatever was acknowledged.
    - ``batch``: whatever was acknowledged before a ``flush`` that returned. The store flushes at the end of each ``put_many``,
      and of each ``put`` or ``save`` of several pieces. A single small write is not waited for: the kernel brings it to disk
      within about half a minute. A torn file can only be one that was not flushed; it is noticed when read,
      and mended when stored again.
    - ``never``: what the kernel had written back.

    ``mode`` sets the permission bits of files whatever the umask is, and of new directories with search for whom may read.

    Small pieces that are new and come many at a time are kept together in one SQLite file, where the file system is one of this
    machine. A name can be in both places, when two writers met: the file is read, the later time counts, both are deleted.
    """

    small_bytes = SMALL_BYTES

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        fsync: FsyncPolicy = "batch",
        mode: int | None = None,
        way: Literal["unnamed", "linked", "renamed"] | None = None,
    ) -> None:
        super().__init__(root, fsync=fsync, mode=mode, way=way)
        self._small = SmallObjects(self.root, fsync, mode)

    def create(self, name: str, data: Bytes) -> bool:
        """Store if the name is free."""
        return not self._small.stat(name) and super().create(name, data)

    def create_parts(self, name: str, parts: Iterable[Bytes], size: int) -> bool:
        """As ``create``, holding one part at a time."""
        return not self._small.stat(name) and super().create_parts(name, parts, size)

    def create_many(self, items: Sequence[tuple[str, Bytes]]) -> list[str]:
        """As ``create`` for each; pieces that are new share one file, unless they are few."""
        there = [name for name, _ in items if os.path.lexists(self._path(name))]
        known = set(there)
        new = [item for item in items if item[0] not in known]
        if len(new) >= FEWEST and (rows := rows_of(new)):
            with contextlib.suppress(AccessDenied):  # where all are there; or that file is another user's alone
                if self._has_unnamed():
                    return there + self._insert(rows)
        return there + super().create_many(new)

    def replace(self, name: str, data: Bytes) -> None:
        """Store, whatever was there: a row where it is one, else a temporary file renamed."""
        is_row = self._small.stat(name) and not os.path.lexists(self._path(name)) and self._has_unnamed()
        if is_row and self._small.update(name, data):
            self._written()
        else:
            super().replace(name, data)

    def read(self, name: str) -> bytes:
        """All bytes."""
        try:
            return super().read(name)
        except MissingObject:
            return self._row(name)

    def read_range(self, name: str, offset: int, size: int) -> bytes:
        """Some of the bytes."""
        try:
            return super().read_range(name, offset, size)
        except MissingObject:
            return self._row(name, offset, size)

    def stat(self, name: str) -> Stat:
        """Size, and time of the last write."""
        row = self._small.stat(name)
        try:
            return _later(super().stat(name), row)
        except MissingObject:
            if row is None:
                raise
            return row

    def delete(self, name: str) -> None:
        """Remove the file and the row; directories stay."""
        super().delete(name)
        self._small.delete([name])

    def delete_many(self, names: Iterable[str]) -> None:
        """As ``delete`` for each, the rows in one transaction."""
        names = list(names)
        for name in names:
            super().delete(name)
        self._small.delete(names)

    def names(self, prefix: str = "") -> Iterator[str]:
        """Sorted names; holds one directory's entries at each level."""
        last = None
        for name in heapq.merge(self._file_names(prefix), (name for name, _ in self._small.stats(prefix))):
            if name != last:
                yield name
            last = name

    def stats(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        """As ``names``, with the stat of each."""
        held: tuple[str, Stat] | None = None
        for name, stat in heapq.merge(self._file_stats(prefix), self._small.stats(prefix), key=itemgetter(0)):
            if held is not None and held[0] == name:
                held = name, _later(held[1], stat)
                continue
            if held is not None:
                yield held
            held = name, stat
        if held is not None:
            yield held

    def damage(self) -> Mapping[str, str]:
        """What SQLite says of its file, if it says anything."""
        found = self._small.damage()
        return {} if found is None else {NAME: found}

    def set_aside(self, name: str, aside: str) -> Iterator[tuple[str, bytes]]:
        """Move that file; what can be read of it."""
        path = self._path(aside)
        with mapped_errors(aside):
            os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        yield from self._small.set_aside(path)

    def open_file(self, name: str) -> int | None:
        """A descriptor of the file; None for a row."""
        try:
            return super().open_file(name)
        except MissingObject:
            if self._small.stat(name) is None:
                raise
            return None

    def _file_names(self, prefix: str) -> Iterator[str]:
        return (name for name in super().names(prefix) if not name.startswith(NAME))

    def _file_stats(self, prefix: str) -> Iterator[tuple[str, Stat]]:
        for name in self._file_names(prefix):
            with contextlib.suppress(MissingObject):
                yield name, super().stat(name)

    def _insert(self, rows: Sequence[Row]) -> list[str]:
        there = self._small.insert(rows)
        self._named(self._small.path)
        return there

    def _row(self, name: str, offset: int = 0, size: int = -1) -> bytes:
        data = self._small.read(name, offset, size)
        if data is None:
            raise MissingObject(name)
        return data


def _later(file: Stat, row: Stat | None) -> Stat:
    """Of what is in both places: the file's size, the later time."""
    return Stat(file.size_bytes, max(file.modified, row.modified)) if row else file
