"""Batch's API on moto's server: calls go to :class:`JobRunner`; what is beyond AWS's limits is refused.

moto accepts what Batch refuses, or loses it (``retryStrategy``). A test that passes here should pass there.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from .batch_jobs import JobRunner, declared_environment
from .moto_patching import moto

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
STATUSES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
MOST_DESCRIBED = 100
LONGEST_OVERRIDES = 8192  # bytes
SHORTEST_TIMEOUT = 60  # seconds


def repair_batch(runner: JobRunner) -> None:
    """Replace moto's job life cycle and API by the one of this rig."""
    _repair_jobs()
    _repair_backend(runner)
    _repair_responses()


def _repair_jobs() -> None:
    job_class = moto("batch.models").Job
    describe, describe_short, container_property = (
        job_class.describe,
        job_class.describe_short,
        job_class._get_container_property,
    )

    def get_container_property(self: Any, name: str, default: Any) -> Any:
        if name == "environment":  # moto appends to the list of the definition, so that jobs see each other's variables
            return [{"name": key, "value": value} for key, value in declared_environment(self).items()]
        return container_property(self, name, default)

    def full(self: Any) -> dict[str, Any]:
        if self._child_jobs:
            return _describe_array(self, describe_short(self))
        description: dict[str, Any] = describe(self)
        if "index" in self.array_properties:
            description["arrayProperties"] = {"index": self.array_properties["index"]}
        if self.job_stopped and "container" in description:
            ended = {"exitCode": self.exit_code, "reason": self.container_reason}
            description["container"].update({key: value for key, value in ended.items() if value is not None})
        if self.retry_strategy:
            description["retryStrategy"] = self.retry_strategy
        return description

    job_class._get_container_property = get_container_property
    job_class.describe = full
    for name in ("retry_strategy", "container_reason", "array_parent", "stop_reason"):
        setattr(job_class, name, None)


def _describe_array(job: Any, short: dict[str, Any]) -> dict[str, Any]:
    counts = Counter(child.status for child in job._child_jobs)
    if not job.job_stopped and set(counts) != {"SUBMITTED"}:
        short["status"] = "PENDING"  # an array parent stays PENDING while children run
    summary = {status: counts.get(status, 0) for status in STATUSES}
    return {**short, "jobQueue": job.job_queue.arn, "dependsOn": job.depends_on or [], "attempts": [],
            "parameters": job.parameters, "arrayProperties": {"statusSummary": summary, "size": len(job._child_jobs)},
            "tags": job.backend.list_tags_for_resource(job.arn)}  # fmt: skip


