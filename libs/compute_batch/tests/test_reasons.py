"""The words of Batch and its container agents, as AWS documents them, and what a person reads instead."""

from __future__ import annotations

from typing import Any

import pytest
from compute_batch import FailureKind, JobFailed, Snapshot
from compute_batch.reasons import exit_code_in_words, failure, reason
from compute_batch.snapshots import read
from stubs import described

EXITED = "Essential container in task exited"


def failed(status_reason: str, container: dict[str, Any] | None = None, **more: Any) -> Snapshot:
    return read(described("id", "FAILED", statusReason=status_reason, container=container or {}, **more))


NEEDS = {"resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "2048"}]}


@pytest.mark.parametrize(
    ("snapshot", "kind", "words"),
    [
        (
            failed(EXITED, {"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage", **NEEDS}),
            FailureKind.OUT_OF_MEMORY, "memory of 2,048 MiB. Give it more",
        ),
        (failed("Host EC2 (instance i-0a1) terminated."), FailureKind.HOST_LOST, "a spot instance that was reclaimed: Host EC2"),
        (
            failed("Task failed to start", {"image": "team/x:1", "reason": "CannotPullContainerError: not found"}),
            FailureKind.IMAGE_NOT_FOUND, "Its image team/x:1 was not found",
        ),
        (
            failed("CannotPullContainerError: pull image manifest has been retried 5 time(s)", {"image": "x"}),
            FailureKind.IMAGE_NOT_FOUND, "Its image x was not found",
        ),
        (
            failed("Task failed to start", {"reason": "CannotStartContainerError: no such file"}),
            FailureKind.NOT_STARTED, "could not be started: CannotStartContainerError",
        ),
        (
            failed("ResourceInitializationError: unable to pull secrets or registry auth"),
            FailureKind.NOT_STARTED, "unable to pull secrets",
        ),
        (
            failed("Job attempt duration exceeded timeout", {"exitCode": 137}, timeout={"attemptDurationSeconds": 3600}),
            FailureKind.TIMEOUT, "longer than the limit of 3,600 s",
        ),
        (failed("Dependent Job failed"), FailureKind.DEPENDENCY, "a job that it waits for failed"),
        (
            failed("Array Child Job failed", arrayProperties={"size": 1000, "statusSummary": {"FAILED": 3, "SUCCEEDED": 997}}),
            FailureKind.CHILDREN, "3 of its 1,000 children failed",
        ),
        (failed("stop it", {"exitCode": 137}, isTerminated=True), FailureKind.TERMINATED, "It was terminated: stop it"),
        (failed(EXITED, {"exitCode": 1}), FailureKind.EXIT_CODE, "exit code 1."),
        (failed(EXITED, {"exitCode": 137}), FailureKind.EXIT_CODE, "killed by SIGKILL). Most often, that is a lack of memory"),
        (failed("Something new", {"exitCode": 137}), FailureKind.EXIT_CODE, "killed by SIGKILL). Something new."),
        (failed(EXITED, {"exitCode": 3}, attempts=[{}, {}, {}]), FailureKind.EXIT_CODE, "exit code 3 after 3 attempts"),
        (failed("Something new"), FailureKind.OTHER, "Something new"),
        (failed(""), FailureKind.OTHER, "gives no reason"),
        (Snapshot(job_id="id", status="UNKNOWN"), FailureKind.DISAPPEARED, "does not know job id"),
    ],
    ids=lambda value: value.name if isinstance(value, FailureKind) else "",
)  # fmt: skip
def test_a_failure_is_told_in_words(snapshot: Snapshot, kind: FailureKind, words: str) -> None:
    told = failure(snapshot)
    assert told is not None
    assert (told.kind, words in told.message) == (kind, True), told
    assert told.exit_code == snapshot.exit_code
    assert reason(snapshot) == told.message


@pytest.mark.parametrize("status", ["SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"])
def test_a_job_that_has_not_failed_has_no_failure(status: str) -> None:
    assert failure(read(described("id", status))) is None
    assert reason(read(described("id", status))) is None


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - too large", "can never start"),
        ("CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", "waits for capacity"),
    ],
)
def test_a_job_that_does_not_start_says_what_it_waits_for(said: str, words: str) -> None:
    assert words in (reason(read(described("id", "RUNNABLE", statusReason=said))) or "")


@pytest.mark.parametrize(
    ("code", "words"),
    [(2, "exit code 2"), (127, "not found"), (126, "not executable"), (139, "SIGSEGV"), (255, "exit code 255")],
)
def test_exit_codes_have_meanings(code: int, words: str) -> None:
    assert words in exit_code_in_words(code)


def test_only_a_lost_host_is_worth_the_same_try_again() -> None:
    lost, broken = failure(failed("Host EC2 (instance i-1) terminated.")), failure(failed(EXITED, {"exitCode": 1}))
    assert lost is not None
    assert broken is not None
    assert JobFailed("id", "name", lost).retryable
    assert not JobFailed("id", "name", broken).retryable
