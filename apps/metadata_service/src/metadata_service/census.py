"""What a database holds: versions, counts and size, for `metadata-service status`."""

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


def _schema(have: int) -> str:
    latest = latest_version()
    if have == 0:
        return f"none, the database is empty: run `{MIGRATE_COMMAND}` against it"
    if have < latest:
        return f"version {have}, the latest is {latest}: run `{MIGRATE_COMMAND}` against it"
    return f"version {have}{'' if have == latest else f', of a later service (this one knows {latest})'}"
