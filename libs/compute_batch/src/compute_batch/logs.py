"""The log of one job: lines of all its attempts, each exactly once, in the order in which CloudWatch keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import attrs

from compute_batch.errors import LogsUnavailable, ServiceError
from compute_batch.pacing import Patience
from compute_batch.waiting import Deadline

if TYPE_CHECKING:
    from compute_batch.aws import Aws
    from compute_batch.job import Job
    from compute_batch.pacing import Pace


@attrs.frozen
class LogLine:
    """A line: its text, when the container wrote it (UTC), whose it is, and the stream that holds it.

    `index` is the job's place in its array, None if it is not of one.
    """

    text: str
    at: datetime
    job_id: str
    index: int | None
    stream: str


class LogTail:
    """Reads a job's log on from where it stopped. It asks CloudWatch only: it knows the attempts of the job's last snapshot."""

    def __init__(self, aws: Aws, job: Job) -> None:
        self._aws = aws
        self._job = job
        self._tokens: dict[str, str] = {}
        self._done: set[str] = set()
        self._lines: list[LogLine] = []
        self.may_have_more = True
        """Whether the last read stopped at the end of a page, not of the log."""

    def read(self, patience: Patience | None = None) -> list[LogLine]:
        """The lines since the last read, at most a page (10,000 lines, 1 MiB) of each attempt. Never waits for lines.

        With `patience=IMPATIENT`, it does not wait for AWS, either. Raises LogsUnavailable, ServiceError; what was read before
        an error comes with the next read.
        """
        check_readable(self._job)
        streams = self._job.snapshot.log_streams
        self.may_have_more = False
        for stream in streams:
            if stream not in self._done:
                page, at_end = self._page(stream, patience)
                self._lines += page
                self.may_have_more |= not at_end
                if at_end and not page and stream != streams[-1]:
                    self._done.add(stream)  # an attempt that has ended, and whose log has been read to the end twice
        lines, self._lines = self._lines, []
        return lines

    def rest(self) -> Iterator[LogLine]:
        """The lines since the last read, to the end of what there is."""
        while True:
            yield from self.read()
            if not self.may_have_more:
                return

    def _page(self, stream: str, patience: Patience | None) -> tuple[list[LogLine], bool]:
        """A page of a stream, and whether it is the last for now."""
        token = {"nextToken": self._tokens[stream]} if stream in self._tokens else {}
        try:
            answer = self._aws.logs(
                "get_log_events", f"read the log of job {self._job.id}", patience=patience,
                logGroupName=self._job.snapshot.log_group, logStreamName=stream, startFromHead=True, **token,
            )  # fmt: skip
        except ServiceError as error:
            if error.code == "ResourceNotFoundException":  # the container has not said anything yet
                return [], True
            raise
        self._tokens[stream] = answer["nextForwardToken"]
        lines = [log_line(event, self._job, stream) for event in answer["events"]]
        return lines, token.get("nextToken") == answer["nextForwardToken"] or not lines


def log_line(event: Mapping[str, Any], job: Job, stream: str) -> LogLine:
    """From an event of CloudWatch."""
    at = datetime.fromtimestamp(event["timestamp"] / 1000, timezone.utc)
    return LogLine(event["message"].rstrip("\n"), at, job.id, job.index, stream)


def check_readable(job: Job) -> None:
    """Raise LogsUnavailable if its log is not in CloudWatch."""
    if job.snapshot.log_driver != "awslogs":
        raise LogsUnavailable(job.id, job.snapshot.log_driver)


def follow_lines(job: Job, aws: Aws, pace: Pace, timeout: float | None, settle: float) -> Iterator[LogLine]:
    """The lines of a job as they come, until it has ended and no line has come for `settle` seconds."""
    tail, deadline, waited, last_sign = LogTail(aws, job), Deadline(aws, timeout), 0.0, aws.clock()
    while True:
        was_finished = job.is_finished
        if not was_finished:
            job.refresh()
        lines = tail.read()
        yield from lines
        if lines or not was_finished:
            last_sign = aws.clock()
        if was_finished and not tail.may_have_more and aws.clock() - last_sign >= settle:
            return
        if not tail.may_have_more:
            waited = pace.after(waited, changed=bool(lines) or job.is_finished)
            deadline.sleep(min(waited, settle) if job.is_finished else waited, job)
