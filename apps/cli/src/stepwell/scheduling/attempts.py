"""Attempts that run: which task each is at, what it has printed, and why it failed where it could not say so itself."""

from __future__ import annotations

import time

import attrs
from flow_graph import PlannedTask

from stepwell.api.decorators.kinds import Timeout
from stepwell.api.definition import FlowDefinition
from stepwell.execution.keeping_logs import KeptLog
from stepwell.execution.records import FailureRecord, find_failure
from stepwell.execution.spec import TaskSpec
from stepwell.execution.stores import Stores
from stepwell.scheduling.room import Ask


@attrs.define(eq=False)
class Attempt:
    """An attempt that runs, or has. `ask` is what it takes of this machine; None where it runs elsewhere."""

    task: PlannedTask
    spec: TaskSpec
    ask: Ask | None
    log: KeptLog
    place: str = ""
    begun: float = attrs.field(factory=time.monotonic)
    ended: float | None = None

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return (self.ended or time.monotonic()) - self.begun

    def end(self) -> None:
        """It runs no more; what it left is still to be gathered."""
        self.ended = time.monotonic()


def key_of(spec: TaskSpec) -> str:
    """What tells a task from the others of its run."""
    return f"{spec.step}/{spec.task_id}"


def why_failed(attempt: Attempt, reason: str, flow: FlowDefinition, stores: Stores) -> FailureRecord:
    """Why an attempt failed: what it left, or else what is known of its end; `reason` is what its launcher knows."""
    spec = attempt.spec
    said = find_failure(stores.records, spec.flow, spec.run_id, spec.step, spec.task_id, spec.attempt)
    if said:
        return said
    node, timeout = flow.graph[spec.step], flow.decorator(spec.step, Timeout)
    reason = reason or "its process ended before the step did (os._exit?)"
    if timeout and attempt.seconds >= timeout.total:
        reason = f"it did not end within its @timeout of {timeout.total:g} seconds, nor soon after: {reason}"
    message = f"Step '{spec.step}' failed at {node.file}:{node.line}: {reason}"
    if last := attempt.log.lines.last_line:
        message += f"\nThe last line it printed: {last[:500]}"
    return FailureRecord(type="TaskDied", message=message, traceback="", file=node.file or "", line=node.line or 0)
