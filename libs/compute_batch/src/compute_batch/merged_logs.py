"""The logs of many jobs at once, with one call for a hundred of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from compute_batch import limits
from compute_batch.errors import ServiceError
from compute_batch.job import Job
from compute_batch.logs import LogLine, check_readable, log_line
from compute_batch.pacing import Patience
from compute_batch.refreshing import chunks
from compute_batch.waiting import Deadline
from compute_batch.watching import Watcher

if TYPE_CHECKING:
    from compute_batch.array import ArrayJob
    from compute_batch.aws import Aws
    from compute_batch.pacing import Pace

EPOCH = datetime.fromtimestamp(0, timezone.utc)
LATE = timedelta(minutes=1)
"""How much later than younger ones a line may come and still be shown."""
READ_ON_SECONDS = 60.0
"""How long the log of a job that has ended is still asked for."""


class MergedTail:
    """Reads the logs of many jobs on from where it stopped, as far as their snapshots know their streams.

    A line that reaches CloudWatch more than a minute after younger ones is not seen here, but by `Job.logs`, which reads one
    job's log from end to end.
    """

    def __init__(self, aws: Aws, jobs: Iterable[Job]) -> None:
        self._aws = aws
        self._jobs: dict[str, Job] = {}
        self._ended: dict[str, float] = {}
        self._begun: set[str] = set()
        self._seen: dict[str, datetime] = {}
        self._newest = EPOCH
        self._lines: list[LogLine] = []
        self.add(jobs)

    def add(self, jobs: Iterable[Job]) -> None:
        """Read these, too."""
        for job in jobs:
            self._jobs.setdefault(job.id, job)

    def discard(self, jobs: Iterable[Job]) -> None:
        """Read these no longer."""
        for job in jobs:
            self._jobs.pop(job.id, None)
            self._ended.pop(job.id, None)

    def read(self, patience: Patience | None = None) -> list[LogLine]:
        """The lines since the last read, by time. Never waits for lines, with `patience=IMPATIENT` not for AWS either.

        Raises LogsUnavailable, ServiceError; what was read before an error comes with the next read.
        """
        since = max(EPOCH, self._newest - LATE)
        groups: dict[tuple[str, bool], dict[str, Job]] = {}
        for stream, job in self._streams().items():
            groups.setdefault((job.snapshot.log_group, stream in self._begun), {})[stream] = job
        for (group, is_begun), jobs in groups.items():
            for some in chunks(list(jobs), limits.FILTERED_STREAMS):
                self._read(group, some, since if is_begun else EPOCH, jobs, patience)
        return self._take(since)

    def _streams(self) -> dict[str, Job]:
        """Those that may have news: of a job that ended a while ago there is none."""
        now = self._aws.clock()
        for job in list(self._jobs.values()):
            check_readable(job)
            if job.is_finished and now - self._ended.setdefault(job.id, now) > READ_ON_SECONDS:
                del self._jobs[job.id]
        return {stream: job for job in self._jobs.values() for stream in job.snapshot.log_streams}

    def _read(
        self, group: str, streams: Sequence[str], since: datetime, jobs: Mapping[str, Job], patience: Patience | None
    ) -> None:
        try:
            events = list(self._events(group, streams, since, patience))
        except ServiceError as error:
            if error.code != "ResourceNotFoundException":
                raise
            # one of them is not there yet, and hides the others
            for half in (streams[: len(streams) // 2], streams[len(streams) // 2 :]):
                if len(streams) > 1:
                    self._read(group, half, since, jobs, patience)
            return
        self._begun.update(streams)
        for event in events:
            if event["eventId"] not in self._seen:
                stream = event["logStreamName"]
                line = log_line(event, jobs[stream], stream)
                self._seen[event["eventId"]] = line.at
                self._lines.append(line)

    def _events(
        self, group: str, streams: Sequence[str], since: datetime, patience: Patience | None
    ) -> Iterator[dict[str, Any]]:
        more: dict[str, Any] = {}
        while True:
            page = self._aws.logs(
                "filter_log_events", f"read the logs of {len(streams)} jobs", patience=patience, logGroupName=group,
                logStreamNames=list(streams), startTime=int(since.timestamp() * 1000), **more,
            )  # fmt: skip
            yield from page["events"]
            if not page.get("nextToken"):
                return
            more = {"nextToken": page["nextToken"]}

    def _take(self, since: datetime) -> list[LogLine]:
        """What has been gathered; lines from before `since` will not be met again."""
        lines, self._lines = sorted(self._lines, key=lambda line: line.at), []
        self._newest = max([self._newest, *(line.at for line in lines)])
        self._seen = {event: at for event, at in self._seen.items() if at >= since}
        return lines


def follow_merged(
    items: Sequence[Job | ArrayJob], aws: Aws, pace: Pace, timeout: float | None, settle: float
) -> Iterator[LogLine]:
    """The lines of jobs and arrays as they come, until all have ended and no line has come for `settle` seconds."""
    watcher, tail, deadline = Watcher(aws, pace), MergedTail(aws, jobs_of(items)), Deadline(aws, timeout)
    watcher.add(items)
    waited, last_sign = 0.0, aws.clock()
    while True:
        was_finished = not watcher.unfinished
        watcher.poll()
        lines = tail.read()
        yield from lines
        if lines or not was_finished:
            last_sign = aws.clock()
        elif aws.clock() - last_sign >= settle:
            return
        waited = pace.after(waited, changed=bool(lines))
        deadline.sleep(min(waited, watcher.seconds_to_next_poll, settle if was_finished else waited), items[0])


def jobs_of(items: Iterable[Job | ArrayJob]) -> Iterator[Job]:
    """The jobs that have logs: an array's children, not itself."""
    for item in items:
        yield from (item,) if isinstance(item, Job) else item.children
