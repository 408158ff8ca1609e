"""Statements that many requests repeat, parsed and planned once a connection: half the time of a look-up is its planning."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import attrs
from psycopg2.errors import DuplicatePreparedStatement, InvalidSqlStatementName

from metadata_service.pool import Connection, Cursor


@attrs.frozen
class _Prepared:
    name: str
    prepare: str
    execute: str


def execute(cursor: Cursor, text: str, parameters: Mapping[str, Any]) -> None:
    """Execute a statement, in autocommit mode, by its plan; there should be few such texts, as each is kept.

    The plan is for all values of the parameters alike, so what varies with them belongs into statements of their own.
    """
    statement, known = _prepared(text), cast(Connection, cursor.connection).prepared
    try:
        if statement.name not in known:
            cursor.execute(statement.prepare)
            known.add(statement.name)
        cursor.execute(statement.execute, parameters)
    except (DuplicatePreparedStatement, InvalidSqlStatementName):  # a proxy like PgBouncer exchanges what is behind it
        known.discard(statement.name)
        cursor.execute(text, parameters)


class _Numbers(dict[str, str]):
    """Numbers the parameters as they come."""

    def __missing__(self, name: str) -> str:
        self[name] = f"${len(self) + 1}"
        return self[name]


@cache
def _prepared(text: str) -> _Prepared:
    name = f"s{hashlib.sha256(text.encode()).hexdigest()[:30]}"
    numbers = _Numbers()
    body = text % numbers
    values = ", ".join(f"%({parameter})s" for parameter in numbers)
    return _Prepared(name, f"PREPARE {name} AS {body}", f"EXECUTE {name}{f'({values})' if values else ''}")
