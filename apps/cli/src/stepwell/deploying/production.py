"""A flow on the production scheduler: compiled, deployed, started, removed."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from sched_sfn import BatchJob, BatchRunner, Deployment, S3Record, StateMachine, Template, compile_machine

from stepwell.api.definition import FlowDefinition
from stepwell.config import Settings, user_name
from stepwell.deploying.batch import job_spec, open_client, queue_of
from stepwell.deploying.environment import flow_environment
from stepwell.deploying.job import EXECUTION, ITERATION, OFFSET, PARAMETERS, PATH, STEP, production_run_id
from stepwell.deploying.package import package_address, upload_package
from stepwell.deploying.production_run import USER, execution_input
from stepwell.errors import SettingsError
from stepwell.execution.records import done_name
from stepwell.execution.stores import Stores, open_stores

FORMAT = 1
Package = tuple[str, str]


def machine_name(flow: FlowDefinition, settings: Settings) -> str:
    """The name of the flow's state machine; one with `@project` has one for each branch."""
    project = flow.project(user_name(settings))
    return f"{settings.get('STEPWELL_SFN_PREFIX') or ''}{project.project_flow_name if project else flow.name}"


def compile_flow(flow: FlowDefinition, settings: Settings) -> StateMachine:
    """The state machine that `deploy` would deploy; nothing is uploaded or registered."""
    stores = _shared_stores(settings)
    return _machine(flow, settings, stores, package_address(flow.file, stores))


def deploy(flow: FlowDefinition, settings: Settings) -> Deployment:
    """Upload the code, register the job definitions, create or change the state machine; the same content changes nothing.

    What the deployment keeps alive in the datastore is noted first, so that a collection beside it takes nothing away.
    """
    stores = _shared_stores(settings)
    package = upload_package(flow.file, stores)
    name = machine_name(flow, settings)
    root = {"format": FORMAT, "flow": flow.name, "machine": name, "package": package[0], "created": time.time()}
    stores.records.replace(f"roots/{name}.json", json.dumps(root).encode())
    batch = open_client(settings, queue_of(flow, flow.graph.start, settings))  # definitions are of no queue
    for node in flow.graph:
        batch.definition(job_spec(flow, node.name, settings, {}))
    role = settings.require("STEPWELL_SFN_ROLE", "AWS Step Functions")
    machine = _machine(flow, settings, stores, package)
    deployment = Deployment(name, machine, role, client=_client(settings), tags={"stepwell:flow": flow.name})
    deployment.apply()
    return deployment


def start(flow: FlowDefinition, settings: Settings, values: Mapping[str, Any]) -> str:
    """Start a run of the deployed flow with these parameter values; gives the run's id."""
    deployment = Deployment.get(machine_name(flow, settings), client=_client(settings))
    return production_run_id(deployment.start(execution_input(flow, _shared_stores(settings), values)).name)


def delete(flow: FlowDefinition, settings: Settings) -> str:
    """Remove the deployed flow, and with it what kept its code alive; gives the state machine's name."""
    name = machine_name(flow, settings)
    Deployment.get(name, client=_client(settings)).delete()
    _shared_stores(settings).records.delete(f"roots/{name}.json")
    return name


def _machine(flow: FlowDefinition, settings: Settings, stores: Stores, package: Package) -> StateMachine:
    environment = {**flow_environment(flow, stores.root, package, settings), USER: user_name(settings)}
    jobs = {node.name: _job(flow, node.name, settings, environment) for node in flow.graph}
    return compile_machine(flow.graph, BatchRunner(jobs[flow.graph.start], _record(flow, stores), jobs))


def _job(flow: FlowDefinition, step: str, settings: Settings, environment: Mapping[str, str]) -> BatchJob:
    queue, spec, attempts = queue_of(flow, step, settings), job_spec(flow, step, settings, {}), flow.attempts(step)
    # only the first task reads the parameters: they may be longer than what fits into every job's environment
    parameters = {PARAMETERS: Template("{input}")} if step == flow.graph.start else {}
    return BatchJob(
        definition=open_client(settings, queue).definition_name(spec),
        queue=queue,
        command=spec.command,
        environment={
            **flow.variables(step),
            **environment,
            STEP: step,
            EXECUTION: Template("{execution}"),
            PATH: Template("{path}"),
            ITERATION: Template("{iteration}"),
            OFFSET: Template("{offset}"),
            **parameters,
        },
        attempts=attempts if attempts > 1 else None,
    )


def _record(flow: FlowDefinition, stores: Stores) -> S3Record:
    """Where a task's record lies: the machine reads from it what a split or a switch decided."""
    bucket, _, prefix = stores.root.removeprefix("s3://").partition("/")
    prefix = prefix.replace("{", "{{").replace("}", "}}")
    name = done_name(flow.name, production_run_id("{execution}"), "{step}", "{task_id}")
    return S3Record(bucket, Template(f"{prefix}/{name}" if prefix else name))


def _shared_stores(settings: Settings) -> Stores:
    if settings.get("STEPWELL_METADATA") != "service":
        raise SettingsError(
            "Production runs are recorded in the metadata service: set STEPWELL_METADATA=service and STEPWELL_SERVICE_URL"
        )
    stores = open_stores(settings)
    if stores.is_local:
        raise SettingsError("Production runs keep their data on S3: add --datastore s3, with STEPWELL_DATASTORE_ROOT")
    return stores


def _client(settings: Settings) -> Any:
    import boto3

    return boto3.client(
        "stepfunctions",
        region_name=settings.get("STEPWELL_AWS_REGION"),
        endpoint_url=settings.get("STEPWELL_AWS_ENDPOINT_URL"),
    )
