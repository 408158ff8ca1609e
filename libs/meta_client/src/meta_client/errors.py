"""Everything that can go wrong, one tree.

MetaClientError
├── NotFound             the object, or a parent of what was to be created, does not exist
├── Conflict             an object of that name exists already
├── InvalidRequest       the request can never succeed: a bad id, name, tag or value
├── InvalidAnswer        the store answered something that is no answer: cut off, or not of this wire (retryable)
├── InvalidRecord        a wire record lacks a field, or holds one of the wrong type
├── Denied               the service, or a gateway before it, wants other credentials
├── UntrustedService     the service's certificate is not trusted
├── ServiceError         the service failed in a way that trying again will not mend
│   └── Unsupported      this (older) service cannot do what was asked
├── ServiceUnavailable   the store cannot be reached or is overloaded (retryable)
│   ├── StoreBusy        other processes kept the SQLite file locked for too long (retryable)
│   └── TagsContended    others kept changing the same run's tags (retryable)
├── SchemaTooOld         the database behind the service needs a migration first: .have, .need, .command
├── SchemaTooNew         the SQLite file was written by a later version: .have, .supported
├── ForeignFile          the file is no metadata store, or is damaged
├── StorageFailure       the file cannot be opened, read or written: permissions, disk full (retryable)
├── StoreClosed          the store was closed
└── UnknownScheme        a store's URL that nobody here can open

Errors of requests and sqlite3 never leak: they are the ``__cause__``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from meta_client.records import Flow, Run, Step, Task


class MetaClientError(Exception):
    """Base of all errors of this package. ``retryable``: the same call may succeed later."""

    retryable = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as what it is, not as a call with its message: pools of processes hang where an error cannot be read back."""
        return _made_again, (type(self), self.args, self.__dict__)


class NotFound(MetaClientError):
    """``what`` (in words, with its path) does not exist."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} does not exist: check the name, or register it first")
        self.what = what


class Conflict(MetaClientError):
    """``what`` exists already; ``existing`` is the record that the store has of it."""

    def __init__(self, what: str, existing: Flow | Run | Step | Task | None = None) -> None:
        super().__init__(f"{what} exists already: choose another id, or go on with the existing one")
        self.what, self.existing = what, existing


class InvalidRequest(MetaClientError):
    """``field`` cannot be ``value``; nothing was changed."""

    def __init__(self, field: str, value: object, problem: str) -> None:
        super().__init__(f"{field} {_shortened(value)}: {problem}")
        self.field, self.value, self.problem = field, value, problem


class InvalidAnswer(MetaClientError):
    """The store answered ``where`` with something that is no answer, such as half a body or a web page."""

    retryable = True
    maybe_done = True

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}. Is this the URL of a metadata service?")
        self.where, self.problem = where, problem


class InvalidRecord(MetaClientError):
    """The wire record of a ``kind`` ("run", ...) has a ``field`` that is missing or of the wrong type."""

    def __init__(self, kind: str, field: str, problem: str) -> None:
        super().__init__(f"the record of a {kind} is not one: {field} {problem}")
        self.kind, self.field, self.problem = kind, field, problem


class Denied(MetaClientError):
    """The service, or a gateway before it, refused the credentials with ``status`` 401 or 403."""

    def __init__(self, where: str, status: int) -> None:
        super().__init__(f"{where}: refused with status {status}: check the service's auth key and headers")
        self.where, self.status = where, status


class UntrustedService(MetaClientError):
    """The TLS certificate that was shown at ``where`` is not trusted."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(
            f"{where}: its certificate is not trusted ({problem}): set REQUESTS_CA_BUNDLE to your authorities' file"
        )
        self.where, self.problem = where, problem


class ServiceError(MetaClientError):
    """The service answered ``where`` with ``status``, which trying again will not mend."""

    def __init__(self, where: str, status: int, message: str) -> None:
        super().__init__(f"{where}: status {status}: {message}")
        self.where, self.status = where, status


class Unsupported(ServiceError):
    """This service is too old for what was asked."""


class ServiceUnavailable(MetaClientError):
    """The store at ``where`` cannot be reached or is overloaded, after every attempt that the budget allowed.

    ``maybe_done``: the request may have been carried out all the same, only the answer is missing.
    """

    retryable = True

    def __init__(self, where: str, problem: str, *, maybe_done: bool = False) -> None:
        super().__init__(f"{where} is not available: {problem}. Try again later")
        self.where, self.problem, self.maybe_done = where, problem, maybe_done


class StoreBusy(ServiceUnavailable):
    """Other processes kept the file locked for all of ``waited_s`` seconds."""

    def __init__(self, where: str, waited_s: float) -> None:
        super().__init__(
            where,
            f"other processes kept it locked for {waited_s:g} s; a network file system without locks looks the same: "
            "the file must be on a disk of this machine then",
        )
        self.waited_s = waited_s


class TagsContended(ServiceUnavailable):
    """Others kept changing the tags of the same run; nothing was changed."""


class SchemaTooOld(MetaClientError):
    """The database behind the service is at schema version ``have``, this needs ``need``; ``command`` upgrades it.

    ``have`` and ``need`` are None where the service does not say them.
    """

    def __init__(self, have: int | str | None, need: int | str | None, command: str, message: str = "") -> None:
        super().__init__(
            message
            or f"the service's database is at schema version {have}, this needs {need}: have `{command}` run against it"
        )
        self.have, self.need, self.command = have, need, command


class SchemaTooNew(MetaClientError):
    """The file at ``path`` has schema version ``have``; this version of the library knows up to ``supported``."""

    def __init__(self, path: Path, have: int, supported: int) -> None:
        super().__init__(
            f"{path} has schema version {have}, this stepwell-meta-client knows versions up to {supported}: "
            "upgrade stepwell-meta-client. The file was not changed"
        )
        self.path, self.have, self.supported = path, have, supported


class ForeignFile(MetaClientError):
    """The file at ``path`` is no metadata store, or is damaged; it was not changed."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} is no readable metadata store ({problem}): name another file, or restore a backup")
        self.path, self.problem = path, problem


class StorageFailure(MetaClientError):
    """The file at ``path`` cannot be opened, read or written."""

    retryable = True

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}: check that the directory exists, is writable and has room")
        self.path, self.problem = path, problem


class StoreClosed(MetaClientError):
    """The store ``where`` was closed and is used again."""

    def __init__(self, where: str) -> None:
        super().__init__(f"{where} was closed: open it again")
        self.where = where


class UnknownScheme(MetaClientError):
    """No store can be opened by ``url``."""

    def __init__(self, url: object) -> None:
        super().__init__(f"{url!r} is no URL of a metadata store: use http://..., https://... or sqlite:///path")
        self.url = url


def _made_again(kind: type[MetaClientError], args: tuple[Any, ...], fields: dict[str, Any]) -> MetaClientError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(fields)
    return error


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"
