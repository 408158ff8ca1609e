"""What a join sees of an input beside its artifacts: its place in foreaches, and what the flow's class adds to a task."""

from __future__ import annotations

import attrs
from flow_graph import Outcome, foreach_frames

from stepwell.api.definition import FlowDefinition
from stepwell.api.flowspec import FlowSpec
from stepwell.execution.artifacts import Artifacts
from stepwell.execution.context import TaskContext
from stepwell.execution.records import TaskRecord


def flow_of_input(record: TaskRecord, flow: FlowDefinition, join: TaskContext) -> FlowSpec:
    """The flow as it was at the end of a task that a join reads; nothing that is done to it is kept."""

    def outcome_of(step: str, task: str) -> Outcome:
        decided = join.record_of(step, task).transition
        return Outcome(decided.cardinality, decided.choice)

    instance: FlowSpec = flow.cls(use_cli=False)
    instance._stepwell_context = TaskContext(
        spec=attrs.evolve(
            join.spec,
            step=record.step,
            task_id=record.task_id,
            attempt=record.attempt,
            inputs=record.inputs,
            frames=foreach_frames(flow.graph, record.step, record.task_id, outcome_of),
            items=(),  # those are the join's
        ),
        stores=join.stores,
        artifacts=Artifacts(join.stores.objects, record.artifacts),
        step_names=join.step_names,
        known=join.known,
        lists=join.lists,
    )
    return instance
