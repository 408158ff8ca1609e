"""What a step is on AWS Batch: its job, its queue, what it is called and tagged."""

from __future__ import annotations

import math
import re
import sys
from typing import TYPE_CHECKING

import attrs
from compute_batch import (
    ONLY_IF_HOST_LOST,
    BatchClient,
    EfsVolume,
    HostVolume,
    JobSpec,
    LogDriver,
    Pace,
    Swap,
    Tmpfs,
)

from stepwell.api.decorators.batch import Batch
from stepwell.api.decorators.kinds import Resources, Retry, Timeout
from stepwell.api.definition import FlowDefinition
from stepwell.config import Settings, parse_config
from stepwell.deploying.bootstrap import bootstrap_command
from stepwell.deploying.gathering import Fanout
from stepwell.deploying.job import STEP
from stepwell.deploying.job_failures import IMAGE

if TYPE_CHECKING:
    from stepwell.execution.records import RunRecord

PACE = Pace(least_seconds=0.5, most_seconds=5, growth=1.2, seconds_per_call=0.4)
_GRACE_SECONDS = 60
"""Between a step's own timeout, which retries and @catch see, and Batch's, which nothing sees: to start and to end."""
FLOW_TAG, STEP_TAG, RUN_TAG, USER_TAG, PROJECT_TAG = (
    f"stepwell:{what}" for what in ("flow", "step", "run", "user", "project")
)


def open_client(settings: Settings, queue: str) -> BatchClient:
    """A client of a queue of the cluster that the settings name."""
    return BatchClient(
        queue=queue,
        region=settings.get("STEPWELL_AWS_REGION"),
        endpoint_url=settings.get("STEPWELL_AWS_ENDPOINT_URL"),
        pace=PACE,
        definition_prefix="stepwell",
    )


def job_spec(flow: FlowDefinition, step: str, settings: Settings, environment: dict[str, str]) -> JobSpec:
    """What a step's job is: `@batch` wins over `@resources` where it says more, and over the settings."""
    batch = flow.decorator(step, Batch) or Batch()
    asked = flow.decorator(step, Resources) or Resources()
    limit = flow.decorator(step, Timeout)
    image = batch.image or settings.get("STEPWELL_BATCH_IMAGE") or _matching_image()
    memory = max(batch.memory or 0, asked.memory)
    return JobSpec(
        name=f"{flow.name}-{step}"[:128],
        image=image,
        command=bootstrap_command(),
        environment={**_places(batch), **flow.variables(step), **environment, STEP: step, IMAGE: image},
        vcpus=max(batch.cpu or 0, asked.cpu),
        memory_mib=memory,
        gpus=max(batch.gpu or 0, asked.gpu or 0),
        neuron_devices=batch.inferentia or batch.trainium or 0,
        efa_interfaces=batch.efa or 0,
        shared_memory_mib=max(batch.shared_memory or 0, asked.shared_memory or 0) or None,
        swap=Swap(batch.max_swap, batch.swappiness) if batch.max_swap is not None else None,
        tmpfs=[Tmpfs(batch.tmpfs_size or memory // 2, batch.tmpfs_path)] if batch.use_tmpfs else (),
        volumes=[
            *(HostVolume(path, path) for path in batch.host_volumes),
            *(EfsVolume(one, f"/mnt/{one}") for one in batch.efs_volumes),
        ],
        privileged=batch.privileged,
        log_driver=LogDriver(batch.log_driver, batch.log_options) if batch.log_driver else None,
        job_role=batch.iam_role or settings.get("STEPWELL_BATCH_JOB_ROLE"),
        execution_role=batch.execution_role or settings.get("STEPWELL_BATCH_EXECUTION_ROLE"),
        timeout_seconds=math.ceil(limit.total) + _GRACE_SECONDS if limit else None,
    )


def _places(batch: Batch) -> dict[str, str]:
    """Where temporary files go."""
    return {"TMPDIR": batch.tmpfs_path} if batch.use_tmpfs and batch.tmpfs_tempdir else {}


def spec_of(
    fanout: Fanout, flow: FlowDefinition, claimed: RunRecord, settings: Settings, environment: dict[str, str]
) -> JobSpec:
    """The job of attempts of a run: found again by its name, told from others by its tags.

    Of the attempts that are left to a step with `@retry`, Batch makes those itself whose instance was taken away.
    """
    step = fanout.step
    left = flow.tries(step) - fanout.first_attempt if flow.decorator(step, Retry) else 1
    return attrs.evolve(
        job_spec(flow, step, settings, {**environment, **fanout.environment}),
        name=(jobs_prefix(flow.name, claimed.run_id) + step)[:128],
        attempts=max(1, left),
        retry_rules=ONLY_IF_HOST_LOST if left > 1 else (),
        tags={**tags_of(flow, step, claimed.user, settings), RUN_TAG: tag_value(claimed.run_id)},
    )


def jobs_prefix(flow: str, run_id: str = "") -> str:
    """How the names of a flow's jobs, or of those of one run, begin."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", f"{flow}-{run_id}-" if run_id else f"{flow}-")[:100]


def tags_of(flow: FlowDefinition, step: str, user: str, settings: Settings) -> dict[str, str]:
    """The tags of a job but for its run's; cost reports are made of them. They are of submissions, never of definitions."""
    given, batch = settings.get("STEPWELL_BATCH_TAGS"), flow.decorator(step, Batch)
    tags = {FLOW_TAG: flow.name, STEP_TAG: step, USER_TAG: user}
    if project := flow.project(user):
        tags[PROJECT_TAG] = project.project_name
    own = {key: tag_value(value) for key, value in tags.items()}
    asked = {key: tag_value(value) for key, value in batch.aws_batch_tags.items()} if batch else {}
    return {**(parse_config(given, "STEPWELL_BATCH_TAGS") if given else {}), **asked, **own}


def tag_value(text: str) -> str:
    """A text as AWS takes it for a tag."""
    return re.sub(r"[^\w +=.:/@-]", "_", text)[:256]


def queue_of(flow: FlowDefinition, step: str, settings: Settings) -> str:
    """The queue of a step's jobs."""
    batch = flow.decorator(step, Batch)
    return (batch and batch.queue) or settings.require("STEPWELL_BATCH_QUEUE", "AWS Batch")


def _matching_image() -> str:
    return f"python:{sys.version_info[0]}.{sys.version_info[1]}"
