"""What Batch says about a job at one moment, as a value. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import attrs

UNFINISHED = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
FINISHED = ("SUCCEEDED", "FAILED", "UNKNOWN")
"""The last states; UNKNOWN is ours: Batch does not know the job, so nothing will ever be known of it."""
DEFAULT_LOG_GROUP = "/aws/batch/job"


@attrs.frozen(kw_only=True)
class Attempt:
    """One start of the container: exit code (None if it never ran), the agent's words, Batch's words, times, log stream."""

    exit_code: int | None = None
    reason: str | None = None
    status_reason: str | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    log_stream: str | None = None


@attrs.frozen(kw_only=True)
class Snapshot:
    """A job as Batch described it. Times are UTC.

    - `status`: SUBMITTED, PENDING, RUNNABLE, STARTING, RUNNING, SUCCEEDED, FAILED; or UNKNOWN, if Batch knows no such job.
    - `status_reason`, `container_reason`: in the words of Batch and of the container agent.
    - `attempts`: those that have ended, oldest first; `log_stream`: of the latest one that was started.
    - `status_counts`: of an array, how many children are in which state; `size`: how many there are.
    - `was_terminated`: somebody asked for its end.
    """

    job_id: str
    status: str
    name: str | None = None
    queue: str | None = None
    definition: str | None = None
    status_reason: str | None = None
    container_reason: str | None = None
    exit_code: int | None = None
    was_terminated: bool = False
    created_at: datetime | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    attempts: tuple[Attempt, ...] = ()
    log_driver: str = "awslogs"
    log_group: str = DEFAULT_LOG_GROUP
    log_stream: str | None = None
    image: str | None = None
    memory_mib: int | None = None
    timeout_seconds: int | None = None
    size: int | None = None
    status_counts: Mapping[str, int] = attrs.field(factory=dict)
    tags: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def is_finished(self) -> bool:
        """Whether this is its last state."""
        return self.status in FINISHED

    @property
    def log_streams(self) -> tuple[str, ...]:
        """The log streams of its attempts, oldest first."""
        streams = [*(attempt.log_stream for attempt in self.attempts), self.log_stream]
        return tuple(dict.fromkeys(stream for stream in streams if stream))


def read(job: Mapping[str, Any]) -> Snapshot:
    """From a job of DescribeJobs, or the summary of one of ListJobs."""
    container, array = job.get("container") or {}, job.get("arrayProperties") or {}
    log = container.get("logConfiguration") or {}
    return Snapshot(
        job_id=job["jobId"],
        status=job["status"],
        name=job.get("jobName"),
        queue=job.get("jobQueue"),
        definition=job.get("jobDefinition"),
        status_reason=job.get("statusReason"),
        container_reason=container.get("reason"),
        exit_code=container.get("exitCode"),
        was_terminated=bool(job.get("isTerminated") or job.get("isCancelled")),
        created_at=_time(job.get("createdAt")),
        started_at=_time(job.get("startedAt")),
        stopped_at=_time(job.get("stoppedAt")),
        attempts=tuple(_attempt(attempt) for attempt in job.get("attempts") or ()),
        log_driver=log.get("logDriver") or "awslogs",
        log_group=(log.get("options") or {}).get("awslogs-group", DEFAULT_LOG_GROUP),
        log_stream=container.get("logStreamName"),
        image=container.get("image"),
        memory_mib=_memory(container),
        timeout_seconds=(job.get("timeout") or {}).get("attemptDurationSeconds"),
        size=array.get("size"),
        status_counts={status: count for status, count in (array.get("statusSummary") or {}).items() if count},
        tags=dict(job.get("tags") or {}),
    )


def _attempt(attempt: Mapping[str, Any]) -> Attempt:
    container = attempt.get("container") or {}
    return Attempt(
        exit_code=container.get("exitCode"),
        reason=container.get("reason"),
        status_reason=attempt.get("statusReason"),
        started_at=_time(attempt.get("startedAt")),
        stopped_at=_time(attempt.get("stoppedAt")),
        log_stream=container.get("logStreamName"),
    )


def _memory(container: Mapping[str, Any]) -> int | None:
    for need in container.get("resourceRequirements") or ():
        if need["type"] == "MEMORY":
            return int(need["value"])
    return container.get("memory")


def _time(milliseconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc) if milliseconds else None
