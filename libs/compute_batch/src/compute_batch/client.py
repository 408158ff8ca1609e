"""Where a program begins: submit jobs to a queue, and find them again."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from compute_batch import dependencies
from compute_batch.arguments import require, several, texts, wrong
from compute_batch.array import ArrayJob, ArrayPart, make_part
from compute_batch.aws import Aws
from compute_batch.definitions import Definitions
from compute_batch.errors import ComputeBatchError, ServiceError
from compute_batch.job import APPEARS_WITHIN_SECONDS, Job
from compute_batch.listing import list_jobs
from compute_batch.logs import LogLine
from compute_batch.merged_logs import MergedTail, follow_merged, jobs_of
from compute_batch.pacing import Pace, Patience
from compute_batch.refreshing import refresh
from compute_batch.slicing import slices
from compute_batch.snapshots import FINISHED, UNFINISHED, Snapshot
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

    Threads may share a client, but not what it hands out: a job, a watcher, a reader of logs.
    """

    def __init__(
        self, queue: str, *, client: Any = None, logs_client: Any = None, endpoint_url: str | None = None,
        region: str | None = None, pace: Pace | None = None, patience: Patience | None = None,
        definition_prefix: str = "compute-batch",
    ) -> None:  # fmt: skip
        if not isinstance(queue, str) or not queue:
            raise wrong("queue", queue, "the name or the ARN of a job queue")
        for what, given, kind in (("pace", pace, Pace), ("patience", patience, Patience)):
            require((kind, type(None)), what, given, f"a {kind.__name__}, or None")
        for what, given in (("client", client), ("logs_client", logs_client)):
            if given is not None and not hasattr(given, "meta"):
                raise wrong(what, given, 'a client of boto3, as boto3.client("batch"), or None')
        require(str, "definition_prefix", definition_prefix, "text")
        self.queue = queue
        self._aws = Aws(client, logs_client, endpoint_url, region, patience or Patience())
        self._pace = pace or Pace()
        self._definitions = Definitions(self._aws, definition_prefix)

    def definition(self, spec: JobSpec) -> str:
        """The ARN of the job definition of a job's shape, registered now if there is none. Raises ServiceError.

        The shape is everything but name, command, environment, timeout, attempts, tags, share identifier and priority.
        """
        return self._definitions.arn_of(a_spec(spec))

    def definition_name(self, spec: JobSpec) -> str:
        """The name of that job definition, which Batch takes in place of its ARN; nobody is called."""
        return self._definitions.name_of(a_spec(spec))

    def submit(self, spec: JobSpec, *, after: Sequence[Job | ArrayJob | str] = ()) -> Job:
        """Submit a job, to run when those in `after` (ids, too) have succeeded; it fails if one fails. Raises ServiceError."""
        return self._submit(spec, dependencies.of_job(after))

    def submit_array(
        self, spec: JobSpec, size: int, *, after: Sequence[Job | ArrayJob | str] = (), each_after: ArrayJob | None = None,
        at_once: int | None = None, offset_variable: str = "BATCH_ARRAY_OFFSET",
    ) -> ArrayJob:  # fmt: skip
        """Submit `size` jobs, 1 at least, that differ by their index.

        A job's index is the sum of two variables: AWS_BATCH_JOB_ARRAY_INDEX, which Batch sets (but not in an array of one, which
        is a single job: 0), and `offset_variable`, which is 0 unless the children take several arrays.

        - `after`: they run when these have succeeded; `each_after`: each runs when its counterpart has.
        - `at_once`: how many may run at the same time. They are cut into arrays that wait for one another; then a child that
          fails takes those with it that wait for it.

        Raises InvalidSpec, ServiceError; then nothing stays submitted.
        """
        require(str, "offset_variable", offset_variable, "text")
        parts: list[ArrayPart] = []
        try:
            for children in slices(size, at_once):
                waits = dependencies.of_part(children, parts, after, each_after, at_once)
                variables = {offset_variable: str(children.start)}
                job = self._submit(spec, waits, size=len(children), variables=variables)
                parts.append(make_part(self._aws, self._pace, job, children.start, len(children)))
        except ComputeBatchError:
            with contextlib.suppress(ServiceError):
                self.terminate([part.job for part in parts], "the rest of the array could not be submitted")
            raise
        return ArrayJob(self._aws, self._pace, parts)

    def job(self, job_id: str) -> Job:
        """A job that someone submitted, refreshed. Raises JobNotFound, ServiceError."""
        if not isinstance(job_id, str) or not job_id:
            raise wrong("job_id", job_id, "the id of a job")
        job = self._job(Snapshot(job_id=job_id, status="SUBMITTED"))
        job.refresh()
        return job

    def jobs(self, job_ids: Iterable[str]) -> list[Job]:
        """Jobs that someone submitted, refreshed, in order; those that Batch does not know are UNKNOWN. Raises ServiceError."""
        jobs = [self._job(Snapshot(job_id=job_id, status="SUBMITTED")) for job_id in texts("job_ids", job_ids)]
        refresh(self._aws, jobs)
        return jobs

    def array(self, *job_ids: str) -> ArrayJob:
        """An array that someone submitted, by its `ids`, refreshed. Raises JobNotFound, ServiceError."""
        if not job_ids:
            raise wrong("job_ids", job_ids, "the ids of an array: those in ArrayJob.ids")
        parts: list[ArrayPart] = []
        for job in (self.job(job_id) for job_id in job_ids):
            first = sum(len(part.children) for part in parts)
            parts.append(make_part(self._aws, self._pace, job, first, job.snapshot.size or 1))
        array = ArrayJob(self._aws, self._pace, parts)
        array.refresh()
        return array

    def list_jobs(self, statuses: Iterable[str] = UNFINISHED, *, name: str | None = None) -> Iterator[Job]:
        """The queue's jobs in these states, newest first within each; arrays as one; with a few fields only until refreshed.

        `name`: only jobs of that name, or whose names begin so if it ends in `*`. Batch ignores its case, and forgets jobs about
        a week after their end. Raises ServiceError.
        """
        require((str, type(None)), "name", name, "text, or None")
        return list_jobs(self._aws, self._job, self.queue, known_statuses(statuses), name)

    def terminate(self, jobs: Iterable[Job | ArrayJob], reason: str) -> None:
        """End all of them, as `Job.terminate`. What one call refuses does not spare the others; its ServiceError comes last."""
        trouble: ServiceError | None = None
        require(str, "reason", reason, "text")
        for job in some_jobs(jobs):
            try:
                job.terminate(reason)
            except ServiceError as error:
                trouble = error
        if trouble is not None:
            raise trouble

    def refresh_many(self, jobs: Iterable[Job | ArrayJob]) -> list[Job | ArrayJob]:
        """Look at these now, 100 in a call; return those that have changed. Raises ServiceError."""
        before = [(job, job.snapshot) for job in some_jobs(jobs)]
        refresh(self._aws, [job for job, _ in before])
        return [job for job, snapshot in before if job.snapshot != snapshot]

    def watcher(self, jobs: Iterable[Job | ArrayJob] = ()) -> Watcher:
        """Keeps jobs in view for a program with a loop of its own."""
        watcher = Watcher(self._aws, self._pace)
        watcher.add(some_jobs(jobs))
        return watcher

    def watch(self, jobs: Iterable[Job | ArrayJob], timeout: float | None = None) -> Iterator[Job | ArrayJob]:
        """Each job as it changes, until all have ended. Raises ServiceError; WaitTimedOut after `timeout` seconds."""
        return watch(self.watcher(jobs), self._aws, timeout)

    def tail(self, jobs: Iterable[Job | ArrayJob] = ()) -> MergedTail:
        """A reader of all these logs that never waits, for a program with a loop of its own."""
        return MergedTail(self._aws, jobs_of(some_jobs(jobs)))

    def logs(
        self, jobs: Sequence[Job | ArrayJob], *, timeout: float | None = None, settle: float = 5.0
    ) -> Iterator[LogLine]:
        """The lines of all these jobs as they come, merged by time, until all have ended; otherwise as `Job.logs`."""
        return follow_merged(some_jobs(jobs), self._aws, self._pace, timeout, settle)

    def _submit(
        self,
        spec: JobSpec,
        depends_on: Sequence[dependencies.Dependency],
        *,
        size: int = 1,
        variables: Mapping[str, str] | None = None,
    ) -> Job:
        identifier = submit(
            self._aws, self._definitions, a_spec(spec), self.queue, size=size if size > 1 else None, depends_on=depends_on,
            variables=variables,
        )  # fmt: skip
        snapshot = Snapshot(job_id=identifier, status="SUBMITTED", name=spec.name, queue=self.queue)
        return self._job(snapshot, known_by=self._aws.clock() + APPEARS_WITHIN_SECONDS)

    def _job(self, snapshot: Snapshot, known_by: float = float("-inf")) -> Job:
        return Job(self._aws, self._pace, snapshot, known_by=known_by)


def a_spec(spec: JobSpec) -> JobSpec:
    """What a job is. Raises InvalidSpec."""
    require(JobSpec, "spec", spec, "a JobSpec(name=..., image=...)")
    return spec


def some_jobs(jobs: Iterable[Job | ArrayJob]) -> tuple[Job | ArrayJob, ...]:
    """Jobs, not their ids. Raises InvalidSpec."""
    return several((Job, ArrayJob), "jobs", jobs, "jobs, which submit() gives, or jobs(ids)")


def known_statuses(statuses: Iterable[str]) -> tuple[str, ...]:
    """States of jobs. Raises InvalidSpec."""
    found = texts("statuses", statuses)
    for status in found:
        if status not in (*UNFINISHED, *FINISHED):
            raise wrong("statuses", status, f"among {', '.join((*UNFINISHED, *FINISHED))}")
    return tuple(found)
