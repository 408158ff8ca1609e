"""The life of a Batch job, which moto only sketches.

Put in moto's place: retries with ``evaluateOnExit``, the variables of attempts and arrays, dependencies, arrays that end
when their children have ended, exit codes and reasons, logs that can be read while the job runs, timeouts, and a limit on
how many jobs run at once: jobs wait in a queue for a worker, so that a thousand of them cost no thousand threads.
"""

from __future__ import annotations

import datetime
import fnmatch
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .engines import Attempt, Engine, StartError

LOG_GROUP = "/aws/batch/job"
ENDED = ("SUCCEEDED", "FAILED")
EXITED = "Essential container in task exited"
TIMED_OUT = "Job attempt duration exceeded timeout"
HOST_LOST = "Host EC2"
"""How the reason of a termination begins that stands for an instance that went away with the attempt."""
LONGEST_EVENT = 256 * 1024 - 26  # bytes of a log event, less what CloudWatch counts for each


class JobRunner:
    """Runs moto's job objects on ``engine``; ``variables`` are what role and region give to every job on AWS."""

    def __init__(
        self, engine: Callable[[], Engine], parallel: int, variables: Mapping[str, str], timeout_speed: float
    ) -> None:
        self._engine = engine
        self._variables = dict(variables)
        self._timeout_speed = timeout_speed
        self._ready: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._waiting: list[Any] = []
        self._running: dict[int, Engine] = {}
        self._lock = threading.RLock()
        for target in (self._release_waiting, *[self._work] * parallel):
            threading.Thread(target=target, daemon=True).start()

    def submit(self, job: Any) -> None:
        """Take a job that is no array parent: it runs when its dependencies are met and a worker is free."""
        if job.depends_on:
            job.status = "PENDING"
            with self._lock:
                self._waiting.append(job)
        else:
            self._make_ready(job)

    def terminate(self, job: Any, reason: str) -> None:
        """End a job and its children, wherever they are; for a lost host, only the attempt of a job that runs."""
        if reason.startswith(HOST_LOST):
            job.lost_host = reason
            return
        for one in [job, *(job._child_jobs or [])]:
            with self._lock:
                if one.job_stopped or one.stop:
                    continue
                one.stop, one.stop_reason = True, reason
                idle = one.status in ("SUBMITTED", "PENDING", "RUNNABLE") and not one._child_jobs
            if idle:
                self._finish(one, ok=False, reason=reason)

    def kill_all(self) -> None:
        """Kill what runs, for the end of the rig."""
        with self._lock:
            engines = list(self._running.values())
        for engine in engines:
            engine.kill()
            engine.clean()

    def environment(self, job: Any) -> dict[str, str]:
        """The variables of the job's container: definition, overrides, and what Batch sets."""
        variables = {**self._variables, "AWS_EXECUTION_ENV": "AWS_ECS_EC2", **declared_environment(job)}
        variables["AWS_BATCH_JOB_ID"] = job.job_id
        variables["AWS_BATCH_JQ_NAME"] = job.job_queue.name
        variables["AWS_BATCH_CE_NAME"] = "rig-ce"
        variables["AWS_BATCH_JOB_ATTEMPT"] = str(len(job.attempts) or 1)
        if "index" in job.array_properties:
            variables["AWS_BATCH_JOB_ARRAY_INDEX"] = str(job.array_properties["index"])
            variables["AWS_BATCH_JOB_ARRAY_SIZE"] = str(job.array_properties["size"])
        return variables

    def _make_ready(self, job: Any) -> None:
        job.status = "RUNNABLE"
        self._ready.put(job)

    def _release_waiting(self) -> None:
        while True:
            time.sleep(0.05)
            with self._lock:
                waiting, self._waiting = self._waiting, []
            for job in waiting:
                self._release(job)

    def _release(self, job: Any) -> None:
        statuses = [other.status for other in _dependencies(job)]
        if job.job_stopped:
            return
        if "FAILED" in statuses:
            self._finish(job, ok=False, reason="Dependent Job failed")
        elif all(status == "SUCCEEDED" for status in statuses):
            self._make_ready(job)
        else:
            with self._lock:
                self._waiting.append(job)

    def _work(self) -> None:
        while True:
            job = self._ready.get()
            try:
                self._run(job)
            except Exception as error:  # a defect of the rig: the job must not hang for it
                self._finish(job, ok=False, reason=f"The rig failed: {error!r}")

    def _run(self, job: Any) -> None:
        strategy = job.retry_strategy or job.job_definition.retry_strategy or {}
        while True:
            with self._lock:
                if job.job_stopped:
                    return None
                job.status = "STARTING"
            code, reason, container_reason = self._attempt(job)
            ended = {"exitCode": code, "reason": container_reason}
            job.attempts[-1]["container"].update({key: value for key, value in ended.items() if value is not None})
            job.attempts[-1].update(stoppedAt=int(time.time() * 1000), statusReason=reason)
            job.container_reason = container_reason
            if code == 0 and not job.stop:
                return self._finish(job, ok=True, reason=reason, code=0)
            # AWS does not retry an attempt that its timeout or a user ended
            final = job.stop or reason == TIMED_OUT
            if final or not _try_again(strategy, len(job.attempts), code, container_reason, reason):
                return self._finish(job, ok=False, reason=reason, code=code)
            job.status = "RUNNABLE"

    def _attempt(self, job: Any) -> tuple[int | None, str, str | None]:
        """Run one attempt; return its exit code, why it ended, and what the container agent says."""
        self._open_log(job)
        engine = self._engine()
        try:
            engine.start(self._describe_attempt(job))
        except StartError as error:
            engine.clean()
            return None, "Task failed to start", str(error)
        ended = threading.Event()
        verdict = [EXITED]
        with self._lock:
            self._running[id(engine)] = engine
        threading.Thread(target=self._watch, args=(job, engine, ended, verdict), daemon=True).start()
        try:
            job.status = "RUNNING"
            for line in engine.lines():
                _log(job, line)
            return engine.wait(), verdict[0], None
        finally:
            ended.set()
            with self._lock:
                self._running.pop(id(engine), None)
            engine.clean()

    def _watch(self, job: Any, engine: Engine, ended: threading.Event, verdict: list[str]) -> None:
        limit = job._get_attempt_duration()
        deadline = time.monotonic() + limit / self._timeout_speed if limit else float("inf")
        while not ended.wait(0.05):
            lost, job.lost_host = getattr(job, "lost_host", None), None
            if job.stop or lost or time.monotonic() > deadline:
                verdict[0] = lost or (job.stop_reason if job.stop else TIMED_OUT)
                break
        while not ended.is_set():
            engine.kill()  # again and again: a container that is just beginning does not hear of it
            ended.wait(0.5)

    def _open_log(self, job: Any) -> None:
        job.log_stream_name = f"{job.job_definition.name}/default/{uuid.uuid4().hex}"
        job.job_started_at = datetime.datetime.now()
        job._start_attempt()
        job._log_backend.ensure_log_group(LOG_GROUP)
        job._log_backend.ensure_log_stream(LOG_GROUP, job.log_stream_name)

    def _describe_attempt(self, job: Any) -> Attempt:
        properties = {**job.job_definition.container_properties, **job.container_overrides}
        volumes = {volume["name"]: volume["host"]["sourcePath"] for volume in properties.get("volumes", [])}
        mounts = [
            (volumes[mount["sourceVolume"]], mount["containerPath"], mount.get("readOnly", False))
            for mount in properties.get("mountPoints", [])
        ]
        return Attempt(
            name=f"{job.job_name}-{job.job_id.replace(':', '-')}-{len(job.attempts)}",
            image=properties["image"],
            command=job._add_parameters_to_command(properties.get("command", [])),
            environment=self.environment(job),
            mounts=mounts,
        )

    def _finish(self, job: Any, *, ok: bool, reason: str | None, code: int | None = None) -> None:
        with self._lock:
            if job.job_stopped:
                return
            job.exit_code, job.job_stopped_reason, job.job_stopped_at = code, reason, datetime.datetime.now()
            job.job_stopped = True
            job.status = "SUCCEEDED" if ok else "FAILED"
            if (parent := job.array_parent) is None:
                return
            parent.children_left -= 1
        if parent.children_left == 0:
            failed = any(child.status == "FAILED" for child in parent._child_jobs)
            reason = parent.stop_reason or "Array Child Job failed"
            self._finish(parent, ok=not failed, reason=reason if failed else None)


