"""A mixture of records, checked and sorted by kind, so that parents can be registered before what belongs to them."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from meta_client.checks import check_artifact, check_metadatum, check_new_id, check_path, check_user
from meta_client.errors import InvalidRequest
from meta_client.records import Artifact, Metadatum, Step, Task

Record = Step | Task | Artifact | Metadatum


@attrs.frozen
class Batch:
    """Records to register, in the order given within each kind."""

    steps: list[Step] = attrs.field(factory=list)
    tasks: list[Task] = attrs.field(factory=list)
    artifacts: list[Artifact] = attrs.field(factory=list)
    metadata: list[Metadatum] = attrs.field(factory=list)


def sort_records(records: Iterable[Record]) -> Batch:
    """Check records that name their full path, and sort them. Raises `InvalidRequest`."""
    if not isinstance(records, Iterable):
        raise InvalidRequest("records", records, "it must be a list of records")
    batch, paths = Batch(), _CheckedPaths()
    for record in records:
        match record:
            case Metadatum():
                paths.check(record)
                check_metadatum(record)
                batch.metadata.append(record)
            case Artifact():
                paths.check(record)
                check_artifact(record)
                batch.artifacts.append(record)
            case Task():
                check_path(record.flow_id, record.run_id, record.step_name)
                check_new_id("task_id", record.task_id)
                check_user(record.user_name)
                batch.tasks.append(record)
            case Step():
                check_path(record.flow_id, record.run_id, record.step_name)
                check_user(record.user_name)
                batch.steps.append(record)
            case _:
                raise InvalidRequest("record", record, "only steps, tasks, artifacts and metadata can be registered")
    return batch


class _CheckedPaths:
    """Checks each task's path once: a batch holds many records of few tasks."""

    def __init__(self) -> None:
        self._known: set[tuple[object, ...]] = set()

    def check(self, record: Artifact | Metadatum) -> None:
        path = (record.flow_id, record.run_id, record.step_name, record.task_id)
        if path not in self._known:
            check_path(*path)
            self._known.add(path)
