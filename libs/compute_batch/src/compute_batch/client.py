"""Where a program begins: submit jobs to a queue, and find them again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from compute_batch.aws import Aws
from compute_batch.definitions import Definitions
from compute_batch.job import Job
from compute_batch.pacing import Pace, Patience
from compute_batch.refreshing import refresh
from compute_batch.snapshots import Snapshot
from compute_batch.spec import JobSpec
from compute_batch.submitting import submit
from compute_batch.watching import Watcher, watch


class BatchClient:
    """Jobs of one queue.

    - `queue`: name or ARN.
    - `client`, `logs_client`: boto3 clients of Batch and CloudWatch Logs to use, with whatever session, proxy and encryption
      they have; else they are made, when first needed, from the environment, `region` and `endpoint_url`.
    - `pace`: how often waits look; `patience`: how long calls are tried again while AWS throttles them.
    - `definition_prefix`: how the names of job definitions begin.
    """

    def __init__(
        self, queue: str, *, client: Any = None, logs_client: Any = None, endpoint_url: str | None = None,
        region: str | None = None, pace: Pace | None = None, patience: Patience | None = None,
        definition_prefix: str = "compute-batch",
    ) -> None:  # fmt: skip
        self.queue = queue
        self._aws = Aws(client, logs_client, endpoint_url, region, patience or Patience())
        self._pace = pace or Pace()
        self._definitions = Definitions(self._aws, definition_prefix)

    def definition(self, spec: JobSpec) -> str:
        """The ARN of the job definition of a job's shape, registered now if there is none. Raises ServiceError.

        The shape is everything but name, command, environment, timeout, attempts, tags, share identifier and priority.
        """
        return self._definitions.arn_of(spec)

    def definition_name(self, spec: JobSpec) -> str:
        """The name of that job definition, which Batch takes in place of its ARN; nobody is called."""
        return self._definitions.name_of(spec)

    def submit(self, spec: JobSpec) -> Job:
        """Submit a job. Raises ServiceError."""
        identifier = submit(self._aws, self._definitions, spec, self.queue)
        return self._job(Snapshot(job_id=identifier, status="SUBMITTED", name=spec.name, queue=self.queue), is_new=True)

    def job(self, job_id: str) -> Job:
        """A job that someone submitted, refreshed. Raises JobNotFound, ServiceError."""
        job = self._job(Snapshot(job_id=job_id, status="SUBMITTED"))
        job.refresh()
        return job

    def jobs(self, job_ids: Iterable[str]) -> list[Job]:
        """Jobs that someone submitted, refreshed, in order; those that Batch does not know are UNKNOWN. Raises ServiceError."""
        jobs = [self._job(Snapshot(job_id=job_id, status="SUBMITTED")) for job_id in job_ids]
        refresh(self._aws, jobs)
        return jobs

    def refresh_many(self, jobs: Iterable[Job]) -> list[Job]:
        """Look at these jobs now, 100 in a call; return those that have changed. Raises ServiceError."""
        before = [(job, job.snapshot) for job in jobs]
        refresh(self._aws, [job for job, _ in before])
        return [job for job, snapshot in before if job.snapshot != snapshot]

    def watcher(self, jobs: Iterable[Job] = ()) -> Watcher:
        """Keeps jobs in view for a program with a loop of its own."""
        watcher = Watcher(self._aws, self._pace)
        watcher.add(jobs)
        return watcher

    def watch(self, jobs: Iterable[Job], timeout: float | None = None) -> Iterator[Job]:
        """Each job as it changes, until all have ended. Raises ServiceError; WaitTimedOut after `timeout` seconds."""
        return watch(self.watcher(jobs), self._aws, timeout)

    def _job(self, snapshot: Snapshot, *, is_new: bool = False) -> Job:
        return Job(self._aws, self._pace, snapshot, is_new=is_new)
