"""The jobs of a queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from compute_batch import snapshots

if TYPE_CHECKING:
    from compute_batch.aws import Aws
    from compute_batch.job import Job
    from compute_batch.snapshots import Snapshot


def list_jobs(
    aws: Aws, make: Callable[[Snapshot], Job], queue: str, statuses: Sequence[str], name: str | None
) -> Iterator[Job]:
    """See `BatchClient.list_jobs`."""
    # Batch takes a name or one status, never both
    questions = (
        [{"filters": [{"name": "JOB_NAME", "values": [name]}]}]
        if name is not None
        else [{"jobStatus": status} for status in statuses]
    )
    for question in questions:
        action = f"list the jobs of queue {queue}"
        for summary in aws.pages("list_jobs", action, "jobSummaryList", jobQueue=queue, **question):
            if summary["status"] in statuses:
                yield make(snapshots.read(summary))
