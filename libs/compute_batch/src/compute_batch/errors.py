"""What can go wrong.

    ComputeBatchError
    ├── InvalidSpec        a job that Batch would refuse, or run otherwise than meant     (also a ValueError)
    ├── ServiceError       AWS refused a call, or could not be reached                    (retryable where AWS says so)
    │   └── Throttled      AWS said "slow down" until the budget for a call was spent     (retryable)
    ├── JobNotFound        no job of that id, or one that Batch has forgotten             (also a KeyError)
    ├── JobFailed          a job that ended without success                               (retryable if its host was lost)
    ├── WaitTimedOut       a job that was still unfinished when the wait ended            (retryable)
    └── LogsUnavailable    a log that is not in CloudWatch

Errors of boto3 never leak: they are the `__cause__`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compute_batch.reasons import Failure


class ComputeBatchError(Exception):
    """The base of every error of this package."""

    retryable = False


class InvalidSpec(ComputeBatchError, ValueError):
    """A job that Batch would refuse; `field` is the name of the argument at fault. Nothing was sent."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


class ServiceError(ComputeBatchError):
    """AWS refused a call or could not be reached; `code` is its error code, where there is one."""

    def __init__(self, action: str, reason: str, code: str | None = None, *, retryable: bool = False) -> None:
        self.code = code
        self.retryable = retryable
        advice = " Try again later." if retryable else ""
        super().__init__(f"Could not {action}: {reason}{advice}")


class Throttled(ServiceError):
    """AWS said "slow down" until the budget of seconds for one call was spent."""

    def __init__(self, action: str, reason: str, code: str | None) -> None:
        super().__init__(action, reason, code, retryable=True)


class JobNotFound(ComputeBatchError, KeyError):
    """There is no job of that id in the account and region, or it ended so long ago (about a week) that Batch forgot it."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self.message = (
            f"Batch knows no job {job_id}. Check id, account and region; a job is forgotten about a week after its end."
        )
        super().__init__(self.message)

    def __str__(self) -> str:  # KeyError would show the repr
        return self.message


class JobFailed(ComputeBatchError):
    """A job that ended without success; `failure` says why, in words and as a kind."""

    def __init__(self, job_id: str, name: str | None, failure: Failure) -> None:
        self.job_id = job_id
        self.failure = failure
        self.retryable = failure.is_passing
        super().__init__(f"The job {name or ''}{' ' if name else ''}({job_id}) failed: {failure.message}")


class WaitTimedOut(ComputeBatchError):
    """A job that had not ended after `seconds`; it goes on."""

    retryable = True

    def __init__(self, job_id: str, status: str, seconds: float) -> None:
        self.job_id = job_id
        self.seconds = seconds
        super().__init__(
            f"The job {job_id} is still {status} after {seconds:g} s. Wait again, or stop it with terminate()."
        )


class LogsUnavailable(ComputeBatchError):
    """A log that is not in CloudWatch, because the job's log driver sends it elsewhere; `driver` names it."""

    def __init__(self, job_id: str, driver: str) -> None:
        self.job_id = job_id
        self.driver = driver
        super().__init__(
            f"The log of job {job_id} goes to the log driver {driver!r}, and can only be read there. "
            "Submit with log driver 'awslogs' to read it here."
        )
