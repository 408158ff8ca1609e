"""A small bounded pool of Postgres connections, and the only place where psycopg2 and its errors are seen.

psycopg2's own pool raises when it is exhausted and never looks whether a connection still lives. This one
waits, drops connections that the server has closed, and renews them after a while.
"""

from __future__ import annotations

import re
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import attrs
import psycopg2
import psycopg2.extensions

from metadata_service.errors import (
    DatabaseFailure,
    DatabaseUnavailable,
    InvalidRequest,
    MetadataServiceError,
    MissingParent,
    PoolTimeout,
)

Cursor = psycopg2.extensions.cursor


class Connection(psycopg2.extensions.connection):
    """A connection that knows the names of the statements `prepared` on it."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.prepared = set[str]()


# SQLSTATEs that say "not now": connection lost, out of resources, cancelled by time or by an operator, deadlock
# or serialization, read-only after a failover. By class (two characters) or in full.
_NOT_NOW = ("08", "53", "57", "40", "55P03", "25006")
_DATA_ERROR = "22"
_NO_PARENT = "23503"
_QUOTED = re.compile('".*"', re.DOTALL)  # what a message about an address quotes may be the password


def connect(url: str, *, statement_timeout_s: float = 0, connect_timeout_s: int = 10) -> Connection:
    """Open one connection in autocommit mode. Raises `DatabaseUnavailable`, or `InvalidRequest` for a bad URL."""
    with mapped_errors():
        connection = psycopg2.connect(
            url,
            connection_factory=Connection,
            connect_timeout=connect_timeout_s,
            application_name="metadata-service",
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
            tcp_user_timeout=30_000,
        )
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = %s", [f"{int(statement_timeout_s * 1000)}ms"])
    return connection


def without_password(url: str) -> str:
    """The database's address, fit to be printed. Raises `InvalidRequest` for what is no address."""
    with mapped_errors():
        parts = psycopg2.extensions.parse_dsn(url)
    host, port = parts.get("host", "local socket"), parts.get("port")
    return f"{parts.get('dbname', 'default database')} on {host}{f':{port}' if port else ''}"


def with_options(url: str, options: str) -> str:
    """The address with more of the server's options, after those that it has. Raises `InvalidRequest` for what is no address."""
    with mapped_errors():
        given = psycopg2.extensions.parse_dsn(url).get("options", "")
        return psycopg2.extensions.make_dsn(url, options=f"{given} {options}".strip())


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn psycopg2's errors into this package's; the original is the ``__cause__``."""
    try:
        yield
    except (psycopg2.Error, UnicodeEncodeError) as error:
        raise _translated(error) from error


def _translated(error: psycopg2.Error | UnicodeEncodeError) -> MetadataServiceError:
    message = str(error).strip()
    code = getattr(error, "pgcode", None)
    if isinstance(error, psycopg2.ProgrammingError) and code is None:
        return InvalidRequest(f"not a database address: {_QUOTED.sub('...', message)}")
    if isinstance(error, UnicodeEncodeError) or (code or "").startswith(_DATA_ERROR):
        return InvalidRequest(f"the database cannot hold this: {message}")
    if code == _NO_PARENT:  # it was there when the statement began: its run is being deleted
        return MissingParent("what this belongs to")
    lost = code is None and isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError))
    if lost or (code or "").startswith(_NOT_NOW):
        return DatabaseUnavailable(f"the database is not available: {message}")
    return DatabaseFailure(message, code=code)


@attrs.define
class _Idle:
    connection: Connection
    born: float
    since: float


class Pool:
    """At most ``size`` connections, opened when first needed; safe for threads, and to be created before a fork.

    A caller waits up to ``wait_s`` seconds for a connection; one older than ``lifetime_s`` is replaced.
    """

    def __init__(
        self, open_connection: Callable[[], Connection], *, size: int, wait_s: float, lifetime_s: float
    ) -> None:
        self._open = open_connection
        self._size, self._wait_s, self._lifetime_s = size, wait_s, lifetime_s
        self._free = threading.BoundedSemaphore(size)
        self._idle: deque[_Idle] = deque()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a live connection. Raises `PoolTimeout` or `DatabaseUnavailable`, and maps the errors of its use."""
        if not self._free.acquire(timeout=self._wait_s):
            raise PoolTimeout(size=self._size, wait_s=self._wait_s)
        try:
            lent = self._live()
            try:
                with mapped_errors():
                    yield lent.connection
            finally:
                self._take_back(lent)
        finally:
            self._free.release()

    def close(self) -> None:
        """Close what is idle; connections on loan are closed by age or by the server."""
        while self._idle:
            _close(self._idle.pop().connection)

    def _live(self) -> _Idle:
        while True:
            try:
                idle = self._idle.pop()  # the one used last, so that a quiet service's others age and go
            except IndexError:
                return _Idle(self._open(), time.monotonic(), time.monotonic())
            if self._healthy(idle):
                return idle
            _close(idle.connection)

    def _healthy(self, idle: _Idle) -> bool:
        if idle.connection.closed or time.monotonic() - idle.born > self._lifetime_s:
            return False
        if _has_something_to_read(idle.connection):  # the server said good-bye while nobody asked it anything
            return False
        return time.monotonic() - idle.since < 30 or _answers(idle.connection)

    def _take_back(self, lent: _Idle) -> None:
        status = lent.connection.info.transaction_status if not lent.connection.closed else None
        if status == psycopg2.extensions.TRANSACTION_STATUS_IDLE:
            self._idle.append(_Idle(lent.connection, lent.born, time.monotonic()))
        else:
            _close(lent.connection)


def _has_something_to_read(connection: Connection) -> bool:
    poll = select.poll()  # select.select knows no more than 1024 files
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _answers(connection: Connection) -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except psycopg2.Error:
        return False
    return True


def _close(connection: Any) -> None:
    with suppress(psycopg2.Error):
        connection.close()
