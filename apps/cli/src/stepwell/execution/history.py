"""What the metadata store is told of a run: steps, tasks, artifact pointers, and how attempts ended."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from typing import Any

from meta_client import Artifact, Metadatum, Step, Task

from stepwell.execution.records import FailureRecord, RunRecord, TaskRecord, done_name
from stepwell.execution.spec import TaskSpec
from stepwell.execution.step_records import taken_over
from stepwell.execution.stores import Stores

Record = Step | Task | Artifact | Metadatum


_LONGEST_LOCATION = 255  # what the databases of existing services hold; the task's path says the same


def step_history(claim: RunRecord, step: str) -> list[Record]:
    """That a step has begun."""
    return [Step(flow_id=claim.flow, run_id=claim.run_id, step_name=step, user_name=claim.user)]


def task_history(spec: TaskSpec) -> list[Record]:
    """That a task has begun."""
    return [Task(**_of_task(spec))]


def attempt_history(
    spec: TaskSpec, record: TaskRecord | None, failure: FailureRecord | None, stores: Stores
) -> list[Record]:
    """How an attempt ended, and what the task left if it is done; `failure` is why it failed otherwise."""
    artifacts: list[Record] = [] if record is None else _artifacts(spec, record, stores)
    return [*artifacts, *_metadata(spec, record, failure)]


def clone_history(claim: RunRecord, step: str, stores: Stores) -> Iterator[list[Record]]:
    """What there is to say of each task of a step that a run took over."""
    for record in taken_over(stores.records, claim, step):
        spec = TaskSpec(
            flow=claim.flow,
            run_id=claim.run_id,
            step=step,
            task_id=record.task_id,
            attempt=record.attempt,
            user=claim.user,
            package=claim.package,
            origin_run_id=claim.origin_run_id,
        )
        yield [*task_history(spec), *attempt_history(spec, record, None, stores)]


def place_history(spec: TaskSpec, facts: Mapping[str, str]) -> list[Record]:
    """Where an attempt runs, or ran: a job, its queue, its image."""
    shared = {"tags": (f"attempt_id:{spec.attempt}",), **_of_task(spec)}
    return [Metadatum(field_name=name, type=name, value=value, **shared) for name, value in facts.items()]


def _of_task(spec: TaskSpec) -> dict[str, Any]:
    return {
        "flow_id": spec.flow,
        "run_id": spec.run_id,
        "step_name": spec.step,
        "task_id": spec.task_id,
        "user_name": spec.user,
    }


def _artifacts(spec: TaskSpec, record: TaskRecord, stores: Stores) -> list[Record]:
    location = done_name(spec.flow, spec.run_id, spec.step, spec.task_id)
    shared = {
        "location": location if len(location) <= _LONGEST_LOCATION else "",
        "ds_type": stores.kind,
        "attempt_id": record.attempt,
        **_of_task(spec),
    }
    return [
        Artifact(name=name, sha=reference.identity, content_type=reference.serializer, **shared)
        for name, reference in record.artifacts.items()
    ]


def _metadata(spec: TaskSpec, record: TaskRecord | None, failure: FailureRecord | None) -> list[Record]:
    attempt = record.attempt if record else spec.attempt
    left = record or failure
    versions = {"python_version": platform.python_version(), **(left.ran_with if left else {})}
    facts = [
        ("attempt", "attempt", str(attempt)),
        *((name, name, version) for name, version in versions.items()),
        ("origin-run-id", "origin-run-id", spec.origin_run_id),
        ("code-package", "code-package", spec.package),
        ("failure", "failure", _storable(failure.message) if failure else None),
        # last, as its being there says that the attempt is over
        ("attempt_ok", "internal_attempt_status", str(record is not None)),
    ]
    shared = {"tags": (f"attempt_id:{attempt}",), **_of_task(spec)}
    return [
        Metadatum(field_name=field, type=kind, value=value, **shared)
        for field, kind, value in facts
        if value is not None
    ]


def _storable(text: str) -> str:
    """A user's text without what no store can keep: NUL, halves of surrogate pairs."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
