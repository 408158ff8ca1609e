"""Bulk registration: steps, tasks, artifacts and metadata of one run in one request, all or nothing.

The body is an object of lists, ``{"steps": [...], "tasks": [...], "artifacts": [...], "metadata": [...]}``, of records as
they are on the wire. Rows name their step and task; the flow and the run are the path's. Other than in the requests that
clients of the original send, a row that cannot be stored is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import attrs

from metadata_service import incoming
from metadata_service.errors import InvalidRequest
from metadata_service.ids import is_number, number
from metadata_service.incoming import NewArtifact, NewMetadatum

RowT = TypeVar("RowT")


@attrs.frozen
class TaskRef:
    """A task of the run: by its number, or by the name that a client gave it."""

    step_name: str
    task_number: int | None = None
    task_name: str | None = None


@attrs.frozen
class NewStep:
    """A step to register."""

    step_name: str
    user_name: str | None


@attrs.frozen
class NewTask:
    """A task to register, by the client's name for it."""

    step_name: str
    task_name: str
    user_name: str | None


@attrs.frozen
class OfTask(Generic[RowT]):
    """A row, and the task that it belongs to."""

    task: TaskRef
    row: RowT


@attrs.frozen
class Batch:
    """What to register. ``again``: it may have been registered before, so equal metadata are not added once more."""

    steps: tuple[NewStep, ...]
    tasks: tuple[NewTask, ...]
    artifacts: tuple[OfTask[NewArtifact], ...]
    metadata: tuple[OfTask[NewMetadatum], ...]
    again: bool


def read_batch(body: Any) -> Batch:
    """Read the body of a bulk registration. Raises `InvalidRequest`, which names the row."""
    fields = incoming.json_object(body)
    unknown = sorted(set(fields) - {"steps", "tasks", "artifacts", "metadata", "again"})
    if unknown:
        raise InvalidRequest(f"the body holds what is not known: {', '.join(unknown)[:100]}")
    return Batch(
        steps=_rows(fields, "steps", _step),
        tasks=_rows(fields, "tasks", _task),
        artifacts=_rows(fields, "artifacts", lambda row: OfTask(_ref(row), incoming.artifact(row))),
        metadata=_rows(fields, "metadata", lambda row: OfTask(_ref(row), incoming.metadatum(row))),
        again=_flag(fields, "again"),
    )


def _rows(fields: Mapping[str, Any], kind: str, read: Callable[[Mapping[str, Any]], RowT]) -> tuple[RowT, ...]:
    given = fields.get(kind, [])
    if not isinstance(given, list):
        raise InvalidRequest(f"{kind} must be a list of objects, got {type(given).__name__}")
    rows = []
    for place, row in enumerate(given):
        try:
            rows.append(read(incoming.json_object(row)))
        except InvalidRequest as error:
            raise InvalidRequest(f"{kind}[{place}]: {error}") from error
    return tuple(rows)


def _flag(fields: Mapping[str, Any], key: str) -> bool:
    value = fields.get(key, False)
    if not isinstance(value, bool):
        raise InvalidRequest(f"{key} must be true or false")
    return value


def _step(row: Mapping[str, Any]) -> NewStep:
    return NewStep(_name(row, "step_name"), incoming.name_or_none(row, "user_name"))


def _task(row: Mapping[str, Any]) -> NewTask:
    name = incoming.given_id(row, "task_id")
    if name is None:
        raise InvalidRequest("task_id is missing: only tasks that a client names can be registered in bulk")
    return NewTask(_name(row, "step_name"), name, incoming.name_or_none(row, "user_name"))


def _ref(row: Mapping[str, Any]) -> TaskRef:
    given = row.get("task_id")
    if type(given) is int or (isinstance(given, str) and is_number(given)):
        return TaskRef(_name(row, "step_name"), task_number=number(str(given)))
    return TaskRef(_name(row, "step_name"), task_name=_name(row, "task_id"))


def _name(row: Mapping[str, Any], key: str) -> str:
    return incoming.check_name(key, incoming.check_text(key, row.get(key)))
