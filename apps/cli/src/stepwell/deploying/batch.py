"""Steps on AWS Batch: what a step's job is, and the launcher that submits jobs and follows them."""

from __future__ import annotations

import functools
import queue
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
from compute_batch import BatchClient, ComputeBatchError, Job, JobSpec, LogTail, Pace
from flow_graph import parse_task_id

from stepwell.api.decorators.kinds import Batch, Resources
from stepwell.api.definition import FlowDefinition
from stepwell.config import Settings
from stepwell.deploying.bootstrap import bootstrap_command
from stepwell.deploying.environment import flow_environment
from stepwell.deploying.job import ATTEMPT_BASE, ITERATION, PATH, RUN_ID, STEP
from stepwell.errors import SettingsError
from stepwell.scheduling.launchers import Exit, Listener

if TYPE_CHECKING:
    from stepwell.execution.records import RunRecord
    from stepwell.execution.spec import TaskSpec
    from stepwell.execution.stores import Stores
    from stepwell.scheduling.loop import EventLoop

_LEAST_SECONDS = 0.5
_TAILS_AT_ONCE = 10
"""How many running jobs' logs are read in a round: CloudWatch allows an account some 25 reads a second."""


def open_client(settings: Settings, queue: str) -> BatchClient:
    """A client of a queue of the cluster that the settings name."""
    return BatchClient(
        queue=queue,
        region=settings.get("STEPWELL_AWS_REGION"),
        endpoint_url=settings.get("STEPWELL_AWS_ENDPOINT_URL"),
        pace=Pace(least_seconds=_LEAST_SECONDS),
        definition_prefix="stepwell",
    )


def job_spec(flow: FlowDefinition, step: str, settings: Settings, environment: dict[str, str]) -> JobSpec:
    """What a step's job is: `@batch` wins over `@resources` where it says more, and over the settings."""
    batch = flow.decorator(step, Batch) or Batch()
    asked = flow.decorator(step, Resources) or Resources()
    return JobSpec(
        name=f"{flow.name}-{step}"[:128],
        image=batch.image or settings.get("STEPWELL_BATCH_IMAGE") or _matching_image(),
        command=bootstrap_command(),
        environment={**flow.variables(step), **environment, STEP: step},
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


@attrs.define(eq=False)
class _Followed:
    """An attempt whose job is under way."""

    spec: TaskSpec
    job: Job
    tail: LogTail


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
        self._clients: dict[str, BatchClient] = {}
        self._watcher = self._client(settings.require("STEPWELL_BATCH_QUEUE", "AWS Batch")).watcher()
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._followed: dict[str, _Followed] = {}
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
        for followed in list(self._followed.values()):
            self.terminate(followed.spec, force=True)
        self._orders.put(None)
        self._thread.join(30)

    # On the thread

    def _work(self) -> None:
        try:
            self._take_orders()
        except Exception as error:  # the run must not wait for a thread that is gone
            self._loop.call_from_thread(functools.partial(_raise, error))

    def _take_orders(self) -> None:
        while True:
            try:
                order = self._orders.get(timeout=_LEAST_SECONDS if self._followed else None)
            except queue.Empty:
                self._look_after_jobs()
                continue
            if order is None:
                return
            order()

    def _client(self, name: str) -> BatchClient:
        if name not in self._clients:
            self._clients[name] = open_client(self._settings, name)
        return self._clients[name]

    def _submit(self, spec: TaskSpec) -> None:
        environment = {**self._environment, **_task_environment(spec)}
        try:
            client = self._client(queue_of(self._flow, spec.step, self._settings))
            job = client.submit(job_spec(self._flow, spec.step, self._settings, environment))
        except (ComputeBatchError, SettingsError) as error:
            self._tell(self._listener.started, spec, "no batch job")
            self._tell(self._listener.exited, spec, Exit(f"its job could not be submitted: {error}"))
            return
        self._followed[job.id] = _Followed(spec, job, job.tail())
        self._watcher.add([job])
        self._tell(self._listener.started, spec, f"batch job {job.id}")

    def _terminate(self, spec: TaskSpec) -> None:
        for followed in self._followed.values():
            if followed.spec is spec:
                try:
                    followed.job.terminate("the stepwell run is over")
                except ComputeBatchError as error:
                    print(f"Warning: {error}", file=sys.stderr)

    def _look_after_jobs(self) -> None:
        over = [job for job in self._watcher.poll() if job.is_finished]
        running = [one for one in self._followed.values() if one.job.status == "RUNNING"]
        for followed in running[:_TAILS_AT_ONCE]:
            self._pass_on_log(followed)
            self._followed[followed.job.id] = self._followed.pop(followed.job.id)  # to the end: in turn
        for job in over:
            followed = self._followed.pop(job.id)
            self._pass_on_log(followed)
            self._tell(
                self._listener.exited, followed.spec, Exit(job.reason or "its job failed" if job.failure else "")
            )

    def _pass_on_log(self, followed: _Followed) -> None:
        try:
            lines = list(followed.tail.rest())
        except ComputeBatchError:  # the log is in the datastore when the job is over; this is for watching it
            return
        for line in lines:
            self._tell(self._listener.printed, followed.spec, "o", line.text.encode())

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
