"""The database that a command works on: one that somebody runs, or the embedded one, started for the occasion."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import attrs

from metadata_service import embedded
from metadata_service.errors import MIGRATE_COMMAND, DatabaseUnavailable, EmbeddedPostgresError, InvalidRequest
from metadata_service.pool import Connection, connect, without_password
from metadata_service.schema import SchemaState, migrate, read_state

logger = logging.getLogger("metadata_service")

_PATIENCE_S = 30.0  # a database that starts beside us gets so long


@attrs.frozen
class Database:
    """Where it is; ``name`` is fit to be printed. One with a ``directory`` is embedded: nobody else looks after it."""

    url: str = attrs.field(repr=False)
    name: str
    directory: Path | None = None

    def revive(self) -> None:
        """Start the embedded one again if it has crashed; what goes wrong is logged."""
        if self.directory is None:
            return
        try:
            if embedded.revive(self.directory):
                logger.warning("%s had crashed and was started again", self.name)
        except EmbeddedPostgresError as error:
            logger.error("%s has crashed and does not start: %s", self.name, error)


@contextmanager
def opened(url: str | None, data_dir: Path | None, *, create: bool = True) -> Iterator[Database]:
    """The database at an address, else the embedded one in a directory, which runs meanwhile.

    Raises `InvalidRequest` for both, for what is no address, and, unless ``create``, for a directory without a
    database; `EmbeddedPostgresError` where none can be started.
    """
    if url and data_dir:
        raise InvalidRequest("a database's address and a data directory are both given: which of the two?")
    if url:
        yield Database(url, without_password(url))
        return
    directory = (data_dir or default_data_dir()).absolute()
    if not create and embedded.is_new(directory):
        raise InvalidRequest(f"there is no database in {directory}: name one with --database-url or --data-dir")
    with embedded.running(directory) as address:
        yield Database(address, f"the embedded Postgres in {directory}", directory)


def default_data_dir() -> Path:
    """Where the embedded Postgres lives unless told: as root it runs as another user, to whom root's home is closed."""
    if os.geteuid() == 0:
        return Path("/var/lib/stepwell-metadata")
    data_home = os.environ.get("XDG_DATA_HOME")
    return (Path(data_home) if data_home else Path.home() / ".local" / "share") / "stepwell-metadata"


@contextmanager
def connected(database: Database) -> Iterator[Connection]:
    """One connection. Raises `DatabaseUnavailable`."""
    with closing(connect(database.url)) as connection:
        yield connection


def prepare(database: Database, *, init_if_empty: bool, say: Callable[[str], None]) -> SchemaState:
    """What the database is at when a service starts; an empty one is set up if that was asked for, or if it is our own.

    Nothing else is ever changed. A database that is away gets a while to appear. Raises `DatabaseUnavailable`,
    `ForeignSchema`, `NoSchema` or `SchemaTooNew`.
    """
    with closing(_patiently_connected(database, say)) as connection:
        state = read_state(connection)
        if state.version == 0 and (init_if_empty or database.directory):
            migrate(connection)
            return read_state(connection)
        return state


def behind(state: SchemaState) -> str:
    """What to tell an operator whose database lacks migrations."""
    at = f"at schema version {state.version}" if state.version else "empty"
    return f"the database is {at}, this service wants {state.pending[-1].version}: run `{MIGRATE_COMMAND}` against it"


def _patiently_connected(database: Database, say: Callable[[str], None]) -> Connection:
    deadline = time.monotonic() + _PATIENCE_S
    told = False
    while True:
        try:
            return connect(database.url)
        except DatabaseUnavailable:
            if time.monotonic() > deadline:
                raise
            if not told:
                say(f"Waiting for the database {database.name}")
                told = True
            time.sleep(0.5)
