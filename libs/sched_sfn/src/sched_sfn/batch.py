"""Run steps as jobs of AWS Batch."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import attrs
from flow_graph import Node

from sched_sfn import arguments, quotas
from sched_sfn.arguments import field, instance, optional, whole
from sched_sfn.common import DEFINITION, QUEUE, Common, common_to
from sched_sfn.errors import CompileError, InvalidArgument, InvalidName
from sched_sfn.running import S3Record, StepTask
from sched_sfn.values import Template

SUBMIT = "arn:aws:states:::batch:submitJob.sync"
# The submission failed, not the job: Batch takes about 50 submissions a second from an account. The waits are the language's
# own, up to 1 s, 2 s, 4 s and so on, as every job repeats these lines.
RETRY_SUBMISSION = {
    "ErrorEquals": ["Batch.AWSBatchException", "Batch.ServerException", "Batch.TooManyRequestsException"],
    "MaxAttempts": 9,
    "JitterStrategy": "FULL",
}
JOB_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_-]{{0,{quotas.JOB_NAME - 1}}}")
EXPECTED = {"execution": 80, "task_id": 32, "path": 32, "iteration": 8, "offset": 8, "input": 2, "redrives": 4}
"""Bytes that a slot is expected to take when it is filled."""


TEXT = instance(str, Template, must="text or a Template")
TEXTS = arguments.by_text(TEXT, "a mapping from names to texts or Templates")


def check_command(job: BatchJob, attribute: Any, command: object) -> None:
    """Raise InvalidArgument unless it is a sequence of words."""
    if isinstance(command, (str, Template)) or not isinstance(command, Sequence):
        raise InvalidArgument("BatchJob's command", command, "a sequence of words, as in ['python', '-m', 'train']")
    for word in command:
        TEXT("a word of BatchJob's command", word)


@attrs.frozen(kw_only=True)
class BatchJob:
    """The job that runs a step.

    - `definition`, `queue`: names or ARNs.
    - `name`: the job's name; that of flow and step if left out.
    - `environment`: variables of the container, plain text or templates; the rest is in the job definition.
    - `command`, `vcpus`, `memory_mib`, `gpus`: in place of the job definition's.
    - `attempts`: how often Batch tries (1 to 10), `attempt_seconds`: how long one attempt may take (60 at least), in place of
      the job definition's.
    - `wait_seconds`: how long the machine waits for the job, queueing and all attempts included; for ever, if left out.
    - `tags`: of the job and what it runs in, plain text or templates: reports of costs go by them.
    - `more`: further arguments of SubmitJob, `{"ShareIdentifier": "a", "SchedulingPriorityOverride": 5}`.
    """

    definition: str = attrs.field(validator=field(arguments.name))
    queue: str = attrs.field(validator=field(arguments.name))
    name: str | None = attrs.field(default=None, validator=field(optional(arguments.text)))
    environment: Mapping[str, str | Template] = attrs.field(factory=dict, validator=field(TEXTS))
    command: Sequence[str | Template] = attrs.field(default=(), validator=check_command)
    vcpus: float | None = attrs.field(default=None, validator=field(optional(arguments.number)))
    memory_mib: int | None = attrs.field(default=None, validator=field(optional(whole(1))))
    gpus: int | None = attrs.field(default=None, validator=field(optional(whole(1))))
    attempts: int | None = attrs.field(default=None, validator=field(optional(whole(0))))
    attempt_seconds: int | None = attrs.field(default=None, validator=field(optional(whole(0))))
    wait_seconds: int | None = attrs.field(default=None, validator=field(optional(whole(1, quotas.LONGEST_TIMEOUT))))
    tags: Mapping[str, str | Template] = attrs.field(factory=dict, validator=field(TEXTS))
    more: Mapping[str, Any] = attrs.field(factory=dict, validator=field(instance(Mapping, must="a mapping")))

    def knows_offset(self) -> bool:
        """Whether the job is told the offset, so that several arrays can share a foreach."""
        texts = [*self.environment.values(), *self.command]
        return any(isinstance(text, Template) and "offset" in text.slots for text in texts)


A_JOB = instance(BatchJob, must="a BatchJob")


@attrs.frozen(slots=False)  # a __dict__ for the cached property
class BatchRunner:
    """Runs each step as a job of AWS Batch, a foreach over one step as an array job.

    - `job`: the job of every step but those in `jobs`.
    - `record`: where a step that decides leaves its decision.
    - `jobs`: by step, its own job.

    The job succeeds (exit status 0) if and only if its task is done. Where it is one of an array, Batch tells it its index
    in `AWS_BATCH_JOB_ARRAY_INDEX`.
    """

    job: BatchJob = attrs.field(validator=field(A_JOB))
    record: S3Record = attrs.field(
        validator=field(
            instance(S3Record, must="an S3Record, as S3Record('bucket', Template('{execution}/{step}/{task_id}'))")
        )
    )
    jobs: Mapping[str, BatchJob] = attrs.field(
        factory=dict, validator=field(arguments.by_text(A_JOB, "a mapping from steps to BatchJobs"))
    )

    def supports_arrays(self, node: Node) -> bool:
        """Always: see `StepRunner`."""
        return True

    def decision(self, node: Node) -> S3Record:
        """See `StepRunner`."""
        return self.record

    @cached_property
    def common(self) -> Common:
        """What the jobs have in common."""
        return common_to([self.job, *self.jobs.values()])

    def shared(self, first: StepTask) -> dict[str, Any]:
        """See `SharingRunner`: what the jobs have in common is said once."""
        return self.common.shared(first)

    def state(self, task: StepTask) -> dict[str, Any]:
        """See `StepRunner`. Raises QuotaExceeded, InvalidName, and CompileError where a job cannot know which task it is."""
        job = self.jobs.get(task.step, self.job)
        check_job(job, task)
        state: dict[str, Any] = {"Type": "Task", "Resource": SUBMIT, "Arguments": submission(job, task, self.common)}
        if job.wait_seconds is not None:
            state["TimeoutSeconds"] = job.wait_seconds
        return {**state, "Retry": [RETRY_SUBMISSION]}


def submission(job: BatchJob, task: StepTask, common: Common) -> dict[str, Any]:
    """The arguments of SubmitJob, which the state language spells with capitals."""
    found: dict[str, Any] = {
        "JobName": job_name(job, task),
        "JobQueue": common.text(QUEUE, job.queue, task),
        "JobDefinition": common.text(DEFINITION, job.definition, task),
        "ArrayProperties": {"Size": str(task.width)} if task.width is not None else None,
        "ContainerOverrides": overrides(job, task, common),
        "RetryStrategy": {"Attempts": job.attempts} if job.attempts is not None else None,
        "Timeout": {"AttemptDurationSeconds": job.attempt_seconds} if job.attempt_seconds is not None else None,
        "Tags": common.tags_of(job.tags, task),
        "PropagateTags": True if job.tags else None,
        **job.more,
    }
    return {key: value for key, value in found.items() if value not in (None, {})}


def overrides(job: BatchJob, task: StepTask, common: Common) -> dict[str, Any]:
    """What is different from the job definition."""
    resources = {"VCPU": job.vcpus, "MEMORY": job.memory_mib, "GPU": job.gpus}
    found = {
        "Command": [task.fill(word) for word in job.command],
        "Environment": [
            {"Name": name, "Value": common.text(name, value, task)} for name, value in job.environment.items()
        ],
        "ResourceRequirements": [
            {"Type": kind, "Value": f"{value:g}" if kind == "VCPU" else str(value)}
            for kind, value in resources.items()
            if value is not None
        ],
    }
    return {key: value for key, value in found.items() if value}


def job_name(job: BatchJob, task: StepTask) -> str:
    """The name of the job; what Batch takes in none is left out of the flow's."""
    default = re.sub(r"^[_-]+|[^A-Za-z0-9_-]", "", f"{task.flow}-{task.step}")
    return job.name or default[: quotas.JOB_NAME]


