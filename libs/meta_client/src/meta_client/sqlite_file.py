"""One SQLite file that many processes write: its connection, transactions and errors. The only module that touches sqlite3.

Write-ahead logging, so that readers never wait; every write transaction begins as one, so that waiting for others always helps.
A process that is killed leaves at worst a transaction that the next reader ignores; commits are not synced one by one, so that a
power cut may lose the last ones, whole.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meta_client import forking
from meta_client.errors import (
    ForeignFile,
    MetaClientError,
    SchemaTooNew,
    StorageFailure,
    StoreBusy,
    StoreClosed,
)
from meta_client.sqlite_schema import APPLICATION_ID, SCHEMA, SCHEMA_VERSION, UPGRADES

if TYPE_CHECKING:
    import sqlite3

_LONGEST_NAP_S = 0.05

_Identity = tuple[int, int]


class SqliteFile:
    """The file at ``path``, created where missing unless ``create`` is False.

    Threads take turns. ``busy_timeout`` bounds, in seconds, the wait for other processes' writes.
    """

    def __init__(self, path: Path, *, create: bool = True, busy_timeout: float = 30.0) -> None:
        self.path = path
        self._busy_timeout = busy_timeout
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._place = path.absolute()  # whatever directory the process is in later
        self._opened: _Identity | None = None
        self._closed = False
        with self._lock, self._mapped_errors():
            self._connection = self._connect(create)
        forking.watch(self)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection on one snapshot of the data, for this thread alone."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection in a write transaction, for this thread alone: all of it is kept, or after an error none."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def close(self) -> None:
        """Close the file; again does nothing."""
        with self._lock, self._mapped_errors():
            self._closed = True
            self._disconnect()

    def before_fork(self) -> None:
        """Keep the connection from being inherited."""
        self._lock.acquire()
        self._disconnect()

    def after_fork_in_parent(self) -> None:
        """Go on; the next call connects again."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Go on with a lock of our own; the next call connects."""
        self._lock = threading.RLock()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with self._lock, self._mapped_errors():
            if self._closed:
                raise StoreClosed(str(self.path))
            if self._connection is None:
                self._connection = self._connect(create=False)
            elif _identity(self._place) != self._opened:
                self._disconnect()
                raise StorageFailure(self.path, "the file was removed or replaced while it was open")
            connection = self._connection
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _connect(self, create: bool) -> sqlite3.Connection:
        import sqlite3

        if create:
            self._make_directory()
        elif not self.path.is_file():
            raise StorageFailure(self.path, "there is no such file")
        connection = sqlite3.connect(
            self.path, timeout=self._busy_timeout, isolation_level=None, check_same_thread=False
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._opened = _identity(self._place)
        return connection

    def _make_directory(self) -> None:
        try:
            if self.path.is_absolute():
                self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageFailure(self.path, f"its directory cannot be made ({error.strerror})") from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN")  # one snapshot: others may be making the file now
        try:
            version = self._version(connection)
        finally:
            if connection.in_transaction:  # some errors end it
                connection.execute("ROLLBACK")
        if version != SCHEMA_VERSION:
            self._switch_to_wal(connection)
            self._create_schema(connection)
        else:
            self._restore_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")

    def _restore_wal(self, connection: sqlite3.Connection) -> None:
        """`VACUUM INTO`, a way to back up, leaves it off. Where it cannot be set now, the file is used as it is."""
        import sqlite3

        with suppress(sqlite3.OperationalError):
            is_wal = connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            if not is_wal and self._may_write():
                connection.execute("PRAGMA journal_mode = WAL")

    def _may_write(self) -> bool:
        """Whether the file may be written, and others made beside it; a copy that may only be read is read as it is."""
        return os.access(self.path, os.W_OK) and os.access(self.path.parent, os.W_OK)

    def _version(self, connection: sqlite3.Connection) -> int:
        """The file's schema version, 0 where it is empty; to be called within a transaction."""
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != APPLICATION_ID:
            if version or connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise ForeignFile(self.path, "it is a database of something else")
            return 0
        if version > SCHEMA_VERSION:
            raise SchemaTooNew(self.path, version, SCHEMA_VERSION)
        return version

    def _switch_to_wal(self, connection: sqlite3.Connection) -> None:
        """SQLite does not wait on its own where two switch at once."""
        import sqlite3

        give_up_at = time.monotonic() + self._busy_timeout
        nap = 0.001
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError:
                if time.monotonic() >= give_up_at:
                    raise
            time.sleep(nap)
            nap = min(2 * nap, _LONGEST_NAP_S)

    def _create_schema(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            version = self._version(connection)
            if version != SCHEMA_VERSION:  # nobody was faster
                for statement in _statements(version):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextmanager
    def _mapped_errors(self) -> Iterator[None]:
        import sqlite3

        try:
            yield
        except sqlite3.Error as error:
            raise self._ours(error) from error

    def _ours(self, error: Any) -> MetaClientError:
        import sqlite3

        message = str(error)
        if any(word in message for word in ("locked", "busy", "locking protocol")):
            return StoreBusy(str(self.path), self._busy_timeout)
        if isinstance(error, sqlite3.OperationalError):
            return StorageFailure(self.path, message)
        return ForeignFile(self.path, message)


def _identity(path: Path) -> _Identity | None:
    """Which file is there: an open one that was removed still takes writes, and nobody ever reads them."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _statements(version: int) -> list[str]:
    """What makes a file of this version, 0 for an empty one, one of ours."""
    if version == 0:
        return list(SCHEMA)
    return [statement for old in range(version, SCHEMA_VERSION) for statement in UPGRADES[old]]
