"""A run in production has no scheduler: its first task claims it, each task registers itself, and its last one ends it."""

from __future__ import annotations

import contextlib
import os
import sys
import urllib.request
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs
from cas_store import Reference
from meta_client import Conflict, MetaClientError, MetadataStore, open_store

from stepwell.api.configs import configs, names_of
from stepwell.api.definition import FlowDefinition
from stepwell.api.parameters import ParameterContext, values_of_run
from stepwell.config import load_settings, metadata_url, service_options
from stepwell.deploying.production_failure import failure_text
from stepwell.deploying.production_input import Given, read_input
from stepwell.deploying.production_tokens import namespace_of
from stepwell.deploying.production_version import Version, read_version
from stepwell.execution.artifacts import load_artifact
from stepwell.execution.claims import claim, end_run, new_claim, save_values, system_tags
from stepwell.execution.history import Record, attempt_history, place_history, step_history, task_history
from stepwell.execution.records import RunRecord, find_end, find_failure, find_task, read_run, untold_name
from stepwell.execution.spec import TaskSpec
from stepwell.execution.stores import Stores

if TYPE_CHECKING:
    from stepwell.deploying.job import JobTask

DEPLOYMENT = "STEPWELL_DEPLOYMENT"
_SECONDS_TO_TELL = 10
_TO_ANNOUNCE, _TO_REGISTER, _WHEN_AWAY = 2.0, 10.0, 0.5
"""Seconds for which the metadata service is asked again: who does not hear it now does later, and a job costs money."""
_PLACE = {
    "aws-batch-job-id": "AWS_BATCH_JOB_ID",
    "aws-batch-job-attempt": "AWS_BATCH_JOB_ATTEMPT",
    "aws-batch-queue": "AWS_BATCH_JQ_NAME",
}


def version_here(stores: Stores) -> Version:
    """The version that this job is of."""
    return read_version(stores, os.environ[DEPLOYMENT].removeprefix(f"{stores.root}/"))


def deployed_configs(flow: type, stores: Stores) -> dict[str, Any]:
    """The values that a flow's configs had when it was deployed, by attribute: a run that is to be claimed has these."""
    kept = version_here(stores).parameters
    names = [one.attribute for one in configs(flow).values()]
    return {name: load_artifact(stores.objects, kept[name], name) if name in kept else None for name in names}


def claim_production_run(flow: FlowDefinition, task: JobTask, stores: Stores, execution: str, given: str) -> None:
    """Claim the run for this execution, in its first task; `given` is the execution's input as JSON.

    The claim is the same whichever attempt makes it, so that a second one finds its own.
    """
    if task.step != flow.graph.start:
        return
    version = version_here(stores)
    asked = read_input(flow, given)
    record = new_claim(
        flow,
        stores,
        task.run_id,
        version.user,
        run_parameters(flow, stores, version, asked),
        save_values(stores, flow.constants, "constant"),
        package=(version.package, version.package_url),
        tags=version.tags,
        system=(*system_tags(flow, version.user, "production"), namespace_of(version.token)),
        token=execution,
    )
    claim(stores, attrs.evolve(record, execution_arn=version.execution_arn(execution), trigger=asked.trigger))


def run_parameters(flow: FlowDefinition, stores: Stores, version: Version, asked: Given) -> dict[str, Reference]:
    """What a run is started with: what it was given, else what was decided when the flow was deployed, else defaults.

    Raises `ParameterError` for a value that is wrong.
    """
    deployed = {name: one for name, one in version.parameters.items() if name not in asked.values}
    known = {**deployed, **asked.references}
    others = {name: parameter for name, parameter in flow.parameters.items() if name not in known}
    names = names_of(configs(flow.cls), flow.configs)
    values = values_of_run(others, asked.values, ParameterContext(flow.name, version.user, ds_type="s3", configs=names))
    return {**save_values(stores, values, "parameter"), **known}


def announce(spec: TaskSpec, stores: Stores) -> bool:
    """Tell the metadata service that an attempt begins and where, so that the task can be found while it runs.

    Says whether the service was there.
    """
    claimed = read_run(stores.records, spec.flow, spec.run_id)
    return _tell(claimed, spec, place_history(spec, {**_execution_facts(claimed), **_place_facts()}), _TO_ANNOUNCE)