# ---- checks


def check_job(job: BatchJob, task: StepTask) -> None:
    """Raise QuotaExceeded, InvalidName or CompileError if Batch would refuse the job, or run the wrong tasks."""
    step, name = task.step, job_name(job, task)
    if not JOB_NAME.fullmatch(name):
        raise InvalidName("a job", name, "Batch takes 1 to 128 letters, digits, hyphens and underscores")
    if job.attempts is not None and not 1 <= job.attempts <= quotas.ATTEMPTS:
        raise CompileError(f"Step {step!r} has {job.attempts} attempts; Batch allows 1 to {quotas.ATTEMPTS}.", step)
    if job.attempt_seconds is not None and job.attempt_seconds < quotas.SHORTEST_TIMEOUT:
        raise CompileError(
            f"Attempts of step {step!r} may take {job.attempt_seconds} s; Batch allows no less than "
            f"{quotas.SHORTEST_TIMEOUT} s. Enforce a shorter one in the job itself.",
            step,
        )
    for variable in job.environment:
        if variable.startswith("AWS_BATCH"):
            raise CompileError(f"The job of step {step!r} sets {variable}, which is Batch's own to set.", step)
    if task.offset != "0" and not job.knows_offset():
        raise CompileError(
            f"A foreach over step {step!r} may be wider than one array, and its job would not know which items are its own: "
            'give it a variable with Template("{offset}"), to be added to AWS_BATCH_JOB_ARRAY_INDEX.',
            step,
        )
    check_overrides(job, task)


def check_overrides(job: BatchJob, task: StepTask) -> None:
    """Raise QuotaExceeded if the overrides are too long, with what templates are expected to take; the input counts nothing."""

    def expected(text: str | Template) -> str:
        if isinstance(text, str):
            return text
        return text.fill({"step": (task.step,), **{slot: ("x" * size,) for slot, size in EXPECTED.items()}})

    texts = {
        "Command": [expected(word) for word in job.command],
        "Environment": [{"Name": name, "Value": expected(value)} for name, value in job.environment.items()],
    }
    size = len(json.dumps({**overrides(job, task, Common({}, {})), **texts}, separators=(",", ":")).encode())
    quotas.require(
        f"The job of step {task.step!r}",
        "bytes of container overrides",
        quotas.OVERRIDES,
        size,
        "Move variables into the job definition, or their values to S3.",
        task.step,
    )
