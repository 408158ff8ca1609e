"""How statements get to the database: as the schema in force understands them, through a connection of the pool."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from metadata_service import prepared, sql
from metadata_service.errors import SchemaTooOld
from metadata_service.pool import Cursor, Pool
from metadata_service.schema import SchemaState, latest_version, read_state

CORE_VERSION, NAMES_VERSION, SEARCH_VERSION = 1, 2, 3
PART = 500  # rows of a long answer that are held in memory at a time
_RECHECK_S = 1.0  # how long a service may believe in a schema after somebody migrated it

_LATEST = latest_version()

Row = tuple[Any, ...]


class Statements:
    """Sends statements. Methods raise `DatabaseUnavailable`, and `SchemaTooOld` unless they are about the schema itself."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._version, self._looked = 0, -math.inf

    def ping(self) -> None:
        """Raise `DatabaseUnavailable` unless the database answers."""
        with self.cursor() as cursor:
            cursor.execute("SELECT 1")

    def rows(self, text: str, parameters: Mapping[str, Any]) -> list[Row]:
        """All rows of a statement, planned for its parameters."""
        version = self.require(CORE_VERSION, "every route")
        with self.cursor() as cursor:
            cursor.execute(sql.as_of(text, version), parameters)
            return cursor.fetchall()

    def repeated(self, text: str, parameters: Mapping[str, Any]) -> list[Row]:
        """The same, for one of the few statements that differ in their parameters only.

        One that was planned looks at the tables as they were before it waited for a migration's lock, and sees nothing of a table
        that was written anew meanwhile. So finding nothing is believed only when it is asked for in plain words.
        """
        version = self.require(CORE_VERSION, "every route")
        with self.cursor() as cursor:
            prepared.execute(cursor, sql.as_of(text, version), parameters)
            if found := cursor.fetchall():
                return found
            cursor.execute(sql.as_of(text, version), parameters)
            return cursor.fetchall()

    def parts(self, text: str, parameters: Mapping[str, Any]) -> Iterator[list[Row]]:
        """The rows of a statement that has many, read while they are asked for."""
        version = self.require(CORE_VERSION, "every route")
        with self.transaction() as cursor:
            cursor.execute(f"DECLARE listing NO SCROLL CURSOR FOR {sql.as_of(text, version)}", parameters)
            while True:
                cursor.execute(f"FETCH {PART} FROM listing")
                found = cursor.fetchall()
                if not found:
                    return
                yield found

    @contextmanager
    def cursor(self) -> Iterator[Cursor]:
        """A cursor in autocommit mode, for statements that know by themselves what the schema has."""
        with self._pool.connection() as connection, connection.cursor() as cursor:
            yield cursor

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """The same, in a transaction that the end of the block commits."""
        with self._pool.connection() as connection, connection, connection.cursor() as cursor:
            yield cursor

    def require(self, version: int, what: str) -> int:
        """Serve what the schema can; gives its version. A migration beside a running service is soon noticed."""
        known = self.schema_version()
        if known < version:
            known = self._look()
        if known < version:
            raise SchemaTooOld(what, have=known, need=version)
        return known

    def schema_version(self) -> int:
        """The version of the schema in force, which another may have replaced a second ago: also one too new for us."""
        if time.monotonic() - self._looked < _RECHECK_S:
            return self._version
        return self._look()

    @property
    def known_version(self) -> int:
        """The schema's version as last seen; the latest before anything was seen."""
        return _LATEST if math.isinf(self._looked) else self._version

    def state(self) -> SchemaState:
        """What the database is at. Raises `ForeignSchema`, `NoSchema` or `SchemaTooNew`."""
        with self._pool.connection() as connection:
            return read_state(connection)

    def _look(self) -> int:
        self._version = self.state().version
        self._looked = time.monotonic()
        return self._version
