"""One task as a job: what the bootstrap hands over to, inside a container.

The environment says which task (see `read_environment`). Its inputs are a function of the graph and of what the run's records
say of splits and switches, so a job needs no word from a scheduler. The task runs in a process of its own; this one
keeps its output, as the job's log and in the datastore.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import attrs
from flow_graph import Outcome, foreach_frames, task_id, task_inputs

from stepwell.api.definition import FlowDefinition, read_flow
from stepwell.execution.logs import LogBuffer, log_name
from stepwell.execution.records import find_task, read_run, read_task
from stepwell.execution.spec import TaskSpec
from stepwell.execution.stores import Stores, stores_at
from stepwell.execution.task import run
from stepwell.scheduling import forkserver
from stepwell.scheduling.launchers import Exit, ForkLauncher
from stepwell.scheduling.loop import EventLoop

RUN_ID, STEP = "STEPWELL_RUN_ID", "STEPWELL_STEP"
PATH, ITERATION, OFFSET = "STEPWELL_FOREACH_PATH", "STEPWELL_ITERATION", "STEPWELL_ARRAY_OFFSET"
ATTEMPT_BASE, FLOW, FLOW_FILE = "STEPWELL_ATTEMPT_BASE", "STEPWELL_FLOW", "STEPWELL_FLOW_FILE"
ROOT, S3_ENDPOINT = "STEPWELL_DATASTORE_ROOT", "STEPWELL_S3_ENDPOINT_URL"
PACKAGE, PACKAGE_URL = "STEPWELL_PACKAGE", "STEPWELL_PACKAGE_URL"
EXECUTION, PARAMETERS = "STEPWELL_EXECUTION", "STEPWELL_PARAMETERS"


@attrs.frozen
class JobTask:
    """The task that a job's environment names.

    `path` is its foreach indices, `iteration` counts the rounds of a recursive switch, `attempt` the attempts, from 0.
    """

    flow: str
    run_id: str
    step: str
    path: tuple[int, ...]
    iteration: int
    attempt: int
    package: str | None

    @property
    def task_id(self) -> str:
        """The task's id."""
        return task_id(self.path, self.iteration)


def read_environment(environment: Mapping[str, str]) -> JobTask:
    """The task of this job; an array job's child adds its own index, counted from an offset, to the foreach path."""
    path = tuple(int(index) for index in environment.get(PATH, "").split("-") if index)
    if "AWS_BATCH_JOB_ARRAY_INDEX" in environment:
        path = (*path, int(environment["AWS_BATCH_JOB_ARRAY_INDEX"]) + int(environment.get(OFFSET, "0")))
    counter = int(environment.get("AWS_BATCH_JOB_ATTEMPT", "1"))
    return JobTask(
        flow=environment[FLOW],
        run_id=environment.get(RUN_ID) or production_run_id(environment[EXECUTION]),
        step=environment[STEP],
        path=path,
        iteration=int(environment.get(ITERATION, "0")),
        attempt=int(environment.get(ATTEMPT_BASE, "0")) + counter - 1,
        package=environment.get(PACKAGE),
    )


def production_run_id(execution: str) -> str:
    """The id of the run that an execution of the production scheduler is."""
    return f"sfn-{execution}"


def main(folder: str) -> int:
    """Run the task that the environment names, from the code unpacked into `folder`.

    Gives the exit status: 0 if and only if the task is done, however its process ended.
    """
    task = read_environment(os.environ)
    stores = stores_at(os.environ[ROOT], os.environ.get(S3_ENDPOINT) or None)
    file = Path(folder) / os.environ[FLOW_FILE]
    supervisor = _Supervisor()
    channel, pid = forkserver.start(lambda _: _run_here(task, stores, file))
    launcher = ForkLauncher(supervisor.loop, supervisor, channel, pid)
    log = supervisor.watch(launcher, TaskSpec(task.flow, task.run_id, task.step, task.task_id, task.attempt))
    if log:
        stores.records.replace(log_name(task.flow, task.run_id, task.step, task.task_id, task.attempt), log)
    if find_task(stores.records, task.flow, task.run_id, task.step, task.task_id) is not None:
        return 0
    print(
        f"stepwell: the step is not done: {supervisor.end.reason or 'its process ended first (os._exit?)'}",
        file=sys.stderr,
    )
    return 1


def _run_here(task: JobTask, stores: Stores, file: Path) -> int:
    """In the task's own process: load the flow, resolve the task, run it."""
    from stepwell.api.loading import load_flow
    from stepwell.api.options import read_options
    from stepwell.terminal import guarded

    def work() -> int:
        flow = read_flow(load_flow(file), file, read_options(os.environ))
        production = os.environ.get(EXECUTION)
        if production:
            from stepwell.deploying.production_run import announce, claim_production_run, register

            claim_production_run(flow, task, stores, production, os.environ.get(PARAMETERS, "{}"))
        spec = resolve(task, flow, stores)
        if production:
            announce(spec, stores)
        outcome = run(spec, stores, flow)
        if production:
            register(flow, spec, stores)
        return outcome.exit_code

    return guarded(work)


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
        user=read_run(stores.records, task.flow, task.run_id).user,
        package=task.package,
    )


class _Supervisor:
    """Keeps what the one task prints, and passes it on."""

    def __init__(self) -> None:
        self.loop = EventLoop()
        self.end = Exit("it never ran")
        self._log = LogBuffer()
        self._over = False

    def watch(self, launcher: ForkLauncher, spec: TaskSpec) -> bytes:
        """Run the attempt to its end; gives its log."""
        launcher.launch(spec)
        while not self._over:
            self.loop.run_once()
        launcher.close()
        return self._log.content()

    def started(self, spec: TaskSpec, place: str) -> None:
        """See `Listener`."""

    def printed(self, spec: TaskSpec, stream: str, line: bytes) -> None:
        """See `Listener`."""
        self._log.add(stream, line)
        out = sys.stdout.buffer if stream == "o" else sys.stderr.buffer
        out.write(line + b"\n")
        out.flush()

    def exited(self, spec: TaskSpec, end: Exit) -> None:
        """See `Listener`."""
        self.end, self._over = end, True
