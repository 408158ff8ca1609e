"""Everything that can go wrong, one tree.

MetadataServiceError
├── InvalidRequest            400  the request cannot be understood or stored
├── Unauthenticated           401  no token, or none that is known
├── Forbidden                 403  the token may only read
├── NotFound                  404  the object asked for does not exist
├── MissingParent             404  the flow, run or step to create something under does not exist
├── Duplicate                 409  the object exists already
├── SystemTagRemoval          422  a system tag was to be removed
├── SchemaTooOld              501  the database needs a migration before it can do this
├── DatabaseUnavailable       503  Postgres is away or overloaded; may be tried again
│   └── PoolTimeout           503  every connection of this process is busy; may be tried again
├── SchemaTooNew              503  the database was migrated by a later, incompatible service; another instance may be one
├── DatabaseFailure           500  Postgres refused a statement: a defect or a damaged database
├── NoSchema                  503  the database's schema to work in does not exist, or is closed to us
├── ForeignSchema                  the database belongs to something else
├── BadTokensFile                  the file of tokens is missing or cannot be understood
├── EmbeddedPostgresError          the private Postgres could not be found, made or started
└── CannotListen                   the address to serve on is taken, forbidden or not of this machine
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

MIGRATE_COMMAND = "metadata-service migrate"


class MetadataServiceError(Exception):
    """Base of all errors of this package; ``status`` is the HTTP status that a request raising it gets."""

    status = 500
    retryable = False


class InvalidRequest(MetadataServiceError):
    """The request is wrong; ``bare`` messages go out as a JSON string, as clients know them, others as an object."""

    status = 400

    def __init__(self, message: str, *, bare: bool = False) -> None:
        super().__init__(message)
        self.bare = bare


class Unauthenticated(MetadataServiceError):
    """The request carries no token, or none that is known."""

    status = 401


class Forbidden(MetadataServiceError):
    """The request would change something, and its token may only read."""

    status = 403

    def __init__(self) -> None:
        super().__init__("this token may only read: use one that may write")


class NotFound(MetadataServiceError):
    """The object asked for does not exist."""

    status = 404


class MissingParent(MetadataServiceError):
    """What the new object would belong to does not exist; ``parent`` says what, in words."""

    status = 404

    def __init__(self, parent: str) -> None:
        super().__init__(f"{parent} does not exist: register it first")
        self.parent = parent


class Duplicate(MetadataServiceError):
    """The object exists already; ``what`` says which, in words."""

    status = 409

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} exists already")
        self.what = what


class SystemTagRemoval(MetadataServiceError):
    """A mutation asked to remove ``tags``, which are system tags and stay."""

    status = 422

    def __init__(self, tags: Sequence[str]) -> None:
        listed = ", ".join(repr(tag) for tag in tags)
        super().__init__(f"Cannot remove tags that are existing system tags {{{listed}}}")
        self.tags = tuple(tags)


class SchemaTooOld(MetadataServiceError):
    """The database is at schema version ``have``, ``what`` needs ``need``; ``command`` upgrades it."""

    status = 501

    def __init__(self, what: str, *, have: int, need: int) -> None:
        self.have, self.need, self.command = have, need, MIGRATE_COMMAND
        super().__init__(
            f"{what} needs schema version {need}, the database is at {have}: run `{self.command}` against it"
        )


class DatabaseUnavailable(MetadataServiceError):
    """Postgres cannot be reached, is starting or stopping, or gave up a statement for lack of time or room."""

    status = 503
    retryable = True


class PoolTimeout(DatabaseUnavailable):
    """No connection became free within ``wait_s`` seconds; the process holds at most ``size``."""

    def __init__(self, *, size: int, wait_s: float) -> None:
        super().__init__(f"all {size} database connections of this process were busy for {wait_s:g} s: try again")
        self.size, self.wait_s = size, wait_s


class DatabaseFailure(MetadataServiceError):
    """Postgres refused a statement that should have worked; ``code`` is its SQLSTATE."""

    def __init__(self, message: str, *, code: str | None) -> None:
        super().__init__(f"the database refused a statement ({code or 'no code'}): {message}")
        self.code = code


class NoSchema(MetadataServiceError):
    """None of the schemas of the search path exists and may be used; ``search_path`` is Postgres's list of them."""

    status = 503

    def __init__(self, search_path: str) -> None:
        super().__init__(
            f"none of the schemas that we are to work in ({search_path}) exists, or this role may use none: "
            "have one made (CREATE SCHEMA) or opened (GRANT USAGE ON SCHEMA), or name another. Nothing was changed"
        )
        self.search_path = search_path


class ForeignSchema(MetadataServiceError):
    """The database holds ``tables`` of something else; nothing was changed."""

    def __init__(self, tables: Sequence[str]) -> None:
        self.tables = tuple(tables)
        some = ", ".join(self.tables[:5]) + (", ..." if len(self.tables) > 5 else "")
        super().__init__(
            f"this database is not ours: it holds tables of something else ({some}). Nothing was changed. "
            "Name an empty database, or an empty schema of this one (?options=-csearch_path%3DNAME in the URL)"
        )


class SchemaTooNew(MetadataServiceError):
    """The database is at schema version ``have``, which a service that knows versions up to ``known`` cannot serve.

    Behind a load balancer the next instance may be a later service, so the request may be tried again.
    """

    status = 503
    retryable = True

    def __init__(self, *, have: int, known: int) -> None:
        self.have, self.known = have, known
        super().__init__(
            f"the database is at schema version {have}, this service knows versions up to {known} and {have} is not "
            "compatible with it: install a later metadata-service. Nothing was changed"
        )


class BadTokensFile(MetadataServiceError):
    """There are no usable tokens at ``path``."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"cannot use the tokens of {path}: {problem}")
        self.path = path


class EmbeddedPostgresError(MetadataServiceError):
    """The private Postgres could not be found, made, started or stopped."""


class CannotListen(MetadataServiceError):
    """Nothing can be served on ``host`` and ``port``."""

    def __init__(self, host: str, port: int, problem: str) -> None:
        super().__init__(
            f"cannot listen on {host}:{port}: {problem}. Choose others with --host and --port (0: any free)"
        )
        self.host, self.port = host, port