def _repair_backend(runner: JobRunner) -> None:
    models = moto("batch.models")
    models.JOB_NAME_REGEX = re.compile(rf"^{NAME.pattern}$")  # moto wants two characters, AWS one
    backend = models.BatchBackend
    register, list_jobs = backend.register_job_definition, backend.list_jobs

    def refuse(condition: bool, message: str) -> None:
        if condition:
            raise moto("batch.exceptions").ClientException(message)

    def submit_job(
        self: Any, job_name: str, job_def_id: str, job_queue: str, *, array_properties: dict[str, Any],
        depends_on: Any, container_overrides: Any, timeout: Any, parameters: Any, tags: Any, retry_strategy: Any,
    ) -> tuple[str, str, str]:  # fmt: skip
        definition, target = self.get_job_definition(job_def_id), self.get_job_queue(job_queue)
        size = array_properties.get("size")
        refuse(not NAME.fullmatch(job_name or ""), "Job name should match valid pattern")
        refuse(definition is None, f"Job definition {job_def_id} does not exist")
        refuse(target is None, f"Job queue {job_queue} does not exist")
        refuse(size is not None and not 2 <= size <= 10000, "Array size must be between 2 and 10000")
        refuse(bool(timeout) and timeout["attemptDurationSeconds"] < SHORTEST_TIMEOUT, "Timeout must be >= 60 seconds")
        overrides = len(json.dumps(container_overrides or {}, separators=(",", ":")).encode())
        refuse(overrides > LONGEST_OVERRIDES, f"Container Overrides length must be at most {LONGEST_OVERRIDES}")

        def make(properties: dict[str, Any], **more: Any) -> Any:
            job = models.Job(
                job_name, definition, target, self, log_backend=self.logs_backend, all_jobs=self._jobs, tags=tags,
                container_overrides=container_overrides, eks_properties_override=None, depends_on=depends_on,
                timeout=timeout, array_properties=properties, parameters=parameters, **more,
            )  # fmt: skip
            job.retry_strategy = retry_strategy
            job.status = "SUBMITTED"
            self._jobs[job.job_id] = job
            return job

        parent = make(array_properties)
        if size is None:
            runner.submit(parent)
        else:
            _make_children(parent, size, make)
            for child in parent._child_jobs:
                runner.submit(child)
        return job_name, parent.job_id, parent.arn

    def describe_jobs(self: Any, jobs: list[str]) -> list[dict[str, Any]]:
        refuse(len(jobs or []) > MOST_DESCRIBED, f"Number of jobs must be at most {MOST_DESCRIBED}")
        found = [self._jobs.get(name.rsplit(":job/", 1)[-1]) for name in jobs or []]
        return [job.describe() for job in found if job is not None]

    def only_running(
        self: Any, job_queue_name: Any, array_job_id: Any, job_status: Any = None, filters: Any = None
    ) -> Any:
        if job_status is None and not filters:  # moto lists all; AWS lists what runs
            job_status = "RUNNING"
        return list_jobs(self, job_queue_name, array_job_id, job_status, filters)

    def checked_register(self: Any, def_name: str, **keywords: Any) -> Any:
        refuse(not NAME.fullmatch(def_name or ""), "Job definition name should match valid pattern")
        seconds = (keywords.get("timeout") or {}).get("attemptDurationSeconds", SHORTEST_TIMEOUT)
        refuse(seconds < SHORTEST_TIMEOUT, "Timeout must be >= 60 seconds")
        return register(self, def_name=def_name, **keywords)

    def end_job(self: Any, job_id: str, reason: str, *, started_too: bool) -> None:
        refuse(not reason, "'reason' is a required field (cannot be an empty string)")
        job = self._jobs.get(job_id)
        refuse(job is None, f"Job {job_id} does not exist")
        if started_too or job.status not in ("STARTING", "RUNNING"):
            runner.terminate(job, reason)

    backend.submit_job = submit_job
    backend.describe_jobs = describe_jobs
    backend.list_jobs = only_running
    backend.register_job_definition = checked_register
    backend.terminate_job = lambda self, job_id, reason: end_job(self, job_id, reason, started_too=True)
    backend.cancel_job = lambda self, job_id, reason: end_job(self, job_id, reason, started_too=False)


def _make_children(parent: Any, size: int, make: Any) -> None:
    parent._child_jobs = [
        make({"statusSummary": {}, "index": index, "size": size}, provided_job_id=f"{parent.job_id}:{index}")
        for index in range(size)
    ]
    parent.children_left = size
    for child in parent._child_jobs:
        child.array_parent = parent


def _repair_responses() -> None:
    def submitjob(self: Any) -> str:
        get = self._get_param
        name, identifier, arn = self.batch_backend.submit_job(
            get("jobName"), get("jobDefinition"), get("jobQueue"), array_properties=get("arrayProperties", {}),
            depends_on=get("dependsOn"), container_overrides=get("containerOverrides"), timeout=get("timeout"),
            parameters=get("parameters"), tags=get("tags"), retry_strategy=get("retryStrategy"),
        )  # fmt: skip
        return json.dumps({"jobId": identifier, "jobName": name, "jobArn": arn})

    moto("batch.responses").BatchResponse.submitjob = submitjob
