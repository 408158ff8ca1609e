"""Ask Batch about many jobs at once: a hundred in one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from compute_batch import limits, snapshots
from compute_batch.pacing import Patience

if TYPE_CHECKING:
    from compute_batch.aws import Aws
    from compute_batch.job import Job

T = TypeVar("T")


def refresh(aws: Aws, jobs: Iterable[Job], patience: Patience | None = None) -> int:
    """Give each job that has not ended a new snapshot; return how many calls that took. Raises ServiceError."""
    calls = 0
    for some in chunks([job for job in jobs if not job.is_finished], limits.DESCRIBED_AT_ONCE):
        calls += 1
        identifiers = list(dict.fromkeys(job.id for job in some))
        found = aws.batch("describe_jobs", f"describe {len(identifiers)} jobs", patience=patience, jobs=identifiers)
        known = {job["jobId"]: snapshots.read(job) for job in found["jobs"]}
        for job in some:
            job.learn(known.get(job.id))
    return calls


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items, in slices of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))
