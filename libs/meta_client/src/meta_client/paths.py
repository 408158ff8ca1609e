"""Where a record belongs: as a tuple to look it up by, and in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import attrs

from meta_client.errors import InvalidRequest
from meta_client.records import Artifact, Id, Metadatum, Run, Task

TaskPath = tuple[str, Id, str, Id]
TaskKey = tuple[str, ...]
OfTask = TypeVar("OfTask", Artifact, Metadatum)


def path_of(record: Task | Artifact | Metadatum) -> TaskPath:
    """Flow, run, step and task."""
    try:
        return record.flow_id, record.run_id, record.step_name, record.task_id
    except AttributeError:
        raise InvalidRequest("task", record, "it must be a Task, as create_task and get_task give it") from None


def task_key(path: TaskPath) -> TaskKey:
    """The path as text: "12" and 12 are the same run."""
    return tuple(map(str, path))


def target_path(target: Run | Task) -> tuple[Id, ...]:
    """Flow and run, of a task also step and task."""
    if isinstance(target, Task):
        return path_of(target)
    if isinstance(target, Run):
        return target.flow_id, target.run_id
    raise InvalidRequest("target", target, "it must be a Run or a Task, as the store gives them")


def placed(records: Iterable[OfTask], task: Task) -> list[OfTask]:
    """The records with the task's path."""
    flow, run, step, task_id = path_of(task)
    if not isinstance(records, Iterable):
        raise InvalidRequest("records", records, "it must be a list of Artifacts or of Metadata")
    records = list(records)
    for each in records:
        if not isinstance(each, (Artifact, Metadatum)):
            raise InvalidRequest("record", each, "it must be an Artifact or a Metadatum")
    return [attrs.evolve(each, flow_id=flow, run_id=run, step_name=step, task_id=task_id) for each in records]


def in_words(*path: Id | None) -> str:
    """Such as "step MyFlow/12/train", for messages."""
    kind = ("flow", "run", "step", "task", "artifact")[len(path) - 1]
    return f"{kind} {'/'.join(map(str, path))}"


def segments(*path: Id) -> tuple[Id, ...]:
    """The segments of a service's URL that names a flow, run, step or task."""
    return tuple(part for pair in zip(("flows", "runs", "steps", "tasks"), path, strict=False) for part in pair)
