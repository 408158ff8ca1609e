"""One task as a job: what the bootstrap hands over to, inside a container.

The environment says which task (see `read_environment`). Its inputs are a function of the graph and of what the run's records
say of splits and switches, so a job needs no word from a scheduler. The task runs in a process of its own; this one
keeps its output, as the job's log and in the datastore.
"""

from __future__ import annotations

import functools
import gc
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import attrs
from cas_store import Backend
from cas_store.retrying import RetryPolicy
from flow_graph import Outcome, foreach_frames, task_id, task_inputs

from stepwell.api.definition import FlowDefinition, read_flow
from stepwell.config import load_settings, s3_encryption
from stepwell.deploying.indices import index_at
from stepwell.deploying.job_failures import explain_missing_import, keep_failure
from stepwell.deploying.supervising import Supervisor
from stepwell.execution.kept import configs_of_run
from stepwell.execution.records import find_task, read_run, read_task
from stepwell.execution.spec import TaskOutcome, TaskSpec
from stepwell.execution.stores import Stores, stores_at
from stepwell.execution.task import run
from stepwell.scheduling import forkserver
from stepwell.scheduling.launchers import ForkLauncher

RUN_ID, STEP = "STEPWELL_RUN_ID", "STEPWELL_STEP"
PATH, ITERATION, OFFSET = "STEPWELL_FOREACH_PATH", "STEPWELL_ITERATION", "STEPWELL_ARRAY_OFFSET"
INDICES = "STEPWELL_ARRAY_INDICES"
ATTEMPT_BASE, FLOW, FLOW_FILE = "STEPWELL_ATTEMPT_BASE", "STEPWELL_FLOW", "STEPWELL_FLOW_FILE"
ROOT, S3_ENDPOINT = "STEPWELL_DATASTORE_ROOT", "STEPWELL_S3_ENDPOINT_URL"
PACKAGE, PACKAGE_URL = "STEPWELL_PACKAGE", "STEPWELL_PACKAGE_URL"
USER = "STEPWELL_USER"
EXECUTION, PARAMETERS, DEPLOYMENT = "STEPWELL_EXECUTION", "STEPWELL_PARAMETERS", "STEPWELL_DEPLOYMENT"
_REMEMBERED = 64
PATIENCE = RetryPolicy(attempts=12, first_wait=0.2, longest_wait=30)
"""Of a job with a datastore that is away: a minute or two, as nobody else holds what it has worked for."""


@attrs.frozen
class JobTask:
    """The task that a job's environment names.

    `path` is its foreach indices, `iteration` counts the rounds of a recursive switch, `attempt` the attempts, from 0.
    `is_last` says that nobody will try again by itself, where that is known.
    """

    flow: str
    run_id: str
    step: str
    path: tuple[int, ...]
    iteration: int
    attempt: int
    package: str | None
    is_last: bool = False

    @property
    def task_id(self) -> str:
        """The task's id."""
        return task_id(self.path, self.iteration)


def read_environment(environment: Mapping[str, str]) -> JobTask:
    """The task of this job; the child of an array adds an index to the foreach path.

    That is its own, counted from an offset, or, where the array runs only some items, what stands at that place among them.
    """
    path = tuple(int(index) for index in environment.get(PATH, "").split("-") if index)
    place = int(environment.get("AWS_BATCH_JOB_ARRAY_INDEX", "0")) + int(environment.get(OFFSET) or "0")
    if INDICES in environment:
        path = (*path, index_at(environment[INDICES], place))
    elif "AWS_BATCH_JOB_ARRAY_INDEX" in environment:
        path = (*path, place)
    counter = int(environment.get("AWS_BATCH_JOB_ATTEMPT", "1"))
    attempts, _, redrives = environment.get(ATTEMPT_BASE, "").partition(
        "*"
    )  # or a number, which Batch's own is added to
    return JobTask(
        flow=environment[FLOW],
        run_id=environment.get(RUN_ID) or production_run_id(environment[EXECUTION]),
        step=environment[STEP],
        path=path,
        iteration=int(environment.get(ITERATION, "0")),
        attempt=int(attempts or 0) * int(redrives or 1) + counter - 1,
        package=environment.get(PACKAGE),
        is_last=bool(redrives) and counter == int(attempts),
    )


