"""What a database holds, for people: `metadata-service status`, and what `migrate --dry-run` would do to it."""

from __future__ import annotations

from importlib.metadata import version

import attrs

from metadata_service.answers import WIRE_VERSION
from metadata_service.errors import MIGRATE_COMMAND
from metadata_service.pool import Connection, mapped_errors
from metadata_service.schema import latest_version, read_state

_TABLES = ("flows", "runs", "steps", "tasks", "metadata", "artifacts")
_SIZE = """
    SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
    WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relkind = 'r'
"""


_TABLE_SIZES = """
    SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_class c
    WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) AND c.relkind = 'r' ORDER BY 2 DESC
"""


@attrs.frozen
class Census:
    """What was found; ``counts`` (rows by table) is empty for an empty database."""

    postgres: str
    schema_version: int
    size_bytes: int
    counts: dict[str, int]


def take(connection: Connection) -> Census:
    """Count. Raises as `read_state` does."""
    state = read_state(connection)
    with mapped_errors(), connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SELECT current_setting('server_version')")
        (postgres,) = cursor.fetchone() or ("unknown",)
        cursor.execute(_SIZE)
        (size,) = cursor.fetchone() or (0,)
        counts = {}
        for table in _TABLES if state.version else ():
            cursor.execute(f"SELECT count(*) FROM {table}")
            (counts[table],) = cursor.fetchone() or (0,)
    return Census(postgres, state.version, size, counts)


def to_text(name: str, census: Census) -> str:
    """The census for people, one fact a line."""
    facts = {
        "database": name,
        "service": f"{version('stepwell-metadata-service')}, HTTP API {WIRE_VERSION}",
        "schema": _schema(census.schema_version),
        "postgres": census.postgres,
        "size": f"{census.size_bytes / 2**20:,.1f} MiB",
        **{table: f"{count:,}" for table, count in census.counts.items()},
    }
    return "\n".join(f"{fact:<10} {value}" for fact, value in facts.items())


def plan(name: str, connection: Connection) -> str:
    """What migrating would do, who would have to wait, and how big the tables are. Raises as `read_state` does."""
    state = read_state(connection)
    if not state.pending:
        return f"{name} is at schema version {state.version}, nothing to do"
    lines = [f"{name} is at schema version {state.version}. Pending:"]
    for migration in state.pending:
        lines += [f"  {migration.version} {migration.name}", f"    locks: {migration.locks}"]
    with mapped_errors(), connection.cursor() as cursor:
        cursor.execute(_TABLE_SIZES)
        sizes = [f"  {table:<16} {size / 2**20:,.1f} MiB" for table, size in cursor.fetchall()]
    lines += ["Tables:", *sizes] if sizes else []
    lines += ["Nothing was changed. Take a backup first (pg_dump, or a snapshot of your provider's)"]
    return "\n".join(lines)


def _schema(have: int) -> str:
    latest = latest_version()
    if have == 0:
        return f"none, the database is empty: run `{MIGRATE_COMMAND}` against it"
    if have < latest:
        return f"version {have}, the latest is {latest}: run `{MIGRATE_COMMAND}` against it"
    return f"version {have}{'' if have == latest else f', of a later service (this one knows {latest})'}"
