"""Small pieces that came many at a time: rows of one SQLite file in a local store.

A file for each costs more than all else that a store does with a kilobyte. FORMAT.md, "Small pieces", is the specification,
DESIGN.md, "Small pieces in one file", has the figures.
"""

# A path object costs more than a small read.
# ruff: noqa: PTH101, PTH103, PTH105, PTH116, PTH120

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from cas_store.backend import SMALL_PIECES, Bytes, Stat
from cas_store.errors import (
    AccessDenied,
    BackendError,
    BackendUnavailable,
    CasStoreError,
    DamagedObject,
    StoreFull,
    UnsupportedFormat,
)
from cas_store.os_errors import mapped_errors

if TYPE_CHECKING:
    from sqlite3 import Connection

R = TypeVar("R")

NAME = SMALL_PIECES
"""Where it lies in a store. Older releases see a name of a later version, and do not collect beside it."""
SMALL_BYTES = 32 * 1024
"""Longer pieces are files: the longer, the less is gained, and files can be mapped."""
FEWEST = 32
"""Fewer new pieces at a time are files: a transaction costs as much as a few of them, and waits for other writers' ones."""

VERSION = 1
_PIECES = "v1/sha256/"
_PIECE = re.compile(r"v1/sha256/([0-9a-f]{2})/(\1[0-9a-f]{62})\Z")
_PAGE_BYTES = 8192
_CACHE_KIB = 16 * 1024
_BUSY_SECONDS = 60.0
_LISTED = 1000
_SYNCHRONOUS = {"always": "extra", "batch": "full", "never": "normal"}
"""Never off: a power cut could then take rows that were written long ago along."""
_LAYOUT = "create table piece (sha256 blob primary key, modified integer not null, data blob not null)"


Row = tuple[str, bytes, Bytes]
"""A piece's name, the key that this is, and what is kept."""


