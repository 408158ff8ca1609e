"""A run in production has no scheduler: its first task claims it, each task registers itself, and its last one ends it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cas_store import Reference
from meta_client import Conflict, MetaClientError, MetadataStore, open_store

from stepwell.api.definition import FlowDefinition
from stepwell.api.included import IncludeFile
from stepwell.api.parameters import ParameterContext, values_of_run
from stepwell.config import load_settings, metadata_url, service_options
from stepwell.errors import ParameterError
from stepwell.execution.claims import claim, end_run, new_claim, save_values, system_tags
from stepwell.execution.history import Record, attempt_history, step_history, task_history
from stepwell.execution.records import RunRecord, find_failure, find_task, read_run
from stepwell.execution.spec import TaskSpec
from stepwell.execution.stores import Stores

if TYPE_CHECKING:
    from stepwell.deploying.job import JobTask

USER, TAGS = "STEPWELL_USER", "STEPWELL_TAGS"


def claim_production_run(flow: FlowDefinition, task: JobTask, stores: Stores, execution: str, given: str) -> None:
    """Claim the run for this execution, in its first task; `given` is the execution's input as JSON.

    The claim is the same whichever attempt makes it, so that a second one finds its own.
    """
    if task.step != flow.graph.start:
        return
    user = os.environ.get(USER, "production")
    record = new_claim(
        flow,
        stores,
        task.run_id,
        user,
        save_parameters(flow, stores, json.loads(given), user),
        save_values(stores, flow.constants, "constant"),
        package=(task.package, os.environ["STEPWELL_PACKAGE_URL"]) if task.package else None,
        tags=tuple(json.loads(os.environ.get(TAGS, "[]"))),
        system=system_tags(flow, user, "production"),
        token=execution,
    )
    claim(stores, record)


def execution_input(flow: FlowDefinition, stores: Stores, values: Mapping[str, Any]) -> dict[str, Any]:
    """The input of an execution: parameter values as JSON; of included files, which may be large, references."""
    return {
        name: stores.objects.save(value).to_json()
        if isinstance(flow.parameters[name], IncludeFile) and value is not None
        else value
        for name, value in values.items()
    }


def save_parameters(flow: FlowDefinition, stores: Stores, given: Any, user: str) -> dict[str, Reference]:
    """The parameters of a run from the input of its execution; raises `ParameterError` for one that is wrong."""
    if not isinstance(given, dict) or not set(given) <= set(flow.parameters):
        known = ", ".join(flow.parameters) or "none"
        raise ParameterError(
            f"The execution's input must be an object of parameters; the flow has: {known}; it is {given!r}"
        )
    included = {
        name: Reference.from_json(given[name])
        for name, parameter in flow.parameters.items()
        if isinstance(parameter, IncludeFile) and isinstance(given.get(name), dict)
    }
    others = {name: parameter for name, parameter in flow.parameters.items() if name not in included}
    values = values_of_run(others, given, ParameterContext(flow.name, user, ds_type="s3"))
    return {**save_values(stores, values, "parameter"), **included}


def announce(spec: TaskSpec, stores: Stores) -> None:
    """Tell the metadata service that an attempt begins, so that the task can be found while it runs."""
    _tell(read_run(stores.records, spec.flow, spec.run_id), spec, [])


def register(flow: FlowDefinition, spec: TaskSpec, stores: Stores) -> None:
    """Tell the metadata service of a finished attempt, and end the run after its last task.

    The service may be away: the task is done all the same, and the service lacks a line about it.
    """
    claimed = read_run(stores.records, spec.flow, spec.run_id)
    record = find_task(stores.records, spec.flow, spec.run_id, spec.step, spec.task_id)
    if record and spec.step == flow.graph.end:
        end_run(stores, claimed, successful=True)
    failure = find_failure(stores.records, spec.flow, spec.run_id, spec.step, spec.task_id, spec.attempt)
    _tell(claimed, spec, attempt_history(spec, record, None if record else failure, stores))


def _tell(claimed: RunRecord, spec: TaskSpec, history: Sequence[Record]) -> None:
    settings = load_settings()
    try:
        with open_store(metadata_url(settings), **service_options(settings)) as store:
            _create_run(store, claimed)
            store.register_many([*step_history(claimed, spec.step), *task_history(spec), *history])
    except MetaClientError as error:
        print(f"stepwell: the metadata service was not told of this task: {error}", file=sys.stderr, flush=True)


def _create_run(store: MetadataStore, claimed: RunRecord) -> None:
    with contextlib.suppress(Conflict):  # each task tries: none knows which is the first to reach the service
        store.create_run(
            claimed.flow,
            run_id=claimed.run_id,
            user=claimed.user,
            tags=claimed.tags,
            system_tags=claimed.system_tags,
        )