def register(flow: FlowDefinition, spec: TaskSpec, stores: Stores, announced: bool = True) -> None:
    """Tell the metadata service of a finished attempt, and end the run after its last task.

    The service may be away: the task is done all the same, and the next task of the run that reaches it tells of it. Where it
    was not there when the attempt was `announced`, it is asked once more and not waited for.
    """
    claimed = read_run(stores.records, spec.flow, spec.run_id)
    record = find_task(stores.records, spec.flow, spec.run_id, spec.step, spec.task_id)
    if record and spec.step == flow.graph.end:
        end_run(stores, claimed, successful=True)
    failure = find_failure(stores.records, spec.flow, spec.run_id, spec.step, spec.task_id, spec.attempt)
    history = attempt_history(spec, record, None if record else failure, stores)
    told = _tell(claimed, spec, history, _TO_REGISTER if announced else _WHEN_AWAY)
    untold = untold_name(spec.flow, spec.run_id)
    if not told:
        stores.records.replace(untold, b"{}")
    elif stores.records.exists(untold):
        _complete_history(spec, stores)


def end_failed_run(task: JobTask, stores: Stores, reason: str) -> None:
    """End the run in the last attempt at a task that is not done: a task of a run that failed already changes nothing.

    Then tells the URL of the deployment, if it has one. Of what no job can tell, the failure machine does (`production_failure`).
    """
    if find_end(stores.records, task.flow, task.run_id) is not None:
        return
    claimed = read_run(stores.records, task.flow, task.run_id)
    failure = find_failure(stores.records, task.flow, task.run_id, task.step, task.task_id, task.attempt)
    said = failure.message if failure else reason
    end_run(stores, claimed, successful=False, failed_step=task.step, failed_task=task.task_id, reason=said)
    if url := version_here(stores).notify_url:
        _post(url, failure_text(task.flow, claimed.file, task.run_id, task.step, task.task_id, said))


def _post(url: str, text: str) -> None:
    """Tell a URL, as chats and pagers take it: `{"text": ...}`."""
    import json

    data, kind = json.dumps({"text": text}).encode(), {"Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, kind), timeout=_SECONDS_TO_TELL):
            pass
    except (OSError, ValueError) as error:
        print(f"stepwell: {url} was not told of the failure: {error}", file=sys.stderr, flush=True)


def _place_facts() -> dict[str, str]:
    return {name: os.environ[variable] for name, variable in _PLACE.items() if variable in os.environ}


def _execution_facts(claimed: RunRecord) -> dict[str, str]:
    """The execution, and where the console shows it."""
    if claimed.execution_arn is None:
        return {}
    return {"sfn-execution-arn": claimed.execution_arn, "sfn-execution-url": console_url(claimed.execution_arn)}


def console_url(execution_arn: str) -> str:
    """Where the AWS console shows an execution."""
    region = execution_arn.split(":")[3]
    return f"https://{region}.console.aws.amazon.com/states/home?region={region}#/v2/executions/details/{execution_arn}"


def _complete_history(spec: TaskSpec, stores: Stores) -> None:
    """Tell the metadata service of the run's tasks that it does not know; where it does not take them, the mark stays."""
    from stepwell.caring.reindexing import reindex_run

    settings = load_settings()
    with (
        contextlib.suppress(MetaClientError),
        open_store(metadata_url(settings), **service_options(settings)) as store,
    ):
        reindex_run(stores, store, spec.flow, spec.run_id)


def _tell(claimed: RunRecord, spec: TaskSpec, history: Sequence[Record], seconds: float) -> bool:
    """Register what is known of a task; says whether the metadata service took it."""
    settings = load_settings()
    try:
        url = metadata_url(settings)
        patience = {} if url.startswith("sqlite:") else {"retry_for": seconds}
        with open_store(url, **patience, **service_options(settings)) as store:
            _create_run(store, claimed)
            store.register_many([*step_history(claimed, spec.step), *task_history(spec), *history])
    except MetaClientError as error:
        print(f"stepwell: the metadata service was not told of this task: {error}", file=sys.stderr, flush=True)
        return False
    return True


def _create_run(store: MetadataStore, claimed: RunRecord) -> None:
    with contextlib.suppress(Conflict):  # each task tries: none knows which is the first to reach the service
        store.create_run(
            claimed.flow,
            run_id=claimed.run_id,
            user=claimed.user,
            tags=claimed.tags,
            system_tags=claimed.system_tags,
        )
