"""One job: its last snapshot, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import attrs

from compute_batch import reasons
from compute_batch.errors import JobFailed, JobNotFound
from compute_batch.logs import LogTail, follow_lines
from compute_batch.reasons import Failure
from compute_batch.refreshing import refresh
from compute_batch.snapshots import Snapshot
from compute_batch.waiting import wait_until_finished

if TYPE_CHECKING:
    from compute_batch.aws import Aws
    from compute_batch.pacing import Pace

APPEARS_WITHIN_SECONDS = 60.0
"""A job may be submitted, and not yet be known to every part of Batch."""


class Job:
    """A job of Batch. `snapshot`, `status`, `reason` and `failure` are as of the last refresh: they call nobody.

    `index`: its place in its array, None if it is not of one.
    """

    __slots__ = ("_aws", "_known_by", "_pace", "index", "is_missing", "snapshot")

    def __init__(
        self, aws: Aws, pace: Pace, snapshot: Snapshot, *, index: int | None = None, known_by: float = float("-inf")
    ) -> None:
        self._aws = aws
        self._pace = pace
        self._known_by = known_by
        self.snapshot = snapshot
        self.index = index
        self.is_missing = False

    def __repr__(self) -> str:
        return f"<Job {self.name or ''} {self.id} {self.status}>"

    @property
    def id(self) -> str:
        """As Batch names it; of a child of an array, `parent:index`."""
        return self.snapshot.job_id

    @property
    def name(self) -> str | None:
        """As its submitter named it; None if this is not known yet."""
        return self.snapshot.name

    @property
    def status(self) -> str:
        """See `Snapshot.status`."""
        return self.snapshot.status

    @property
    def is_finished(self) -> bool:
        """Whether it has ended, well or not."""
        return self.snapshot.is_finished

    @property
    def failure(self) -> Failure | None:
        """Why it failed; None if it did not, or not yet."""
        return reasons.failure(self.snapshot)

    @property
    def reason(self) -> str | None:
        """In words, why it failed, or what it is waiting for; None if there is nothing to say."""
        return reasons.reason(self.snapshot)

    def refresh(self) -> str:
        """Ask Batch, unless it has ended; return its status. Raises JobNotFound, ServiceError."""
        refresh(self._aws, [self])
        if self.status == "UNKNOWN":
            raise JobNotFound(self.id)
        return self.status

    def wait(self, timeout: float | None = None, check: bool = False) -> str:
        """Wait until it has ended, `timeout` seconds at most; return its status.

        Raises WaitTimedOut (the job goes on), JobNotFound, ServiceError; with `check`, JobFailed if it did not succeed.
        """
        wait_until_finished(self, self._aws, self._pace, timeout)
        if check:
            self.check()
        return self.status

    def check(self) -> None:
        """Raise JobFailed if it has failed."""
        if (failure := self.failure) is not None:
            raise JobFailed(self.id, self.name, failure)

    def tail(self) -> LogTail:
        """A reader of its log that never waits, from the first line on."""
        return LogTail(self._aws, self)

    def logs(self, follow: bool = False, *, timeout: float | None = None, settle: float = 5.0) -> Iterator[str]:
        """The lines of its log, all attempts one after the other.

        With `follow`, those to come, too, until it has ended and no line has come for `settle` seconds (CloudWatch is that
        late, now and then). Raises LogsUnavailable, JobNotFound, ServiceError; WaitTimedOut after `timeout` seconds.
        """
        if not follow:
            self.refresh()
        lines = follow_lines(self, self._aws, self._pace, timeout, settle) if follow else self.tail().rest()
        return (line.text for line in lines)

    def terminate(self, reason: str) -> None:
        """End it, wherever it is, an array with all its children; a job that has ended stays as it is.

        `reason` becomes its status reason. It is over when `wait` says so. Raises ServiceError.
        """
        self._aws.batch("terminate_job", f"terminate job {self.id}", jobId=self.id, reason=reason or "terminated")

    def heads(self) -> tuple[Job]:
        """See `refreshing.Refreshable`."""
        return (self,)

    def behind(self) -> tuple[Job, ...]:
        """See `refreshing.Refreshable`."""
        return ()

    def settle(self) -> None:
        """See `refreshing.Refreshable`."""

    def learn(self, snapshot: Snapshot | None) -> None:
        """Take what Batch says of it; None: Batch does not know it, which in the beginning means nothing."""
        self.is_missing = snapshot is None
        if snapshot is not None:
            self.snapshot = snapshot
        elif self._aws.clock() > self._known_by:
            self.snapshot = attrs.evolve(self.snapshot, status="UNKNOWN")
