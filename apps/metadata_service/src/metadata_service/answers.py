"""The shapes of answers on the wire, warts included where clients rely on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import attrs
from flask import Response

from metadata_service.errors import (
    DatabaseUnavailable,
    Duplicate,
    InvalidRequest,
    MetadataServiceError,
    MissingParent,
    NotFound,
    SchemaTooOld,
    SystemTagRemoval,
)
from metadata_service.registering import Created
from metadata_service.storage import Listing

# What clients compare with to learn what the service can: the release of the original whose API this is.
WIRE_VERSION = "2.5.1"

_UNIQUE_VIOLATION, _FOREIGN_KEY_VIOLATION = "23505", "23503"


def text(body: str, status: int = 200) -> Response:
    """Plain text."""
    return Response(body, status, content_type="text/plain; charset=utf-8")


def json_value(value: Any, status: int = 200) -> Response:
    """A JSON value."""
    return Response(json.dumps(value, separators=(",", ":")), status, content_type="application/json")


def json_in_json(value: Any, status: int = 200) -> Response:
    """JSON inside a JSON string, which clients of some routes decode twice."""
    return json_value(json.dumps(value), status)


def record(found: Any) -> Response:
    """One record."""
    return json_value(found.to_wire())


def listing(found: Listing[Any]) -> Response:
    """A list of records; where the next page begins is in the headers."""
    response = json_value([each.to_wire() for each in found.records])
    if found.limit is not None:
        response.headers["X-Limit"] = str(found.limit)
    if found.next_cursor is not None:
        response.headers["X-Next-Cursor"] = found.next_cursor
    return response


def heartbeat(interval_s: int, status: int = 200) -> Response:
    """How long to wait before the next heartbeat."""
    return json_in_json({"wait_time_in_seconds": interval_s}, status)


def tags(found: Sequence[str]) -> Response:
    """A run's tags after a mutation."""
    return json_value({"tags": list(found)})


def created(counts: Created) -> Response:
    """How many rows of a batch were new."""
    return json_value({f"{kind}_created": count for kind, count in attrs.asdict(counts).items()})


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
