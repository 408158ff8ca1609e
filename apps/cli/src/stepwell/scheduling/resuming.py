"""Resume: what a new run takes over from an earlier one instead of running it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
from cas_store import Backend, MissingObject
from flow_graph import Node, PlannedTask, TaskName

from stepwell.errors import FlowError, NotFound
from stepwell.execution.records import RunRecord, TaskRecord, done_name, encode, find_task, read_run
from stepwell.execution.spec import TaskSpec

if TYPE_CHECKING:
    from meta_client import MetadataStore

    from stepwell.api.definition import FlowDefinition


@attrs.define
class Origin:
    """The run that is resumed. `again` names a step that runs again even where it was done.

    `entered_again` says that others may work on the new run, or did before: what is done there already is left as it is.
    """

    run: RunRecord
    records: Backend
    again: str | None = None
    entered_again: bool = False
    _taken_over: set[TaskName] = attrs.field(factory=set)

    def take_over(self, task: PlannedTask, spec: TaskSpec, node: Node) -> TaskRecord | None:
        """The record that a task has in the new run without being run; None where it has to run.

        It is taken over where the origin finished it, all before it were taken over, and the step's code, as it is now, can
        go on from what it decided.
        """
        if task.step == self.again or not self._taken_over.issuperset(task.parents):
            return None
        record = self._finished(task, spec)
        if record is None or not _fits(record, node):
            return None
        self._taken_over.add(task.name)
        return record

    def _finished(self, task: PlannedTask, spec: TaskSpec) -> TaskRecord | None:
        if self.entered_again:
            own = find_task(self.records, spec.flow, spec.run_id, task.step, task.task_id)
            if own is not None:
                return own
        record = find_task(self.records, self.run.flow, self.run.run_id, task.step, task.task_id)
        if record is None:
            return None
        origin = record.origin or f"{record.flow}/{record.run_id}/{record.step}/{record.task_id}"
        copy = attrs.evolve(record, run_id=spec.run_id, origin=origin)
        self.records.create(done_name(copy.flow, copy.run_id, copy.step, copy.task_id), encode(copy))
        return copy


def _fits(record: TaskRecord, node: Node) -> bool:
    """Whether the graph can go on from what a task decided, under code that may have changed since."""
    decided = record.transition
    foreach = getattr(node.transition, "variable", None)
    return set(decided.targets) == set(node.next) and decided.foreach == foreach


def find_origin(
    flow: FlowDefinition, metadata: MetadataStore, records: Backend, user: str, run_id: str | None, again: str | None
) -> Origin:
    """The run to resume: the given one of any user, or the user's latest; raises `NotFound`, or `FlowError` for no step."""
    if again is not None and again not in flow.graph:
        raise FlowError(
            f"The flow {flow.name} has no step '{again}' to resume from; it has: {', '.join(flow.graph.steps)}"
        )
    if run_id is None:
        latest = next(iter(metadata.list_runs(flow.name, tags=[f"user:{user}"], limit=1)), None)
        if latest is None:
            raise NotFound(f"{user} has no run of {flow.name} to resume: name one with --origin-run-id")
        run_id = str(latest.run_id)
    try:
        return Origin(read_run(records, flow.name, run_id), records, again)
    except MissingObject:
        raise NotFound(
            f"The run {flow.name}/{run_id} is not in this datastore, so it cannot be resumed from here; "
            f"stepwell ls {flow.name} --all lists the runs there are"
        ) from None
