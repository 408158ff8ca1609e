"""Which schema a database has, and the migrations that change it.

The table ``stepwell_schema`` holds a row for every migration applied. A database without it is empty, or
belongs to something else and is left alone. Each migration is a numbered SQL file, applied with its row in
one transaction.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

import attrs

from metadata_service.errors import ForeignSchema, NoSchema, SchemaTooNew
from metadata_service.pool import Connection, Cursor, mapped_errors

_TABLE = "stepwell_schema"
_LOCK = 7_310_579_626  # any constant: migrators of one database wait for each other on it
# Tables and views in the schema we would write to, but for those that an extension brought.
_TABLES = """
    SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    ORDER BY c.relname
"""
_OLDEST = re.compile(r"^-- oldest service: (\d+)$", re.MULTILINE)
_LOCKS = re.compile(r"^-- locks: (.+)$", re.MULTILINE)


@attrs.frozen
class Migration:
    """One numbered SQL file; services that know at least version ``oldest_service`` can serve its result.

    ``locks`` says, for people, who waits for what while it runs.
    """

    version: int
    name: str
    sql: str
    oldest_service: int
    locks: str


@attrs.frozen
class SchemaState:
    """What a database is at: ``version`` 0 is an empty one."""

    version: int
    pending: tuple[Migration, ...]


@cache
def migrations() -> tuple[Migration, ...]:
    """All migrations this service knows, in order."""
    files = (resources.files("metadata_service") / "migrations").iterdir()
    return tuple(
        _read(file.name, file.read_text()) for file in sorted(files, key=lambda f: f.name) if _is_sql(file.name)
    )


def latest_version() -> int:
    """The schema version that this service wants."""
    return migrations()[-1].version


def read_state(connection: Connection) -> SchemaState:
    """What the database is at. Raises `ForeignSchema`, `NoSchema` or `SchemaTooNew`; changes nothing."""
    known = migrations()
    with mapped_errors():
        version, oldest = _version_and_oldest(connection)
    if oldest > known[-1].version:
        raise SchemaTooNew(have=version, known=known[-1].version)
    return SchemaState(version, tuple(m for m in known if m.version > version))


def migrate(connection: Connection, *, target: int | None = None) -> tuple[Migration, ...]:
    """Bring the database to version ``target`` (default: the latest) and return what was applied.

    Safe to call from several places at once. Raises as `read_state` does, before any change.
    """
    read_state(connection)
    applied = []
    with mapped_errors(), connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        try:
            for migration in read_state(connection).pending:
                if target is None or migration.version <= target:
                    _apply(connection, migration)
                    applied.append(migration)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
    return tuple(applied)


def _apply(connection: Connection, migration: Migration) -> None:
    with connection, connection.cursor() as cursor:  # a transaction, also in autocommit mode
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {_TABLE} (version integer PRIMARY KEY, name text NOT NULL, "
            "oldest_service integer NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        cursor.execute(migration.sql)
        cursor.execute(
            f"INSERT INTO {_TABLE} (version, name, oldest_service) VALUES (%s, %s, %s)",
            [migration.version, migration.name, migration.oldest_service],
        )


def _version_and_oldest(connection: Connection) -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(_TABLES)
        tables = [name for (name,) in cursor.fetchall()]
        if _TABLE not in tables:
            if tables:
                raise ForeignSchema(tables)
            _require_schema(cursor)
            return 0, 0
        cursor.execute(f"SELECT coalesce(max(version), 0), coalesce(max(oldest_service), 0) FROM {_TABLE}")
        version, oldest = cursor.fetchone() or (0, 0)
        return version, oldest


def _require_schema(cursor: Cursor) -> None:
    cursor.execute("SELECT current_schema() IS NOT NULL, current_setting('search_path')")
    exists, search_path = cursor.fetchone() or (False, "")
    if not exists:
        raise NoSchema(search_path)


def _is_sql(name: str) -> bool:
    return name.endswith(".sql")


def _read(name: str, sql: str) -> Migration:
    number, _, title = name.removesuffix(".sql").partition("_")
    oldest, locks = _OLDEST.search(sql), _LOCKS.search(sql)
    return Migration(int(number), title, sql, int(oldest.group(1)) if oldest else 1, locks.group(1) if locks else "")
