"""Why a job ended, in words: what Batch and its container agent say, read once, here. Pure."""

from __future__ import annotations

import enum
import re
import signal
from collections.abc import Callable

import attrs

from compute_batch.snapshots import Snapshot

EXITED = "Essential container in task exited"
"""What Batch says of every container that ends by itself."""


class FailureKind(enum.Enum):
    """What ended a job."""

    EXIT_CODE = "the command ended with another exit code than 0"
    OUT_OF_MEMORY = "the container used more memory than it had"
    TIMEOUT = "an attempt took longer than allowed"
    HOST_LOST = "the instance went away, as a spot instance does"
    IMAGE_NOT_FOUND = "the image could not be pulled"
    NOT_STARTED = "the container could not be started"
    DEPENDENCY = "a job that it waited for failed"
    CHILDREN = "children of the array failed"
    TERMINATED = "somebody ended it"
    DISAPPEARED = "Batch does not know it"
    OTHER = "something else"


@attrs.frozen(kw_only=True)
class Failure:
    """Why a job failed: `kind` for programs, `message` for people, Batch's own words included; `exit_code` if it had one."""

    kind: FailureKind
    message: str
    exit_code: int | None = None

    @property
    def is_passing(self) -> bool:
        """Whether the same job may well succeed next time."""
        return self.kind is FailureKind.HOST_LOST


def failure(job: Snapshot) -> Failure | None:
    """Why it failed; None if it did not, or not yet."""
    if job.status == "UNKNOWN":
        return Failure(kind=FailureKind.DISAPPEARED, message=f"Batch does not know job {job.job_id} (any more).")
    if job.status != "FAILED":
        return None
    for kind, words in _READINGS:
        if message := words(job):
            return Failure(kind=kind, message=message, exit_code=job.exit_code)
    said = "; ".join(filter(None, (job.status_reason, job.container_reason)))
    return Failure(kind=FailureKind.OTHER, message=said or "Batch gives no reason.", exit_code=job.exit_code)


def reason(job: Snapshot) -> str | None:
    """What there is to say about its state: why it failed, or what it is waiting for; None if nothing."""
    failed = failure(job)
    if failed is not None:
        return failed.message
    return None if job.status == "SUCCEEDED" else _waiting(job)


def exit_code_in_words(code: int) -> str:
    """An exit code, with what shells and kernels mean by it."""
    meanings = {126: "the command is not executable", 127: "the command was not found"}
    if code in meanings:
        return f"exit code {code} ({meanings[code]})"
    try:
        return f"exit code {code} (killed by {signal.Signals(code - 128).name})"
    except ValueError:
        return f"exit code {code}"


def _waiting(job: Snapshot) -> str | None:
    said = job.status_reason
    if job.status == "RUNNABLE" and said:
        if said.startswith("MISCONFIGURATION"):
            return f"It can never start as things are: {said}"
        if said.startswith("CAPACITY"):
            return f"It waits for capacity: {said}"
    return said


# ---- one reading per kind: the message, or None if it is not that


def _memory(job: Snapshot) -> str | None:
    if "OutOfMemory" not in (job.container_reason or ""):
        return None
    had = f" of {job.memory_mib:,} MiB" if job.memory_mib else ""
    return f"It ran out of memory: the container needed more than its memory{had}. Give it more (memory_mib)."


def _timeout(job: Snapshot) -> str | None:
    if "duration exceeded timeout" not in (job.status_reason or ""):
        return None
    limit = f" of {job.timeout_seconds:,} s" if job.timeout_seconds else ""
    return f"It timed out: an attempt took longer than the limit{limit}, and was killed."


def _host(job: Snapshot) -> str | None:
    if not (job.status_reason or "").startswith("Host EC2"):
        return None
    return f"Its host went away, most often a spot instance that was reclaimed: {job.status_reason} Submit it again."


def _image(job: Snapshot) -> str | None:
    said = _agent(job)
    if not re.match(r"(CannotPull|ImagePull|CannotInspectContainer|CannotPullImageManifest)\w*", said):
        return None
    image = f" {job.image}" if job.image else ""
    return (
        f"Its image{image} was not found or may not be read: {said}. Check its name, and the execution role's rights."
    )


def _start(job: Snapshot) -> str | None:
    said = _agent(job)
    agent = r"(CannotStart|CannotCreate|DockerTimeout|DockerStateError|ResourceInitialization|TaskFailedToStart)\w*"
    if not re.match(agent, said) and job.status_reason != "Task failed to start":
        return None
    return f"Its container could not be started: {said}."


def _dependency(job: Snapshot) -> str | None:
    if "Dependent Job failed" not in (job.status_reason or ""):
        return None
    return "It never ran: a job that it waits for failed."


def _terminated(job: Snapshot) -> str | None:
    if not job.was_terminated:
        return None
    return f"It was terminated: {job.status_reason or 'no reason was given'}."


def _children(job: Snapshot) -> str | None:
    failed = job.status_counts.get("FAILED", 0)
    if job.size is None or not failed:
        return None
    return f"{failed:,} of its {job.size:,} children failed."


def _exit(job: Snapshot) -> str | None:
    if job.exit_code is None or job.exit_code == 0:
        return None
    tries = f" after {len(job.attempts)} attempts" if len(job.attempts) > 1 else ""
    said = [reason for reason in (job.container_reason, job.status_reason) if reason and reason != EXITED]
    if job.exit_code == 137 and not said:
        said = ["Most often, that is a lack of memory (memory_mib)"]
    return " ".join(
        [f"Its command ended with {exit_code_in_words(job.exit_code)}{tries}.", *(f"{text}." for text in said)]
    )


def _agent(job: Snapshot) -> str:
    return job.container_reason or job.status_reason or ""  # on Fargate, Batch passes the agent's words on as its own


_READINGS: tuple[tuple[FailureKind, Callable[[Snapshot], str | None]], ...] = (
    (FailureKind.OUT_OF_MEMORY, _memory),
    (FailureKind.TIMEOUT, _timeout),
    (FailureKind.HOST_LOST, _host),
    (FailureKind.IMAGE_NOT_FOUND, _image),
    (FailureKind.NOT_STARTED, _start),
    (FailureKind.DEPENDENCY, _dependency),
    (FailureKind.TERMINATED, _terminated),
    (FailureKind.CHILDREN, _children),
    (FailureKind.EXIT_CODE, _exit),
)
