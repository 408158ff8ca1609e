"""Gangs: the tasks that `num_parallel` starts are done together, or tried again together.

A task of a gang hands in its record instead of publishing it. When all of one attempt have, the scheduler publishes them, the
task in control first: whichever process publishes that has published the gang, and another of the same run leaves its own aside.
"""

from __future__ import annotations

import secrets
from typing import TypeAlias

import attrs
from flow_graph import TaskName, task_id

from stepwell.execution.records import FailureRecord, TaskRecord, find_own_task, node_name, publish_task
from stepwell.execution.spec import TaskSpec
from stepwell.execution.stores import Stores
from stepwell.scheduling.attempts import Attempt

GangName: TypeAlias = tuple[str, str]


@attrs.define(eq=False)
class Gang:
    """One attempt of a gang of `size` tasks: those that ended, each with the record that it handed in, and the first that failed.

    `token` tells what they hand in from what any other attempt does, also another process's.
    """

    size: int
    token: str = attrs.field(factory=lambda: secrets.token_hex(4))
    ended: list[tuple[Attempt, TaskRecord | None]] = attrs.field(factory=list)
    failed: tuple[Attempt, FailureRecord] | None = None

    @property
    def is_over(self) -> bool:
        """Whether all of its tasks have ended."""
        return len(self.ended) == self.size

    def why_ended(self, attempt: Attempt) -> FailureRecord:
        """Why an attempt of one of its tasks counts for nothing."""
        assert self.failed is not None
        first, failure = self.failed
        if attempt is first:
            return failure
        message = f"Task {attempt.spec.pathspec} counts for nothing, as {first.spec.pathspec} of the same gang failed"
        return FailureRecord(type="GangFailed", message=message, traceback="", file=failure.file, line=failure.line)


def gang_of(spec: TaskSpec) -> GangName:
    """What names a task's gang: its step, and the task that is in control."""
    return spec.step, task_id((*(frame.index for frame in spec.frames[:-1]), 0))


def members(spec: TaskSpec) -> list[TaskName]:
    """All tasks of a task's gang, the one in control first."""
    *outer, frame = (*spec.frames,)
    path = tuple(one.index for one in outer)
    return [TaskName(spec.step, task_id((*path, index))) for index in range(frame.cardinality)]


def publish(stores: Stores, gang: Gang) -> list[tuple[Attempt, TaskRecord]]:
    """Make all tasks of a gang done with what they handed in; gives them, the one in control first.

    Gives nothing where another process of the run published the gang before.
    """
    handed_in = [(attempt, record) for attempt, record in gang.ended if record is not None]
    handed_in.sort(key=lambda one: one[0].spec.frames[-1].index)
    records = [record for _, record in handed_in]
    stores.content.confirm(one for record in records for value in record.artifacts.values() for one in value.digests())
    if not _publish_first(stores, records[0]):
        return []
    for record in records[1:]:
        publish_task(stores.records, record)
    return handed_in


def _publish_first(stores: Stores, record: TaskRecord) -> bool:
    if publish_task(stores.records, record):
        return True
    there = find_own_task(stores.records, record.flow, record.run_id, record.step, record.task_id)
    return there is not None and there.token == record.token  # else a write that was tried again


def clean_up(stores: Stores, gang: Gang) -> None:
    """Remove what was handed in: it is published, or counts for nothing."""
    stores.records.delete_many(node_name(attempt.spec, gang.token) for attempt, record in gang.ended if record)
