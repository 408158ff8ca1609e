"""Wait for what ends by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from compute_batch.errors import WaitTimedOut

if TYPE_CHECKING:
    from compute_batch.aws import Aws
    from compute_batch.pacing import Pace


class Awaited(Protocol):
    """A job or an array of jobs."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def status(self) -> str: ...  # noqa: D102
    @property
    def is_finished(self) -> bool: ...  # noqa: D102
    def refresh(self) -> str: ...  # noqa: D102


class Deadline:
    """A moment `timeout` seconds from now; never, if None."""

    def __init__(self, aws: Aws, timeout: float | None) -> None:
        self._aws = aws
        self._timeout = timeout
        self._end = float("inf") if timeout is None else aws.clock() + timeout

    def sleep(self, seconds: float, job: Awaited) -> None:
        """Sleep, until the deadline at most. Raises WaitTimedOut if it has passed already."""
        left = self._end - self._aws.clock()
        if left <= 0:
            raise WaitTimedOut(job.id, job.status, self._timeout or 0)
        self._aws.sleep(min(seconds, left))


def wait_until_finished(job: Awaited, aws: Aws, pace: Pace, timeout: float | None) -> None:
    """Look at it, at that pace, until it has ended. Raises WaitTimedOut."""
    deadline, waited = Deadline(aws, timeout), 0.0
    before, status = job.status, job.refresh()
    while not job.is_finished:
        waited = pace.after(waited, changed=status != before)
        deadline.sleep(waited, job)
        before, status = status, job.refresh()
