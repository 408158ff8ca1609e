"""Keep many jobs in view with few calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from compute_batch.errors import ServiceError
from compute_batch.pacing import IMPATIENT
from compute_batch.refreshing import refresh
from compute_batch.waiting import Deadline

if TYPE_CHECKING:
    from compute_batch.aws import Aws
    from compute_batch.job import Job
    from compute_batch.pacing import Pace
    from compute_batch.snapshots import Snapshot


class Watcher:
    """Tells which jobs have changed. For programs with a loop and timers of their own: it never sleeps.

    Call `poll` whenever `seconds_to_next_poll` have passed; it makes one DescribeJobs per 100 unfinished jobs.
    """

    def __init__(self, aws: Aws, pace: Pace) -> None:
        self._aws = aws
        self._pace = pace
        self._told: dict[Job, Snapshot | None] = {}
        self._waited = 0.0
        self._next = float("-inf")
        self.trouble: ServiceError | None = None
        """Why the last poll learned less than it wanted (AWS throttled it or was away); the next one asks again."""

    def __len__(self) -> int:
        return len(self._told)

    def __iter__(self) -> Iterator[Job]:
        return iter(self._told)

    def add(self, jobs: Iterable[Job]) -> None:
        """Watch these jobs, too; the next poll reports each that has changed since."""
        for job in jobs:
            self._told.setdefault(job, None if job.is_finished else job.snapshot)

    def discard(self, jobs: Iterable[Job]) -> None:
        """Watch these no longer."""
        for job in jobs:
            self._told.pop(job, None)

    @property
    def seconds_to_next_poll(self) -> float:
        """0 if one is due, infinity if nothing is watched."""
        return max(0.0, self._next - self._aws.clock()) if self._told else float("inf")

    def poll(self) -> list[Job]:
        """The jobs that have changed since they were last told; one that has ended is told once, and watched no longer.

        Before its time it makes no call. Raises ServiceError where trying again is no use; see `trouble` for the rest.
        """
        if self.seconds_to_next_poll == 0:
            self._look()
        changed = [job for job, told in self._told.items() if job.snapshot is not told and job.snapshot != told]
        for job in changed:
            self._told[job] = job.snapshot
            if job.is_finished:
                del self._told[job]
        return changed

    def _look(self) -> None:
        before = [(job, job.snapshot) for job in self._told]
        try:
            calls = refresh(self._aws, self._told, IMPATIENT)
        except ServiceError as error:
            if not error.retryable:
                raise
            self.trouble = error
            self._waited = self._pace.after_throttling(self._waited)
        else:
            self.trouble = None
            changed = any(job.snapshot != snapshot for job, snapshot in before)
            self._waited = self._pace.after(self._waited, changed=changed, calls=calls)
        self._next = self._aws.clock() + self._waited


def watch(watcher: Watcher, aws: Aws, timeout: float | None) -> Iterator[Job]:
    """Each job as it changes, until all have ended; sleeps in between. Raises WaitTimedOut, which names one that has not."""
    deadline = Deadline(aws, timeout)
    while True:
        yield from watcher.poll()
        unfinished = next(iter(watcher), None)
        if unfinished is None:
            return
        deadline.sleep(watcher.seconds_to_next_poll, unfinished)
