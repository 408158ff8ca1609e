"""What the metadata store is told of a run: steps, tasks, artifact pointers, and how attempts ended."""

from __future__ import annotations

import platform

from meta_client import Artifact, Metadatum, Step, Task

from stepwell.execution.records import FailureRecord, RunRecord, TaskRecord, done_name
from stepwell.execution.spec import TaskSpec
from stepwell.execution.stores import Stores

Record = Step | Task | Artifact | Metadatum


def step_history(claim: RunRecord, step: str) -> list[Record]:
    """That a step has begun."""
    return [Step(flow_id=claim.flow, run_id=claim.run_id, step_name=step, user_name=claim.user)]


def task_history(spec: TaskSpec) -> list[Record]:
    """That a task has begun."""
    return [
        Task(
            flow_id=spec.flow,
            run_id=spec.run_id,
            step_name=spec.step,
            task_id=spec.task_id,
            user_name=spec.user,
        )
    ]


def attempt_history(
    spec: TaskSpec, record: TaskRecord | None, failure: FailureRecord | None, stores: Stores
) -> list[Record]:
    """How an attempt ended, and what the task left if it is done; `failure` is why it failed otherwise."""
    artifacts: list[Record] = [] if record is None else _artifacts(spec, record, stores)
    return [*artifacts, *_metadata(spec, record, failure)]


def _artifacts(spec: TaskSpec, record: TaskRecord, stores: Stores) -> list[Record]:
    location = done_name(spec.flow, spec.run_id, spec.step, spec.task_id)
    return [
        Artifact(
            name=name,
            location=location,
            ds_type=stores.kind,
            sha=reference.identity,
            content_type=reference.serializer,
            attempt_id=record.attempt,
            flow_id=spec.flow,
            run_id=spec.run_id,
            step_name=spec.step,
            task_id=spec.task_id,
            user_name=spec.user,
        )
        for name, reference in record.artifacts.items()
    ]


def _metadata(spec: TaskSpec, record: TaskRecord | None, failure: FailureRecord | None) -> list[Record]:
    attempt = record.attempt if record else spec.attempt
    facts = {
        "attempt": ("attempt", str(attempt)),
        "python_version": ("python_version", platform.python_version()),
        **({"origin-run-id": ("origin-run-id", spec.origin_run_id)} if spec.origin_run_id else {}),
        **({"code-package": ("code-package", spec.package)} if spec.package else {}),
        **({"failure": ("failure", failure.message)} if failure else {}),
        # last, as its being there says that the attempt is over
        "attempt_ok": ("internal_attempt_status", str(record is not None)),
    }
    return [
        Metadatum(
            field_name=field,
            value=value,
            type=kind,
            flow_id=spec.flow,
            run_id=spec.run_id,
            step_name=spec.step,
            task_id=spec.task_id,
            user_name=spec.user,
            tags=(f"attempt_id:{attempt}",),
        )
        for field, (kind, value) in facts.items()
    ]
