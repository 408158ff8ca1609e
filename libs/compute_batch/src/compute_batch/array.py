"""A fan-out: as many jobs as there are items, submitted together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import attrs

from compute_batch import reasons
from compute_batch.errors import JobFailed, JobNotFound
from compute_batch.job import Job
from compute_batch.logs import LogLine
from compute_batch.merged_logs import MergedTail, follow_merged
from compute_batch.reasons import Failure, FailureKind
from compute_batch.refreshing import refresh
from compute_batch.snapshots import Snapshot
from compute_batch.waiting import wait_until_finished

if TYPE_CHECKING:
    from compute_batch.aws import Aws
    from compute_batch.pacing import Pace


@attrs.frozen(eq=False)
class ArrayPart:
    """A job of Batch that stands for several: an array job and its children, or one single job, which is its own child.

    `first`: how many children the parts before it have.
    """

    job: Job
    first: int
    children: tuple[Job, ...]

    def behind(self) -> list[Job]:
        """The children of which some have snapshots that cannot be right, by what the array job says; those at work first."""
        unfinished = [child for child in self.children if child is not self.job and not child.is_finished]
        if not unfinished or not (self.job.is_finished or self._counts_differ()):
            return []
        return sorted(unfinished, key=lambda child: child.status not in ("STARTING", "RUNNING"))

    def settle(self) -> None:
        """Children that Batch never made, or has forgotten, end as their array did."""
        if not self.job.is_finished:
            return
        for child in self.children:
            if child.is_missing and not child.is_finished:
                end = self.job.snapshot
                child.snapshot = attrs.evolve(child.snapshot, status=end.status, status_reason=end.status_reason)

    def _counts_differ(self) -> bool:
        counts = Counter(child.status for child in self.children)
        theirs = self.job.snapshot.status_counts
        return any(counts[status] != theirs.get(status, 0) for status in {*counts, *theirs} - {"SUBMITTED"})


class ArrayJob:
    """Jobs that differ by their index only, from 0. Like `Job`, it tells what was known at the last refresh.

    More children than Batch puts into an array are in several `parts`.
    """

    __slots__ = ("_aws", "_pace", "children", "parts")

    def __init__(self, aws: Aws, pace: Pace, parts: Sequence[ArrayPart]) -> None:
        self._aws = aws
        self._pace = pace
        self.parts = tuple(parts)
        self.children: tuple[Job, ...] = tuple(child for part in parts for child in part.children)

    def __repr__(self) -> str:
        return f"<ArrayJob {self.name or ''} {self.id} {self.status}, {self.size} children>"

    @property
    def id(self) -> str:
        """The id of its first part; `ids` are all of them."""
        return self.parts[0].job.id

    @property
    def ids(self) -> tuple[str, ...]:
        """What `BatchClient.array` finds it by."""
        return tuple(part.job.id for part in self.parts)

    @property
    def name(self) -> str | None:
        """As its submitter named it."""
        return self.parts[0].job.name

    @property
    def size(self) -> int:
        """How many children it has."""
        return len(self.children)

    @property
    def snapshot(self) -> tuple[Snapshot, ...]:
        """Of each part."""
        return tuple(part.job.snapshot for part in self.parts)

    @property
    def status(self) -> str:
        """That of the first part that has not ended; when all have, FAILED if one has."""
        statuses = [part.job.status for part in self.parts]
        unfinished = (part.job.status for part in self.parts if not part.job.is_finished)
        return next(unfinished, None) or next((status for status in statuses if status != "SUCCEEDED"), "SUCCEEDED")

    @property
    def is_finished(self) -> bool:
        """Whether it has ended, with every child."""
        return all(part.job.is_finished for part in self.parts) and all(child.is_finished for child in self.children)

    @property
    def failed(self) -> tuple[Job, ...]:
        """The children that have failed so far, by index."""
        return tuple(child for child in self.children if child.failure is not None)

    @property
    def failure(self) -> Failure | None:
        """Why it failed, with the reason of the first child that did; None if it did not, or not yet."""
        own = next(filter(None, (part.job.failure for part in self.parts)), None)
        failed = self.failed
        if own is None or not self.is_finished or not failed or own.kind is not FailureKind.CHILDREN:
            return own if self.is_finished else None
        first = failed[0]
        message = f"{len(failed):,} of its {self.size:,} children failed; the first is {first.index}: {first.reason}"
        return Failure(kind=FailureKind.CHILDREN, message=message)

    @property
    def reason(self) -> str | None:
        """In words, why it failed, or what it is waiting for; None if there is nothing to say."""
        if (failure := self.failure) is not None:
            return failure.message
        return next(filter(None, (reasons.reason(snapshot) for snapshot in self.snapshot)), None)

    def refresh(self) -> str:
        """Ask Batch about it and the children that have changed; return its status. Raises JobNotFound, ServiceError."""
        refresh(self._aws, [self])
        for part in self.parts:
            if part.job.status == "UNKNOWN":
                raise JobNotFound(part.job.id)
        return self.status

    def wait(self, timeout: float | None = None, check: bool = False) -> str:
        """See `Job.wait`; with `check`, it raises JobFailed if any child failed."""
        wait_until_finished(self, self._aws, self._pace, timeout)
        if check:
            self.check()
        return self.status

    def check(self) -> None:
        """Raise JobFailed if it has failed."""
        if (failure := self.failure) is not None:
            raise JobFailed(self.id, self.name, failure)

    def tail(self) -> MergedTail:
        """A reader of all its children's logs that never waits, from the first lines on."""
        return MergedTail(self._aws, self.children)

    def logs(self, follow: bool = False, *, timeout: float | None = None, settle: float = 5.0) -> Iterator[LogLine]:
        """The lines of all children, merged by time; with `follow`, as `Job.logs` does it."""
        if follow:
            return follow_merged([self], self._aws, self._pace, timeout, settle)
        self.refresh()
        return iter(self.tail().read())

    def terminate(self, reason: str) -> None:
        """End every child; those that have ended stay as they are. Raises ServiceError."""
        for part in self.parts:
            part.job.terminate(reason)

    def heads(self) -> tuple[Job, ...]:
        """See `refreshing.Refreshable`."""
        return tuple(part.job for part in self.parts)

    def behind(self) -> list[Job]:
        """See `refreshing.Refreshable`."""
        return [child for part in self.parts for child in part.behind()]

    def settle(self) -> None:
        """See `refreshing.Refreshable`."""
        for part in self.parts:
            part.settle()


def make_part(aws: Aws, pace: Pace, job: Job, first: int, size: int) -> ArrayPart:
    """The part whose job has been submitted."""
    if size == 1:
        job.index = first
        return ArrayPart(job, first, (job,))
    new = Snapshot(job_id="", status="SUBMITTED", name=job.name, queue=job.snapshot.queue)
    children = tuple(
        Job(aws, pace, attrs.evolve(new, job_id=f"{job.id}:{n}"), index=first + n, known_by=float("inf"))
        for n in range(size)
    )
    return ArrayPart(job, first, children)
