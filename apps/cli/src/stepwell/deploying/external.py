"""Runs whose tasks another program starts: begin one, then run its tasks one by one, in any order that the graph allows."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from cas_store import MissingObject
from flow_graph import InvalidTaskId, parse_task_id

from stepwell.api.definition import FlowDefinition
from stepwell.config import Settings, metadata_url, service_options, user_name
from stepwell.deploying.job import JobTask, resolve
from stepwell.errors import FlowError, NotFound
from stepwell.execution.claims import claim_numbered_run, end_run, new_claim, save_parameters, save_values, system_tags
from stepwell.execution.history import Record, attempt_history, step_history, task_history
from stepwell.execution.records import RunRecord, done_name, find_failure, find_task, read_run
from stepwell.execution.spec import TaskOutcome, TaskSpec
from stepwell.execution.stores import open_stores
from stepwell.execution.task import run


def begin(flow: FlowDefinition, values: Mapping[str, Any], settings: Settings, tags: tuple[str, ...]) -> RunRecord:
    """Claim a run of a flow with these parameter values, and start none of its tasks."""
    from meta_client import open_store

    stores, user = open_stores(settings), user_name(settings)
    parameters, constants = save_parameters(stores, values, flow), save_values(stores, flow.constants, "constant")
    system = system_tags(flow, user, "dev")

    def make(run_id: str) -> RunRecord:
        return new_claim(flow, stores, run_id, user, parameters, constants, tags=tags, system=system)

    with open_store(metadata_url(settings), **service_options(settings)) as metadata:
        _, claimed = claim_numbered_run(metadata, stores, make, flow.name, user, tags, system)
    return claimed


def find_spec(flow: FlowDefinition, settings: Settings, run_id: str, step: str, task_id: str, attempt: int) -> TaskSpec:
    """What one attempt at a task is to read, from the run's records; raises `FlowError` and `NotFound`."""
    if step not in flow.graph:
        raise FlowError(f"The flow {flow.name} has no step '{step}'; it has: {', '.join(flow.graph.steps)}")
    try:
        path, iteration = parse_task_id(task_id, flow.graph.foreach_depth(step))
    except InvalidTaskId as error:
        raise FlowError(f"'{task_id}' is no task of step '{step}': {error}") from error
    task, stores = JobTask(flow.name, run_id, step, path, iteration, attempt, None), open_stores(settings)
    try:
        read_run(stores.records, flow.name, run_id)
        spec = resolve(task, flow, stores)
        for before in spec.inputs:
            stores.records.stat(done_name(flow.name, run_id, *before))
    except MissingObject as error:
        raise NotFound(
            f"The task {flow.name}/{run_id}/{step}/{task_id} cannot begin: a record that it needs is not there. {error}\n"
            "The run has to be there (init), and all tasks before this one have to be done"
        ) from None
    return spec


def run_one(flow: FlowDefinition, settings: Settings, spec: TaskSpec) -> TaskOutcome:
    """Run one attempt in this process, tell the metadata store of it, and end the run after its last task."""
    stores = open_stores(settings)
    claimed = read_run(stores.records, spec.flow, spec.run_id)
    begun = [*step_history(claimed, spec.step), *task_history(spec)]
    _tell(begun, settings)
    os.environ.update(flow.variables(spec.step))  # for imports it is too late: the starter sets what those need
    outcome = run(spec, stores, flow)
    if outcome.done and spec.step == flow.graph.end:
        end_run(stores, claimed, successful=True)
    record = find_task(stores.records, spec.flow, spec.run_id, spec.step, spec.task_id)
    failure = find_failure(stores.records, spec.flow, spec.run_id, spec.step, spec.task_id, spec.attempt)
    _tell([*begun, *attempt_history(spec, record, None if record else failure, stores)], settings)
    return outcome


def outcome_of(settings: Settings, spec: TaskSpec) -> dict[str, Any]:
    """Where a finished task goes, as its starter needs to know: targets, items of a foreach, the choice of a switch."""
    record = find_task(open_stores(settings).records, spec.flow, spec.run_id, spec.step, spec.task_id)
    return attrs.asdict(record.transition) if record else {}


def _tell(history: Sequence[Record], settings: Settings) -> None:
    """The metadata store may be away: the task is done all the same (`stepwell reindex` tells it later)."""
    from meta_client import MetaClientError, open_store

    try:
        with open_store(metadata_url(settings), **service_options(settings)) as metadata:
            metadata.register_many(history)
    except MetaClientError as error:
        print(f"Warning: the metadata store was not told of this task: {error}", file=sys.stderr, flush=True)
