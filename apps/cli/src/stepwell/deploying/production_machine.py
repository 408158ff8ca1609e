"""The state machine of a flow: a job for each task, told by its environment which task it is and which version it is of."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
from compute_batch import JobSpec
from flow_graph import Node
from sched_sfn import BatchJob, BatchRunner, S3Record, StateMachine, Template, compile_machine

from stepwell.api.decorators.kinds import Environment
from stepwell.api.definition import FlowDefinition, refuse_exit_hooks, refuse_gangs
from stepwell.config import Settings, user_name
from stepwell.deploying.batch import RUN_TAG, job_spec, open_client, queue_of, tags_of
from stepwell.deploying.job import (
    ATTEMPT_BASE,
    DEPLOYMENT,
    EXECUTION,
    ITERATION,
    OFFSET,
    PARAMETERS,
    PATH,
    S3_ENDPOINT,
    STEP,
    production_run_id,
)
from stepwell.execution.records import done_name
from stepwell.execution.stores import Stores

PIP_INDEX = "STEPWELL_BATCH_PIP_INDEX_URL"


@attrs.frozen
class Limits:
    """How many tasks of one foreach may run at once, and how many seconds an execution may take; as many as can be if None."""

    max_workers: int | None = None
    workflow_timeout: int | None = None


def compile_flow(
    flow: FlowDefinition, settings: Settings, stores: Stores, version: str, limits: Limits | None = None
) -> StateMachine:
    """The state machine of a version of a flow, whose record has this name. Nothing is uploaded or registered.

    Raises errors of sched_sfn where AWS would refuse it, and `FlowError` for a gang or an exit hook.
    """
    refuse_gangs(flow)
    refuse_exit_hooks(flow)
    limits = limits or Limits()
    shared = {
        DEPLOYMENT: f"{stores.root}/{version}",
        **{name: value for name in (S3_ENDPOINT, PIP_INDEX) if (value := settings.get(name))},
    }
    jobs = {node.name: _job(flow, node, settings, shared) for node in flow.graph}
    return compile_machine(
        flow.graph,
        BatchRunner(jobs[flow.graph.start], _record(flow, stores), jobs),
        max_concurrency=limits.max_workers,
        timeout_seconds=limits.workflow_timeout,
    )


def definition_spec(flow: FlowDefinition, step: str, settings: Settings) -> JobSpec:
    """The job of a step whose definition holds the command, so that no state of the machine has to."""
    spec = job_spec(flow, step, settings, {})
    return attrs.evolve(spec, command=(), default_command=spec.command)


def _job(flow: FlowDefinition, node: Node, settings: Settings, shared: Mapping[str, str]) -> BatchJob:
    """A step's job. Its command and resources are in the job definition, and what differs from task to task in here."""
    spec, queue = definition_spec(flow, node.name, settings), queue_of(flow, node.name, settings)
    attempts = flow.attempts(node.name)
    declared = flow.decorator(node.name, Environment)
    return BatchJob(
        definition=open_client(settings, queue).definition_name(spec),
        queue=queue,
        environment={
            **(declared.vars if declared else {}),
            **shared,
            STEP: node.name,
            EXECUTION: Template("{execution}"),
            ATTEMPT_BASE: Template(f"{attempts}*{{redrives}}"),
            **{name: Template(text) for name, text in _place(flow, node).items()},
        },
        attempts=attempts if attempts > 1 else None,
        attempt_seconds=spec.timeout_seconds,
        tags={
            **tags_of(flow, node.name, user_name(settings), settings),
            RUN_TAG: Template(production_run_id("{execution}")),
        },
    )


def _place(flow: FlowDefinition, node: Node) -> dict[str, str]:
    """Which of a step's tasks a job is; what is the same for all of them is left out."""
    graph = flow.graph
    found = {}
    if graph.foreach_depth(node.name):
        found[PATH] = "{path}"
        if any(graph[before].kind == "foreach" for before in graph.previous(node.name)):
            found[OFFSET] = "{offset}"  # of an array wider than 10,000
    if node.recursive:
        found[ITERATION] = "{iteration}"
    if node.name == graph.start:  # only it reads the parameters: they may be longer than what fits into every job
        found[PARAMETERS] = "{input}"
    return found


def _record(flow: FlowDefinition, stores: Stores) -> S3Record:
    """Where a task's record lies: the machine reads from it what a split or a switch decided."""
    bucket, _, prefix = stores.root.removeprefix("s3://").partition("/")
    prefix = prefix.replace("{", "{{").replace("}", "}}")
    name = done_name(flow.name, production_run_id("{execution}"), "{step}", "{task_id}")
    return S3Record(bucket, Template(f"{prefix}/{name}" if prefix else name))