class SmallObjects:
    """The rows of one store. Names are those of pieces; every method treats a file that is not there as one without rows.

    Safe to share between threads. Its connection is closed before a fork, as SQLite's locks do not cross one.
    """

    def __init__(self, root: str, fsync: str, mode: int | None) -> None:
        self._made_of = (root, fsync, mode)
        self.path = f"{root}/{NAME}"
        self._synchronous = _SYNCHRONOUS[fsync]
        self._mode = mode
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._identity = (0, 0)
        self._has_rows = False
        with _all_lock:
            _all.add(self)

    def __reduce__(self) -> tuple[Any, ...]:
        """For other processes: nothing that is open."""
        return type(self), self._made_of

    def insert(self, rows: Sequence[Row]) -> list[str]:
        """Add all that are not there, in one transaction; the names of those that are. The file is made when needed."""

        def add(connection: Connection) -> list[str]:
            statement, now = "insert into piece values (?, ?, ?) on conflict do nothing", _now()
            return [name for name, key, data in rows if not connection.execute(statement, (key, now, data)).rowcount]

        return self._change(add, make=True) or []

    def update(self, name: str, data: Bytes) -> bool:
        """Write a row that is there anew; whether it is."""
        statement = "update piece set modified = ?, data = ? where sha256 = ?"
        values = _now(), data, key_of(name)
        return bool(self._change(lambda connection: connection.execute(statement, values).rowcount))

    def delete(self, names: Sequence[str]) -> None:
        """Remove them, as far as they are there, in one transaction."""
        keys = [(key,) for key in map(key_of, names) if key]
        if keys:
            self._change(lambda connection: connection.executemany("delete from piece where sha256 = ?", keys))

    def read(self, name: str, offset: int = 0, size: int = -1) -> bytes | None:
        """The bytes of a row from ``offset`` on, at most ``size`` if given; None if it is not there."""
        row = self._one("select data from piece where sha256 = ?", name)
        if row is None:
            return None
        if not isinstance(row[0], bytes):
            raise DamagedObject(NAME, f"the row of {name} holds no bytes")
        return row[0][offset : None if size < 0 else offset + size]

    def stat(self, name: str) -> Stat | None:
        """Size and time of a row; None if it is not there."""
        row = self._one("select length(data), modified from piece where sha256 = ?", name)
        return None if row is None else _stat(*row)

    def stats(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        """The names that start with ``prefix``, sorted, and the stat of each."""
        bounds = _bounds(prefix)
        statement = (
            "select sha256, length(data), modified from piece where sha256 between ? and ? order by sha256 limit ?"
        )
        while bounds is not None:
            rows = self._all(statement, *bounds, _LISTED)
            for key, size, modified in rows:
                name = _name_of(key)
                if name.startswith(prefix):
                    yield name, _stat(size, modified)
            bounds = (rows[-1][0] + b"\0", bounds[1]) if len(rows) == _LISTED else None

    def damage(self) -> str | None:
        """What is wrong with the file, if anything; reads all of it from the disk. One of a later release is not damaged."""
        self.close()
        try:
            found = self._run(lambda connection: connection.execute("pragma integrity_check(1)").fetchone()[0])
        except DamagedObject as error:
            return error.detail
        except UnsupportedFormat:
            return None
        return None if found in (None, "ok") else str(found)

    def set_aside(self, path: str) -> Iterator[tuple[str, bytes]]:
        """Move the file; the names that it held and their bytes, as far as they can be read from either end."""
        with self._lock, contextlib.suppress(FileNotFoundError):
            self.close()
            with contextlib.suppress(FileNotFoundError):  # it would be taken for that of the next file
                os.replace(f"{self.path}-journal", f"{path}-journal")
            os.replace(self.path, path)
        yield from _salvaged(path)

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        with self._lock:
            connection, self._connection, self._has_rows = self._connection, None, False
            if connection is not None:
                connection.close()

    def _one(self, statement: str, name: str) -> tuple[object, ...] | None:
        key = key_of(name)
        rows = self._all(statement, key) if key else ()
        return rows[0] if rows else None

    def _all(self, statement: str, *values: object) -> Sequence[tuple[Any, ...]]:
        return self._run(lambda connection: connection.execute(statement, values).fetchall()) or ()

    def _change(self, act: Callable[[Connection], R], make: bool = False) -> R | None:
        """In one transaction, all or nothing."""

        def change(connection: Connection) -> R:
            connection.execute("begin immediate")
            result = act(connection)
            connection.execute("commit")
            return result

        return self._run(change, make)

    def _run(self, act: Callable[[Connection], R], make: bool = False) -> R | None:
        """What ``act`` gives; None if there is no file. Whatever goes wrong closes the connection, which rolls back."""
        if not (make or self._connection or _is_file(self.path)):
            return None
        import sqlite3

        with self._lock, mapped_errors(NAME):
            try:
                connection = self._connected(make)
                return None if connection is None else act(connection)
            except sqlite3.Error as error:
                self.close()
                raise _ours(error) from error
            except BaseException:
                self.close()
                raise

    def _connected(self, make: bool) -> Connection | None:
        """A connection to the file that now has the name, if it is laid out."""
        try:
            found = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            self.close()
            if not make:
                return None
            self._make()
            found = os.stat(self.path)
        identity = (found.st_dev, found.st_ino)
        if self._connection is None or identity != self._identity:
            self.close()
            self._connection, self._identity = self._connect(), identity
        self._has_rows = self._has_rows or _is_laid_out(self._connection) or (make and _lay_out(self._connection))
        return self._connection if self._has_rows else None

    def _connect(self) -> Connection:
        import sqlite3
        from urllib.parse import quote

        connection = sqlite3.connect(
            f"file:{quote(self.path)}?mode=rw",
            uri=True,
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        for setting in (f"synchronous = {self._synchronous}", f"cache_size = -{_CACHE_KIB}", "trusted_schema = off"):
            connection.execute(f"pragma {setting}")
        return connection

    def _make(self) -> None:
        """An empty file. It is not opened: closing it would release the locks of this process's other connections."""
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mknod(self.path, 0o666 | stat.S_IFREG)
            if self._mode is not None:
                os.chmod(self.path, self._mode)


def _is_file(path: str) -> bool:
    with mapped_errors(NAME):
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True


def rows_of(items: Sequence[tuple[str, Bytes]]) -> list[Row] | None:
    """The items as rows; None unless all can be."""
    rows = []
    for name, data in items:
        key = key_of(name)
        if key is None or memoryview(data).nbytes > SMALL_BYTES:
            return None
        rows.append((name, key, data))
    return rows


def key_of(name: str) -> bytes | None:
    """The key of the row that may hold this name; None where no row can."""
    match = _PIECE.match(name)
    return bytes.fromhex(match[2]) if match else None


def _name_of(key: object) -> str:
    if not isinstance(key, bytes) or len(key) != 32:
        raise DamagedObject(NAME, "a row is named by what is no SHA-256")
    digits = key.hex()
    return f"{_PIECES}{digits[:2]}/{digits}"


def _bounds(prefix: str) -> tuple[bytes, bytes] | None:
    """The first and last key whose name can start with ``prefix``."""
    if _PIECES.startswith(prefix):
        return bytes(32), b"\xff" * 32
    digits = prefix[len(_PIECES) :]
    digits = digits[3:] or digits[:2]
    try:
        return bytes.fromhex(digits.ljust(64, "0")), bytes.fromhex(digits.ljust(64, "f"))
    except ValueError:
        return None


def _stat(size: object, modified: object) -> Stat:
    if not isinstance(size, int) or not isinstance(modified, int):
        raise DamagedObject(NAME, "a row has no size or no time")
    try:
        return Stat(size, datetime.fromtimestamp(modified / 1e9, timezone.utc))
    except (ValueError, OverflowError) as error:
        raise DamagedObject(NAME, f"a row was written at {modified}") from error


def _now() -> int:
    """Nanoseconds, by the clock that the kernel gives files their times from: never ahead of a file that is made later."""
    return time.clock_gettime_ns(5) if sys.platform == "linux" else time.time_ns()  # 5: CLOCK_REALTIME_COARSE


def _is_laid_out(connection: Connection) -> bool:
    """Whether there is a table; raises where the file is of a later version, or does not say so."""
    connection.execute("begin")
    version = _version(connection)
    [(tables,)] = connection.execute("select count(*) from sqlite_master")
    connection.execute("commit")
    if version > VERSION or version < 0:
        raise UnsupportedFormat(NAME, version)
    if version == 0 and tables:
        raise DamagedObject(NAME, "it does not say which version it has")
    return bool(version)


def _lay_out(connection: Connection) -> bool:
    """Make the table, unless another process did meanwhile."""
    connection.execute(f"pragma page_size = {_PAGE_BYTES}")
    connection.execute("pragma auto_vacuum = full")
    connection.execute("begin immediate")
    if not _version(connection):
        connection.execute(_LAYOUT)
        connection.execute(f"pragma user_version = {VERSION}")
    connection.execute("commit")
    return True


def _version(connection: Connection) -> int:
    [(version,)] = connection.execute("pragma user_version")
    return int(version)


def _salvaged(path: str) -> Iterator[tuple[str, bytes]]:
    """The rows of a damaged file, from its start and from its end until they cannot be read; some of them twice."""
    import sqlite3
    from urllib.parse import quote

    for order in ("asc", "desc"):
        with contextlib.suppress(sqlite3.Error, DamagedObject):
            connection = sqlite3.connect(f"file:{quote(path)}?mode=ro&immutable=1", uri=True)
            with contextlib.closing(connection):
                for key, data in connection.execute(f"select sha256, data from piece order by rowid {order}"):
                    if isinstance(data, bytes):
                        yield _name_of(key), data


def _ours(error: Exception) -> CasStoreError:
    """The one place where errors of SQLite become ours. Python 3.10 tells them apart by their texts only."""
    said = str(error)
    if "locked" in said:
        return BackendUnavailable(f"busy: others were writing to {NAME} for {_BUSY_SECONDS:.0f} s: try again", NAME)
    if said == "database or disk is full":
        return StoreFull(f"no space left for {NAME}: make room and try again", NAME)
    if said.startswith(("attempt to write a readonly", "unable to open")):
        return AccessDenied(f"not permitted: {NAME} ({said}): check the owner, the mode and the mount", NAME)
    if said == "disk I/O error":
        return BackendError(f"the file system failed: {NAME} ({said}): check the disk and its quota", NAME)
    return DamagedObject(NAME, said)


_all: weakref.WeakSet[SmallObjects] = weakref.WeakSet()
_all_lock = threading.RLock()
_held: list[SmallObjects] = []


def _before_fork() -> None:
    """Wait for what other threads are doing, and close all connections."""
    _all_lock.acquire()
    for one in list(_all):
        one._lock.acquire()
        one.close()
        _held.append(one)


def _after_fork() -> None:
    while _held:
        _held.pop()._lock.release()
    _all_lock.release()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
