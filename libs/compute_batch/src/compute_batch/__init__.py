"""Run a command as an AWS Batch job, watch it, read its log, stop it."""

from __future__ import annotations

from compute_batch.array import ArrayJob, ArrayPart
from compute_batch.client import BatchClient
from compute_batch.errors import (
    ComputeBatchError,
    InvalidSpec,
    JobFailed,
    JobNotFound,
    LogsUnavailable,
    ServiceError,
    Throttled,
    WaitTimedOut,
)
from compute_batch.job import Job
from compute_batch.logs import LogLine, LogTail
from compute_batch.merged_logs import MergedTail
from compute_batch.pacing import IMPATIENT, Pace, Patience
from compute_batch.parts import (
    ONLY_IF_HOST_LOST,
    EfsVolume,
    Fargate,
    HostVolume,
    LogDriver,
    RetryRule,
    Swap,
    Tmpfs,
)
from compute_batch.payloads import register_request, submit_request
from compute_batch.reasons import Failure, FailureKind
from compute_batch.snapshots import Attempt, Snapshot
from compute_batch.spec import JobSpec
from compute_batch.watching import Watcher

__all__ = [
    "IMPATIENT",
    "ONLY_IF_HOST_LOST",
    "ArrayJob",
    "ArrayPart",
    "Attempt",
    "BatchClient",
    "ComputeBatchError",
    "EfsVolume",
    "Failure",
    "FailureKind",
    "Fargate",
    "HostVolume",
    "InvalidSpec",
    "Job",
    "JobFailed",
    "JobNotFound",
    "JobSpec",
    "LogDriver",
    "LogLine",
    "LogTail",
    "LogsUnavailable",
    "MergedTail",
    "Pace",
    "Patience",
    "RetryRule",
    "ServiceError",
    "Snapshot",
    "Swap",
    "Throttled",
    "Tmpfs",
    "WaitTimedOut",
    "Watcher",
    "register_request",
    "submit_request",
]
