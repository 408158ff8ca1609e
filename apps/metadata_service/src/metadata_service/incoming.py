"""From request bodies to values that the database can hold.

Single objects are refused when something is wrong with them; rows of a bulk request that cannot be stored
are left out, as clients of the original expect, and the answer's count says how many went in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from metadata_service.errors import InvalidRequest
from metadata_service.ids import is_number

LONGEST_NAME = 255
_SMALLEST_TEXT = " "  # what an absent field of a bulk row means
_LARGEST_ATTEMPT = 2**31 - 1

RowT = TypeVar("RowT")


@attrs.frozen
class NewObject:
    """What a body says about a new flow, run, step or task; ``given_id`` is the client's own name for it."""

    user_name: str | None
    tags: tuple[str, ...] | None
    system_tags: tuple[str, ...] | None
    given_id: str | None = None


@attrs.frozen
class NewMetadatum:
    """One row to register."""

    field_name: str
    value: str
    type: str
    user_name: str | None
    tags: tuple[str, ...] | None
    system_tags: tuple[str, ...] | None


@attrs.frozen
class NewArtifact:
    """One artifact pointer to register."""

    name: str
    location: str | None
    ds_type: str | None
    sha: str | None
    type: str | None
    content_type: str | None
    attempt_id: int
    user_name: str | None


@attrs.frozen
class TagMutation:
    """What to add and what to remove."""

    add: tuple[str, ...]
    remove: tuple[str, ...]


def parse_json(body: bytes) -> Any:
    """The body as JSON, whatever its content type says. Raises `InvalidRequest`."""
    try:
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


def new_object(body: Any, *, id_field: str | None = None) -> NewObject:
    """Read the body of a POST of one object; ``id_field`` may carry the client's own id. Raises `InvalidRequest`."""
    fields = json_object(body)
    return NewObject(
        user_name=name_or_none(fields, "user_name"),
        tags=_tags_or_none(fields, "tags"),
        system_tags=_tags_or_none(fields, "system_tags"),
        given_id=given_id(fields, id_field) if id_field else None,
    )


def new_metadata(body: Any) -> tuple[NewMetadatum, ...]:
    """Read the storable rows of a metadata POST. Raises `InvalidRequest` if the body is no list."""
    return _storable(body, metadatum)


def new_artifacts(body: Any) -> tuple[NewArtifact, ...]:
    """Read the storable rows of an artifact POST. Raises `InvalidRequest` if the body is no list."""
    return _storable(body, artifact)


def tag_mutation(body: Any) -> TagMutation:
    """Read the body of a tag mutation. Raises `InvalidRequest`."""
    fields = json_object(body)
    return TagMutation(add=_mutation_list(fields, "tags_to_add"), remove=_mutation_list(fields, "tags_to_remove"))


def check_name(what: str, name: str) -> str:
    """A name that the database can hold. Raises `InvalidRequest`."""
    if not name:
        raise InvalidRequest(f"{what} must not be empty")
    if len(name) > LONGEST_NAME:
        raise InvalidRequest(f"{what} is {len(name)} characters long, the limit is {LONGEST_NAME}")
    return check_text(what, name)


def is_text(value: str) -> bool:
    """Whether Postgres can hold it: no NUL, no half of a surrogate pair."""
    return "\0" not in value and not any("\ud800" <= char <= "\udfff" for char in value)


def check_text(what: str, value: Any) -> str:
    """A string that the database can hold. Raises `InvalidRequest`."""
    if not isinstance(value, str):
        raise InvalidRequest(f"{what} must be a string, got {type(value).__name__}")
    if not is_text(value):
        raise InvalidRequest(f"{what} holds a character that cannot be stored (NUL or half a surrogate pair)")
    return value


def json_object(body: Any) -> Mapping[str, Any]:
    """The body, or a row, as an object. Raises `InvalidRequest`."""
    if not isinstance(body, dict):
        raise InvalidRequest(f"the body must be a JSON object, got {type(body).__name__}")
    return body


