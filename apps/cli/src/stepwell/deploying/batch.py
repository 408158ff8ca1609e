"""Steps on AWS Batch: what a step's job is, and the launcher that submits jobs and follows them."""

from __future__ import annotations

import functools
import queue
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from compute_batch import BatchClient, ComputeBatchError, Job, JobSpec
from flow_graph import parse_task_id

from stepwell.api.decorators.kinds import Batch, Resources
from stepwell.api.definition import FlowDefinition
from stepwell.config import Settings
from stepwell.deploying.bootstrap import bootstrap_command
from stepwell.deploying.environment import flow_environment
from stepwell.deploying.job import ATTEMPT_BASE, ITERATION, PATH, RUN_ID, STEP
from stepwell.scheduling.launchers import Exit, Listener

if TYPE_CHECKING:
    from stepwell.execution.records import RunRecord
    from stepwell.execution.spec import TaskSpec
    from stepwell.execution.stores import Stores
    from stepwell.scheduling.loop import EventLoop

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0


def open_client(settings: Settings) -> BatchClient:
    """A client of the cluster that the settings name."""
    return BatchClient(
        queue=settings.require("STEPWELL_BATCH_QUEUE", "AWS Batch"),
        region=settings.get("STEPWELL_AWS_REGION"),
        endpoint_url=settings.get("STEPWELL_AWS_ENDPOINT_URL"),
    )


def job_spec(flow: FlowDefinition, step: str, settings: Settings, environment: dict[str, str]) -> JobSpec:
    """What a step's job is: `@batch` wins over `@resources` where it says more, and over the settings."""
    batch = flow.decorator(step, Batch) or Batch()
    asked = flow.decorator(step, Resources) or Resources()
    return JobSpec(
        name=f"{flow.name}-{step}"[:128],
        image=batch.image or settings.get("STEPWELL_BATCH_IMAGE") or _matching_image(),
        command=bootstrap_command(),
        environment={**environment, STEP: step},
        vcpus=max(batch.cpu or 0, asked.cpu),
        memory_mib=max(batch.memory or 0, asked.memory),
        gpus=max(batch.gpu or 0, asked.gpu or 0),
        job_role=batch.iam_role or settings.get("STEPWELL_BATCH_JOB_ROLE"),
        execution_role=batch.execution_role or settings.get("STEPWELL_BATCH_EXECUTION_ROLE"),
    )


def queue_of(flow: FlowDefinition, step: str, settings: Settings) -> str:
    """The queue of a step's jobs."""
    batch = flow.decorator(step, Batch)
    return (batch and batch.queue) or settings.require("STEPWELL_BATCH_QUEUE", "AWS Batch")


def _matching_image() -> str:
    return f"python:{sys.version_info[0]}.{sys.version_info[1]}"


class BatchLauncher:
    """Runs each attempt as a Batch job. A thread of its own talks to AWS; the loop hears of it through its pipe."""

    writes_logs = True

    def __init__(
        self,
        loop: EventLoop,
        listener: Listener,
        flow: FlowDefinition,
        claimed: RunRecord,
        stores: Stores,
        settings: Settings,
    ) -> None:
        self._loop, self._listener, self._flow, self._settings = loop, listener, flow, settings
        package = (claimed.package or "", claimed.package_url or "")
        self._environment = {**flow_environment(flow, stores.root, package, settings), RUN_ID: claimed.run_id}
        self._client = open_client(settings)
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._jobs: dict[TaskSpec, Job] = {}
        self._thread = threading.Thread(target=self._work, name="stepwell-batch", daemon=True)
        self._thread.start()

    def launch(self, spec: TaskSpec) -> None:
        """Submit an attempt; returns at once."""
        self._orders.put(functools.partial(self._submit, spec))

    def terminate(self, spec: TaskSpec, force: bool) -> None:
        """Have AWS end an attempt's job; it knows no gentle way."""
        self._orders.put(functools.partial(self._terminate, spec))

    def close(self) -> None:
        """End the jobs that still run, and the thread."""
        for spec in list(self._jobs):
            self.terminate(spec, force=True)
        self._orders.put(None)
        self._thread.join(30)

    # On the thread

    def _work(self) -> None:
        try:
            self._take_orders()
        except Exception as error:  # the run must not wait for a thread that is gone
            self._loop.call_from_thread(functools.partial(_raise, error))

    def _take_orders(self) -> None:
        pause = _SHORTEST_PAUSE
        while True:
            try:
                order = self._orders.get(timeout=pause if self._jobs else None)
            except queue.Empty:
                pause = _SHORTEST_PAUSE if self._poll() else min(pause * 1.5, _LONGEST_PAUSE)
                continue
            if order is None:
                return
            order()
            pause = _SHORTEST_PAUSE

    def _submit(self, spec: TaskSpec) -> None:
        environment = {**self._environment, **_task_environment(spec)}
        step = self._flow.decorator(spec.step, Batch)
        try:
            job = self._client.submit(
                job_spec(self._flow, spec.step, self._settings, environment), queue=step.queue if step else None
            )
        except ComputeBatchError as error:
            self._tell(self._listener.started, spec, "no batch job")
            self._tell(self._listener.exited, spec, Exit(f"its job could not be submitted: {error}"))
            return
        self._jobs[spec] = job
        self._tell(self._listener.started, spec, f"batch job {job.id}")

    def _terminate(self, spec: TaskSpec) -> None:
        if job := self._jobs.get(spec):
            try:
                job.terminate("the stepwell run is over")
            except ComputeBatchError as error:
                print(f"Warning: the job {job.id} could not be ended: {error}", file=sys.stderr)

    def _poll(self) -> bool:
        """Look after all jobs; says whether anything happened."""
        try:
            self._client.refresh(self._jobs.values())
            followed = [self._follow(spec, job) for spec, job in list(self._jobs.items())]
        except ComputeBatchError as error:
            if not error.retryable:
                raise
            return False
        return any(followed)

    def _follow(self, spec: TaskSpec, job: Job) -> bool:
        lines = job.new_log_lines()
        for line in lines:
            self._tell(self._listener.printed, spec, "o", line.encode())
        if job.is_over:
            del self._jobs[spec]
            self._tell(self._listener.exited, spec, Exit(job.reason or "" if not job.succeeded else ""))
        return bool(lines) or job.is_over

    def _tell(self, report: Callable[..., None], *arguments: object) -> None:
        self._loop.call_from_thread(functools.partial(report, *arguments))


def _task_environment(spec: TaskSpec) -> dict[str, str]:
    _, iteration = parse_task_id(spec.task_id, len(spec.frames))
    return {
        PATH: "-".join(str(frame.index) for frame in spec.frames),
        ITERATION: str(iteration),
        ATTEMPT_BASE: str(spec.attempt),
    }


def _raise(error: Exception) -> None:
    raise error
