"""Keep many jobs in view with few calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from compute_batch.errors import ServiceError
from compute_batch.job import Job
from compute_batch.pacing import IMPATIENT
from compute_batch.refreshing import refresh
from compute_batch.waiting import Deadline

if TYPE_CHECKING:
    from compute_batch.array import ArrayJob
    from compute_batch.aws import Aws
    from compute_batch.pacing import Pace


class Watcher:
    """Tells which jobs have changed. For programs with a loop and timers of their own: it never sleeps.

    Call `poll` whenever `seconds_to_next_poll` have passed; it makes one DescribeJobs per 100 unfinished jobs at most. Of an
    array, it tells the array and each child.
    """

    def __init__(self, aws: Aws, pace: Pace) -> None:
        self._aws = aws
        self._pace = pace
        self._items: dict[Job | ArrayJob, None] = {}
        self._told: dict[Job | ArrayJob, object] = {}
        self._waited = 0.0
        self._next = float("-inf")
        self.trouble: ServiceError | None = None
        """Why the last poll learned less than it wanted (AWS throttled it or was away); the next one asks again."""

    def __len__(self) -> int:
        return len(self._told)

    def add(self, items: Iterable[Job | ArrayJob]) -> None:
        """Watch these jobs and arrays, too; the next poll tells each that has changed or ended since."""
        for item in items:
            self._items[item] = None
            for one in (item, *_children(item)):
                self._told.setdefault(one, one.snapshot)
        self._waited = 0.0
        self._next = min(self._next, self._aws.clock() + self._pace.least_seconds)

    def discard(self, items: Iterable[Job | ArrayJob]) -> None:
        """Watch these no longer."""
        for item in items:
            self._items.pop(item, None)
            for one in (item, *_children(item)):
                self._told.pop(one, None)

    @property
    def unfinished(self) -> list[Job | ArrayJob]:
        """The jobs and arrays that have not ended, by the last poll."""
        return list(self._items)

    @property
    def seconds_to_next_poll(self) -> float:
        """0 if one is due, infinity if nothing is watched."""
        return max(0.0, self._next - self._aws.clock()) if self._told else float("inf")

    def poll(self) -> list[Job | ArrayJob]:
        """What has changed since it was last told, children before their array; what has ended is told once, and dropped.

        Before its time it makes no call. Raises ServiceError where trying again is no use; see `trouble` for the rest.
        """
        is_due = self.seconds_to_next_poll == 0
        calls = self._look() if is_due else 0
        changed = [one for one, told in self._told.items() if one.snapshot != told or one.is_finished]
        for one in changed:
            self._told[one] = one.snapshot
            if one.is_finished:
                self._told.pop(one)
                self._items.pop(one, None)
        if is_due:
            self._plan(calls, changed=bool(changed))
        return sorted(changed, key=lambda one: not isinstance(one, Job))

    def _look(self) -> int:
        self.trouble = None
        try:
            return refresh(self._aws, self._items, IMPATIENT)
        except ServiceError as error:
            if not error.retryable:
                raise
            self.trouble = error
            return 0

    def _plan(self, calls: int, *, changed: bool) -> None:
        if self.trouble is not None:
            self._waited = self._pace.after_throttling(self._waited)
        else:
            self._waited = self._pace.after(self._waited, changed=changed, calls=calls)
        self._next = self._aws.clock() + self._waited


def _children(item: Job | ArrayJob) -> tuple[Job, ...]:
    return () if isinstance(item, Job) else item.children


def watch(watcher: Watcher, aws: Aws, timeout: float | None) -> Iterator[Job | ArrayJob]:
    """Each as it changes, until all have ended; sleeps in between. Raises WaitTimedOut, which names one that has not."""
    deadline = Deadline(aws, timeout)
    while True:
        yield from watcher.poll()
        if not watcher.unfinished:
            return
        deadline.sleep(watcher.seconds_to_next_poll, watcher.unfinished[0])