def production_run_id(execution: str) -> str:
    """The id of the run that an execution of the production scheduler is."""
    return f"sfn-{execution}"


def main(folder: str) -> int:
    """Run the task that the environment names, from the code unpacked into `folder`.

    Gives the exit status: 0 if and only if the task is done, however its process ended.
    """
    task = read_environment(os.environ)
    encryption = s3_encryption(load_settings())
    stores = stores_at(os.environ[ROOT], os.environ.get(S3_ENDPOINT) or None, PATIENCE, encryption)
    _read_once(stores.records)
    stores.warm_up()  # once, for this process and the task's
    gc.freeze()  # what is imported stays: no collection need go through it
    gc.enable()
    file = Path(folder) / os.environ[FLOW_FILE]
    supervisor = Supervisor(stores, TaskSpec(task.flow, task.run_id, task.step, task.task_id, task.attempt))
    channel, pid = forkserver.start(lambda _: run_here(task, stores, file))
    end = supervisor.see_through(ForkLauncher(supervisor.loop, supervisor, channel, pid, hand_over=False))
    if end.record or find_task(stores.records, task.flow, task.run_id, task.step, task.task_id):
        return 0
    reason = end.reason or "its process ended first (os._exit?)"
    print(f"stepwell: the step is not done: {reason}", file=sys.stderr)
    if task.is_last:
        from stepwell.deploying.production_run import end_failed_run

        end_failed_run(task, stores, f"Step '{task.step}' failed: {reason}")
    return 1


def _read_once(records: Backend) -> None:
    """Remember what is read: records do not change, and each read is a request."""
    records.read = functools.lru_cache(_REMEMBERED)(records.read)  # type: ignore[method-assign]


def run_here(task: JobTask, stores: Stores, file: Path) -> tuple[int, bytes]:
    """In the task's own process: load the flow, resolve the task, run it; gives what the process tells its parent."""
    try:
        outcome = _run(task, stores, file)
    except Exception as error:  # before the step began: the flow cannot be imported, a record is missing
        keep_failure(error, task, stores, file)
        return 1, b""
    if not outcome.done:
        explain_missing_import(task, stores)
    return outcome.told


def _run(task: JobTask, stores: Stores, file: Path) -> TaskOutcome:
    from stepwell.api.loading import load_flow
    from stepwell.api.options import read_options

    cls = load_flow(file)
    configs, options = configs_of_run(cls, task.run_id, stores), read_options(os.environ)
    production = os.environ.get(EXECUTION)
    if not production:
        flow = read_flow(cls, file, options, configs)
        return run(resolve(task, flow, stores), stores, flow)
    from stepwell.deploying.production_run import announce, claim_production_run, deployed_configs, register

    flow = read_flow(cls, file, options, configs or deployed_configs(cls, stores))
    claim_production_run(flow, task, stores, production, os.environ.get(PARAMETERS, "{}"))
    spec = resolve(task, flow, stores)
    announced = announce(spec, stores)
    outcome = run(spec, stores, flow)
    register(flow, spec, stores, announced)
    return outcome


def resolve(task: JobTask, flow: FlowDefinition, stores: Stores) -> TaskSpec:
    """The full spec of a task: its inputs and foreach stack, read from the run's records."""

    @functools.cache
    def outcome_of(step: str, task_id: str) -> Outcome:
        return read_task(stores.records, task.flow, task.run_id, step, task_id).transition.outcome

    return TaskSpec(
        flow=task.flow,
        run_id=task.run_id,
        step=task.step,
        task_id=task.task_id,
        attempt=task.attempt,
        inputs=tuple(task_inputs(flow.graph, task.step, task.task_id, outcome_of)),
        frames=tuple(foreach_frames(flow.graph, task.step, task.task_id, outcome_of)),
        user=os.environ.get(USER) or read_run(stores.records, task.flow, task.run_id).user,
        package=task.package,
    )
