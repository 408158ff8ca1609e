"""Which jobs must have succeeded before another one runs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from compute_batch import limits
from compute_batch.arguments import require, several
from compute_batch.array import ArrayJob, ArrayPart
from compute_batch.errors import InvalidSpec
from compute_batch.job import Job

Dependency: TypeAlias = Mapping[str, str]


def of_job(after: Sequence[Job | ArrayJob | str]) -> list[Dependency]:
    """Of a job that waits for all of these. Raises InvalidSpec if they are too many."""
    jobs = several((str, Job, ArrayJob), "after", after, "jobs, or ids of jobs")
    return _checked([{"jobId": identifier} for job in jobs for identifier in _ids(job)])


def of_part(
    children: range, before: Sequence[ArrayPart], after: Sequence[Job | ArrayJob | str],
    each_after: ArrayJob | None, at_once: int | None,
) -> list[Dependency]:  # fmt: skip
    """Of the part of an array that follows those in `before`; see `BatchClient.submit_array`. Raises InvalidSpec."""
    found = of_job(after)
    if at_once == 1 and len(children) > 1:
        found.append({"type": "SEQUENTIAL"})
    if at_once is not None and before:
        found.append(_child_by_child(children, before[-1]))
    require((ArrayJob, type(None)), "each_after", each_after, "an ArrayJob, which submit_array() gives, or None")
    if each_after is not None:
        found.append(_child_by_child(children, _counterpart(children, each_after)))
    return _checked(found)


def _child_by_child(children: range, other: ArrayPart) -> Dependency:
    """Wait for the other child by child if it is as long, so that no child waits for a slow one that is not its own."""
    if len(children) == len(other.children) > 1:
        return {"jobId": other.job.id, "type": "N_TO_N"}
    return {"jobId": other.job.id}


def _counterpart(children: range, other: ArrayJob) -> ArrayPart:
    for part in other.parts:
        if (part.first, len(part.children)) == (children.start, len(children)):
            return part
    raise InvalidSpec(
        "each_after",
        f"Children {children.start:,} to {children.stop - 1:,} have no array of counterparts in {other!r}. "
        "Submit both with the same size and at_once.",
    )


def _checked(dependencies: list[Dependency]) -> list[Dependency]:
    if len(dependencies) > limits.DEPENDENCIES:
        raise InvalidSpec(
            "after",
            f"A job waits for {limits.DEPENDENCIES} others at most, not {len(dependencies)}. Put a job in between that waits "
            "for some of them.",
        )
    return dependencies


def _ids(job: Job | ArrayJob | str) -> tuple[str, ...]:
    if isinstance(job, str):
        return (job,)
    return job.ids if isinstance(job, ArrayJob) else (job.id,)
