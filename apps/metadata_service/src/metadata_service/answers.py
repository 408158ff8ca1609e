"""The shapes of answers on the wire, warts included where clients rely on them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import attrs
from flask import Request, Response

from metadata_service.deleting import Deleted
from metadata_service.errors import (
    DatabaseUnavailable,
    Duplicate,
    InvalidRequest,
    MetadataServiceError,
    MissingParent,
    NotFound,
    SchemaTooOld,
    SystemTagRemoval,
    Unauthenticated,
)
from metadata_service.records import Json
from metadata_service.registering import Created
from metadata_service.storage import Listing

# What clients compare with to learn what the service can: the release of the original whose API this is,
WIRE_VERSION = "2.5.1"
# and on earlier schemas the last that could no more: without heartbeats (2.0.4), without tag mutation (2.3.0).
_WIRE_VERSIONS = {0: "0", 1: "2.0.3", 2: "2.2.4"}

_encode = json.JSONEncoder(separators=(",", ":")).encode
_UNIQUE_VIOLATION, _FOREIGN_KEY_VIOLATION = "23505", "23503"


def wire_version(schema: int) -> str:
    """The highest release of the original that a schema version can stand for."""
    return _WIRE_VERSIONS.get(schema, WIRE_VERSION)


def text(body: str, status: int = 200) -> Response:
    """Plain text."""
    return Response(body, status, content_type="text/plain; charset=utf-8")


def json_value(value: Any, status: int = 200) -> Response:
    """A JSON value."""
    return _json(_encode(value), status)


def _json(text: Json, status: int = 200) -> Response:
    return Response(text, status, content_type="application/json")


def json_in_json(value: Any, status: int = 200) -> Response:
    """JSON inside a JSON string, which clients of some routes decode twice."""
    return json_value(json.dumps(value), status)


def record(found: Json) -> Response:
    """One record."""
    return _json(found)


def listing(found: Listing) -> Response:
    """A list of records, sent while it is read if it is long; where the next page begins is in the headers."""
    response = _streamed(found.parts) if isinstance(found.parts, Iterator) else _json("".join(_listed(found.parts)))
    if found.limit is not None:
        response.headers["X-Limit"] = str(found.limit)
    if found.next_cursor is not None:
        response.headers["X-Next-Cursor"] = found.next_cursor
    return response


def _streamed(parts: Iterator[Sequence[Json]]) -> Response:
    text = _listed(parts)
    first = next(text)  # what fails at the start is still answered as an error
    return Response(chain([first], text), content_type="application/json")


def _listed(parts: Iterable[Sequence[Json]]) -> Iterator[str]:
    before = "["
    for part in parts:
        yield before + ",".join(part)
        before = ","
    yield "[]" if before == "[" else "]"


def revalidated(response: Response, request: Request) -> Response:
    """A record may be kept by who has it, and asked for again: an equal one is not sent twice. Tags of a run may change."""
    response.headers.extend([("ETag", f'"{_digest(response.get_data())}"'), ("Cache-Control", "private, no-cache")])
    if "HTTP_IF_NONE_MATCH" in request.environ:
        response.make_conditional(request)
    return response


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:40]


def heartbeat(interval_s: int, status: int = 200) -> Response:
    """How long to wait before the next heartbeat."""
    return json_in_json({"wait_time_in_seconds": interval_s}, status)


def tags(found: Sequence[str]) -> Response:
    """A run's tags after a mutation."""
    return json_value({"tags": list(found)})


def created(counts: Created) -> Response:
    """How many rows of a batch were new."""
    return json_value({f"{kind}_created": count for kind, count in attrs.asdict(counts).items()})


def deleted(found: Deleted) -> Response:
    """How many rows of a run went; 202 if some are left."""
    counts = attrs.asdict(found)
    whole = counts.pop("whole")
    return json_value({f"{kind}_deleted": count for kind, count in counts.items()}, 200 if whole else 202)


def to_error(error: MetadataServiceError) -> Response:
    """The answer that says what went wrong."""
    match error:
        case NotFound():
            return json_value({}, error.status)
        case Duplicate():
            return json_in_json(_database_error(error, _UNIQUE_VIOLATION), error.status)
        case MissingParent():
            return json_in_json(_database_error(error, _FOREIGN_KEY_VIOLATION), error.status)
        case SystemTagRemoval() | InvalidRequest(bare=True):
            return json_value(str(error), error.status)
        case SchemaTooOld():
            return json_value(_schema_too_old(error), error.status)
        case Unauthenticated():
            response = json_value({"message": str(error)}, error.status)
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        case DatabaseUnavailable():
            response = json_value({"message": str(error)}, error.status)
            response.headers["Retry-After"] = "1"
            return response
        case _:
            return json_value({"message": str(error)}, error.status)


def _database_error(error: MetadataServiceError, code: str) -> dict[str, Any]:
    """The shape in which the original lets its database's errors through."""
    message = str(error)
    diagnosis = {"message_primary": message, "severity": "ERROR"}
    return {"err_msg": {"pgerror": f"ERROR:  {message}\n", "pgcode": code, "diag": diagnosis}}


def _schema_too_old(error: SchemaTooOld) -> dict[str, Any]:
    return {
        "error": "schema_too_old",
        "message": str(error),
        "have": error.have,
        "need": error.need,
        "command": error.command,
    }
