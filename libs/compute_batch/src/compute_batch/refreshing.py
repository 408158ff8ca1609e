"""Ask Batch about many jobs at once: a hundred in one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from compute_batch import limits, snapshots
from compute_batch.pacing import Patience

if TYPE_CHECKING:
    from compute_batch.aws import Aws
    from compute_batch.job import Job

T = TypeVar("T")


class Refreshable(Protocol):
    """A job, or an array of jobs."""

    def heads(self) -> Iterable[Job]:
        """Those to ask about first."""

    def behind(self) -> Iterable[Job]:
        """Those of which some must have changed, by what Batch has just said of the heads; the likeliest first."""

    def settle(self) -> None:
        """Draw conclusions, when all answers are there."""


def refresh(aws: Aws, items: Iterable[Refreshable], patience: Patience | None = None) -> int:
    """Bring jobs and arrays up to date; return how many calls that took. Raises ServiceError.

    Children of an array are asked about only if its counts say that they have changed, and only until all that has is found.
    """
    items = list(items)
    calls = describe(aws, [job for item in items for job in item.heads()], patience)
    asked: set[str] = set()
    while some := [job for item in items for job in item.behind() if job.id not in asked][: limits.DESCRIBED_AT_ONCE]:
        asked.update(job.id for job in some)
        calls += describe(aws, some, patience)
    for item in items:
        item.settle()
    return calls


def describe(aws: Aws, jobs: Iterable[Job], patience: Patience | None) -> int:
    """Give each job that has not ended a new snapshot; return how many calls that took. Raises ServiceError."""
    unfinished: dict[str, list[Job]] = {}
    for job in jobs:
        if not job.is_finished:
            unfinished.setdefault(job.id, []).append(job)
    calls = 0
    for some in chunks(list(unfinished), limits.DESCRIBED_AT_ONCE):
        calls += 1
        others = f" and {len(some) - 1} others" if len(some) > 1 else ""
        found = aws.batch("describe_jobs", f"describe job {some[0]}{others}", patience=patience, jobs=list(some))
        known = {description["jobId"]: snapshots.read(description) for description in found["jobs"]}
        for identifier in some:
            for job in unfinished[identifier]:
                job.learn(known.get(identifier))
    return calls


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items, in slices of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))