def name_or_none(fields: Mapping[str, Any], key: str) -> str | None:
    """A field that may be absent or null. Raises `InvalidRequest`."""
    value = fields.get(key)
    if value is None:
        return None
    if len(check_text(key, value)) > LONGEST_NAME:
        raise InvalidRequest(f"{key} is {len(value)} characters long, the limit is {LONGEST_NAME}")
    return str(value)


def _tags_or_none(fields: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    value = fields.get(key)
    if value is None:
        return None
    if not isinstance(value, list):
        raise InvalidRequest(f"{key} must be a list of strings, got {type(value).__name__}")
    return tuple(check_text(f"each of {key}", tag) for tag in value)


def given_id(fields: Mapping[str, Any], key: str) -> str | None:
    """The client's own name for a run or a task, if it gives one. Raises `InvalidRequest`."""
    value = fields.get(key)
    if value is None:
        return None
    kind = {"run_number": "run_id", "task_id": "task_name"}[key]
    if isinstance(value, (int, float)) or (isinstance(value, str) and is_number(value)):
        raise InvalidRequest(f"provided {kind} may not be a numeric")
    return check_name(key, check_text(key, value))


def _mutation_list(fields: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = fields.get(key, [])
    if not isinstance(value, list):
        raise InvalidRequest(f"{key} must be a list", bare=True)
    if not all(isinstance(tag, str) for tag in value):
        raise InvalidRequest("All tag values must be strings", bare=True)
    return tuple(check_text(f"each of {key}", tag) for tag in value)


def _storable(body: Any, read: Callable[[Mapping[str, Any]], RowT]) -> tuple[RowT, ...]:
    if not isinstance(body, list):
        raise InvalidRequest(f"the body must be a JSON list of objects, got {type(body).__name__}")
    rows = []
    for row in body:
        try:
            rows.append(read(json_object(row)))
        except InvalidRequest:
            continue
    return tuple(rows)


def metadatum(row: Mapping[str, Any]) -> NewMetadatum:
    """Read one row. Raises `InvalidRequest`."""
    return NewMetadatum(
        field_name=_row_name(row, "field_name"),
        value=_row_text(row, "value"),
        type=_row_name(row, "type"),
        user_name=name_or_none(row, "user_name"),
        tags=_tags_or_none(row, "tags"),
        system_tags=_tags_or_none(row, "system_tags"),
    )


def artifact(row: Mapping[str, Any]) -> NewArtifact:
    """Read one row. Raises `InvalidRequest`."""
    return NewArtifact(
        name=_row_name(row, "name"),
        location=_optional_text(row, "location"),
        ds_type=_optional_text(row, "ds_type"),
        sha=_optional_text(row, "sha"),
        type=_optional_text(row, "type"),
        content_type=_optional_text(row, "content_type"),
        attempt_id=_attempt(row),
        user_name=_optional_text(row, "user_name"),
    )


def _attempt(row: Mapping[str, Any]) -> int:
    value = row.get("attempt_id", 0)
    if isinstance(value, str) and value.isdecimal() and len(value) < 12:
        value = int(value)
    if type(value) is not int or not 0 <= value <= _LARGEST_ATTEMPT:
        raise InvalidRequest("attempt_id must be a whole number from 0")
    return value


def _row_name(row: Mapping[str, Any], key: str) -> str:
    text = _row_text(row, key)
    if len(text) > LONGEST_NAME:
        raise InvalidRequest(f"{key} is {len(text)} characters long, the limit is {LONGEST_NAME}")
    return text


def _row_text(row: Mapping[str, Any], key: str) -> str:
    try:
        text = _as_text(row.get(key, _SMALLEST_TEXT))
    except RecursionError as error:
        raise InvalidRequest(f"{key} is a list of lists, and too deep") from error
    return check_text(key, text)


def _optional_text(row: Mapping[str, Any], key: str) -> str | None:
    return None if key in row and row[key] is None else _row_text(row, key)


def _as_text(value: Any) -> Any:
    """Numbers, booleans and lists of them as the text that clients of the original read back."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        return "{" + ",".join(str(_as_text(item)) for item in value) + "}"
    return value