def declared_environment(job: Any) -> dict[str, str]:
    """The variables of the job's definition and overrides."""
    definition = job.job_definition.container_properties or {}
    pairs = [*definition.get("environment", []), *(job.container_overrides.get("environment") or [])]
    return {pair["name"]: pair.get("value", "") for pair in pairs}


def _dependencies(job: Any) -> Iterator[Any]:
    """The jobs that must succeed first. A job that is not known counts as met, as on AWS once it has been forgotten."""
    index = job.array_properties.get("index", 0)
    for dependency in job.depends_on:
        kind, identifier = dependency.get("type"), dependency.get("jobId")
        if kind == "N_TO_N":
            identifier = f"{identifier}:{index}"
        elif kind == "SEQUENTIAL" and not identifier:  # this array's previous child
            identifier = f"{job.job_id.rsplit(':', 1)[0]}:{index - 1}"
        if other := job.all_jobs.get(identifier):
            yield other


def _try_again(strategy: Mapping[str, Any], attempt: int, code: int | None, reason: str | None, status: str) -> bool:
    """What the first matching rule says; no matching rule means a retry."""
    if attempt >= strategy.get("attempts", 1):
        return False
    facts = {"onExitCode": "" if code is None else str(code), "onReason": reason or "", "onStatusReason": status}
    for rule in strategy.get("evaluateOnExit", []):
        if all(fnmatch.fnmatchcase(facts[key], rule[key]) for key in facts if key in rule):
            return bool(rule["action"].upper() == "RETRY")
    return True


def _log(job: Any, line: str) -> None:
    # the log driver of ECS drops empty lines and splits long ones
    for start in range(0, len(line), LONGEST_EVENT):
        event = {"timestamp": int(time.time() * 1000), "message": line[start : start + LONGEST_EVENT]}
        job._log_backend.put_log_events(LOG_GROUP, job.log_stream_name, [event])
