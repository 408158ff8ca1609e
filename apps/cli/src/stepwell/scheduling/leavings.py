"""What an attempt that is over left in the datastore: its record, or why it failed, and its log."""

from __future__ import annotations

import attrs
from cas_store import Backend, CasStoreError

from stepwell.api.definition import FlowDefinition
from stepwell.execution.records import FailureRecord, TaskRecord, find_handed_in, find_task, publish_task
from stepwell.execution.spec import TaskSpec
from stepwell.execution.stores import Stores
from stepwell.scheduling.attempts import Attempt, why_failed
from stepwell.scheduling.handing_on import Items, items_to_hand_on
from stepwell.scheduling.launchers import Exit


@attrs.frozen
class Leavings:
    """Either the record of the task, which is done then, or why the attempt failed.

    `items` are to be handed on to the tasks that it splits into, `unkept_log` is why its log is not kept.
    """

    record: TaskRecord | None
    failure: FailureRecord | None
    items: Items = ()
    unkept_log: CasStoreError | None = None


def gather(attempt: Attempt, end: Exit, flow: FlowDefinition, stores: Stores, keeps_log: bool) -> Leavings:
    """Keep the log of an attempt, publish the record that it handed over, or look for what it published itself.

    A task is done if its record is there, however its process ended. Raises `CasStoreError` where the datastore cannot say
    whether it is, as it refuses us or stays away.
    """
    unkept_log = _keep_log(attempt) if keeps_log else None
    record = _record(attempt.spec, end, stores.records)
    failure = None if record else why_failed(attempt, end.reason, flow, stores)
    items = items_to_hand_on(record, stores) if record else ()
    return Leavings(record, failure, items, unkept_log)


def _record(spec: TaskSpec, end: Exit, records: Backend) -> TaskRecord | None:
    if spec.gang:
        return find_handed_in(records, spec, spec.gang)
    if end.handed_over and publish_task(records, end.handed_over):
        return end.handed_over
    return end.record or find_task(records, spec.flow, spec.run_id, spec.step, spec.task_id)


def _keep_log(attempt: Attempt) -> CasStoreError | None:
    try:
        attempt.log.close()
    except CasStoreError as error:
        return error
    return None
