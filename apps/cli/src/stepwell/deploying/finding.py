"""Jobs of a flow that are on the cluster, found by their names and told apart by their tags."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import attrs
from compute_batch import BatchClient, Job

from stepwell.api.decorators.batch import Batch
from stepwell.api.definition import FlowDefinition
from stepwell.config import Settings
from stepwell.deploying.batch import (
    FLOW_TAG,
    RUN_TAG,
    STEP_TAG,
    USER_TAG,
    jobs_prefix,
    open_client,
    queue_of,
    tag_value,
)
from stepwell.terminal import say


@attrs.frozen
class FlowJob:
    """A job, or an array of jobs as one, with what its tags say."""

    job: Job
    run_id: str
    step: str
    user: str

    @property
    def state(self) -> str:
        """Its status; of an array, how many children are in which."""
        counts = self.job.snapshot.status_counts
        return ", ".join(f"{count} {status}" for status, count in counts.items()) if counts else self.job.status


def unfinished_jobs(
    flow: FlowDefinition, settings: Settings, run_id: str | None = None, user: str | None = None
) -> list[FlowJob]:
    """The jobs that have not ended, of one run or of all, of one user or of everybody; newest first within each state."""
    found = [one for name in _queues(flow, settings) for one in _of_queue(open_client(settings, name), flow, run_id)]
    return [
        one
        for one in found
        if run_id in (None, one.run_id) and (user is None or one.user == tag_value(user)) and not one.job.is_finished
    ]


def end_jobs(settings: Settings, jobs: Iterable[FlowJob], reason: str) -> None:
    """Have AWS end them; raises `ServiceError` for one that it does not, after the others."""
    jobs = list(jobs)
    if jobs:
        open_client(settings, jobs[0].job.snapshot.queue or "").terminate((one.job for one in jobs), reason)


def settle_jobs(flow: FlowDefinition, settings: Settings, run_id: str, stop: bool) -> None:
    """See what still works for a run whose scheduler is gone to its end; with `stop`, end it first."""
    jobs = unfinished_jobs(flow, settings, run_id)
    if not jobs:
        return
    if stop:
        end_jobs(settings, jobs, "the run is resumed without it")
        say(f"Ended {len(jobs)} jobs of run {run_id} that were still at work.", sys.stderr)
    else:
        say(
            f"{len(jobs)} jobs of run {run_id} are still at work: what they finish is taken over "
            "(Ctrl-C and resume --jobs stop end them).",
            sys.stderr,
        )
    client = open_client(settings, jobs[0].job.snapshot.queue or "")
    for _ in client.watch(one.job for one in jobs):
        pass


def _queues(flow: FlowDefinition, settings: Settings) -> Iterator[str]:
    own = {queue_of(flow, node.name, settings) for node in flow.graph if flow.decorator(node.name, Batch)}
    common = settings.get("STEPWELL_BATCH_QUEUE")
    yield from sorted(own | ({common} if common else set()))


def _of_queue(client: BatchClient, flow: FlowDefinition, run_id: str | None) -> Iterator[FlowJob]:
    found = client.list_jobs(name=f"{jobs_prefix(flow.name, run_id or '')}*")
    jobs = [job for job in found if ":" not in job.id]  # not the children of arrays
    client.refresh_many(jobs)
    for job in jobs:
        tags = job.snapshot.tags
        if tags.get(FLOW_TAG) == tag_value(flow.name):
            yield FlowJob(job, tags.get(RUN_TAG, ""), tags.get(STEP_TAG, ""), tags.get(USER_TAG, ""))
