"""The run loop: what runs next, what became of it, and when to try again or give up."""

from __future__ import annotations

import contextlib
import itertools
import signal
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

import attrs
from flow_graph import Outcome, PlannedTask, TaskName, Traversal, foreach_frames

from stepwell.api.decorators.kinds import Batch, Environment, Retry, Timeout
from stepwell.api.definition import FlowDefinition
from stepwell.api.transitions import Transition
from stepwell.errors import RunFailed, RunInterrupted
from stepwell.execution.history import attempt_history, step_history, task_history
from stepwell.execution.logs import LogBuffer, log_name
from stepwell.execution.records import FailureRecord, RunRecord, TaskRecord, find_failure, find_task
from stepwell.execution.spec import TaskSpec
from stepwell.execution.stores import Stores
from stepwell.scheduling.console import Console
from stepwell.scheduling.launchers import Exit, Launcher
from stepwell.scheduling.loop import EventLoop
from stepwell.scheduling.recorder import Recorder
from stepwell.scheduling.resuming import Origin
from stepwell.scheduling.signals import handled_signals

_SECONDS_TO_END = 5.0


@attrs.frozen
class Limits:
    """How much may run and grow: tasks at once, children of one foreach."""

    max_workers: int = 16
    max_num_splits: int = 100


@attrs.define(eq=False)
class _Attempt:
    """An attempt that runs."""

    task: PlannedTask
    spec: TaskSpec
    place: str = ""
    log: LogBuffer = attrs.field(factory=LogBuffer)
    begun: float = attrs.field(factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self.begun


class Schedule:
    """Runs a flow's tasks to the end, or to the first failure that no retry mends."""

    def __init__(
        self,
        flow: FlowDefinition,
        claim: RunRecord,
        stores: Stores,
        recorder: Recorder,
        console: Console,
        limits: Limits,
        origin: Origin | None = None,
    ) -> None:
        self._flow, self._claim, self._stores = flow, claim, stores
        self._recorder, self._console, self._limits, self._origin = recorder, console, limits, origin
        self._traversal = Traversal(flow.graph)
        self._ready: deque[Iterator[PlannedTask]] = deque()
        self._active: dict[str, _Attempt] = {}
        self._outcomes: dict[TaskName, Outcome] = {}
        self._seen_steps: set[str] = set()
        self._waiting = self._done = 0
        self._failure: str = ""
        self._failed_step: str | None = None
        self._interrupted: int = 0
        self._launchers: Mapping[type, Launcher] = {}
        self.loop = EventLoop()

    def run(self, launchers: Mapping[type, Launcher]) -> None:
        """Run everything; raises `RunFailed` naming the step that failed, or the signal that ended the run."""
        self._launchers = launchers
        self._plan(self._traversal.begin())
        with self._signals():
            while (self._launch_ready() or self._active or self._waiting) and not self._is_over():
                self._console.progress(self._summary())
                self.loop.run_once()
            self._console.close()
        if self._interrupted:
            raise RunInterrupted(self._failure, self._interrupted)
        if self._failure:
            raise RunFailed(self._failure)

    @property
    def failed_step(self) -> str | None:
        """The step whose failure ended the run."""
        return self._failed_step

    # What runs next

    def _plan(self, tasks: Iterable[PlannedTask]) -> None:
        self._ready.append(iter(tasks))

    def _next_ready(self) -> PlannedTask | None:
        while self._ready:
            task = next(self._ready[0], None)
            if task is not None:
                return task
            self._ready.popleft()
        return None

    def _launch_ready(self) -> bool:
        """Start what may start; says whether anything runs."""
        while not self._failure and len(self._active) < self._limits.max_workers:
            task = self._next_ready()
            if task is None:
                break
            self._launch(task, attempt=0)
        return bool(self._active)

    def _launch(self, task: PlannedTask, attempt: int) -> None:
        if task.step not in self._seen_steps:
            self._seen_steps.add(task.step)
            self._recorder.record(step_history(self._claim, task.step))
        spec = TaskSpec(
            flow=self._claim.flow,
            run_id=self._claim.run_id,
            step=task.step,
            task_id=task.task_id,
            attempt=attempt,
            inputs=tuple(task.parents),
            frames=tuple(foreach_frames(self._flow.graph, task.step, task.task_id, self._outcome_of)),
            user=self._claim.user,
            package=self._claim.package,
            origin_run_id=self._claim.origin_run_id,
        )
        if attempt == 0:
            self._recorder.record(task_history(spec))
            if self._origin and (record := self._origin.take_over(task, spec, self._flow.graph[task.step])):
                self._recorder.record(attempt_history(spec, record, None, self._stores))
                self._finish(_Attempt(task, spec, "resumed"), record, f"Taken over from {record.origin or 'this run'}.")
                return
        self._active[_key(spec)] = _Attempt(task, spec)
        self._launcher(spec).launch(spec)

    def _launcher(self, spec: TaskSpec) -> Launcher:
        asked = (kind for kind in (Batch, Environment) if self._flow.decorator(spec.step, kind))
        return self._launchers[next(asked, type(None))]

    def _outcome_of(self, step: str, task_id: str) -> Outcome:
        return self._outcomes[TaskName(step, task_id)]

    # What attempts report

    def started(self, spec: TaskSpec, place: str) -> None:
        """See `Listener`."""
        self._active[_key(spec)].place = place
        self._console.task_event(spec, place, "Task is starting.")

    def printed(self, spec: TaskSpec, stream: str, line: bytes) -> None:
        """See `Listener`."""
        attempt = self._active[_key(spec)]
        attempt.log.add(stream, line)
        self._console.task_line(spec, attempt.place, line.decode("utf-8", "replace"))

    def exited(self, spec: TaskSpec, end: Exit) -> None:
        """See `Listener`. A task is done if its record is there, however its process ended."""
        attempt = self._active.pop(_key(spec))
        if not self._launcher(spec).writes_logs and (content := attempt.log.content()):
            name = log_name(spec.flow, spec.run_id, spec.step, spec.task_id, spec.attempt)
            self._stores.records.replace(name, content)
        record = find_task(self._stores.records, spec.flow, spec.run_id, spec.step, spec.task_id)
        failure = None if record else self._failure_of(attempt, end)
        self._recorder.record(attempt_history(spec, record, failure, self._stores))
        if record:
            self._finish(attempt, record)
        elif failure:
            self._retry_or_fail(attempt, failure)

    def _finish(self, attempt: _Attempt, record: TaskRecord, said: str = "Task finished successfully.") -> None:
        self._done += 1
        self._console.task_event(attempt.spec, attempt.place, said)
        transition = record.transition
        if transition.foreach and not self._may_split(attempt, transition):
            return
        if transition.foreach or transition.choice:
            self._outcomes[attempt.task.name] = transition.outcome
        self._plan(self._traversal.finish(attempt.task, transition.outcome))

    def _may_split(self, attempt: _Attempt, transition: Transition) -> bool:
        count = transition.cardinality or 0
        if count > self._limits.max_num_splits:
            self._fail(
                attempt.spec.step,
                f"The foreach in step '{attempt.spec.step}' has {count:,} items, more than the "
                f"{self._limits.max_num_splits:,} allowed; raise the limit with --max-num-splits {count}",
            )
            return False
        self._console.task_event(attempt.spec, attempt.place, f"Foreach yields {count} child steps.")
        return True

    def _failure_of(self, attempt: _Attempt, end: Exit) -> FailureRecord:
        spec = attempt.spec
        said = find_failure(self._stores.records, spec.flow, spec.run_id, spec.step, spec.task_id, spec.attempt)
        if said:
            return said
        node = self._flow.graph[spec.step]
        reason = end.reason or "its process ended before the step did (os._exit?)"
        timeout = self._flow.decorator(spec.step, Timeout)
        if timeout and attempt.seconds >= timeout.total:
            reason = f"it did not end within its @timeout of {timeout.total:g} seconds, nor soon after: {reason}"
        message = f"Step '{spec.step}' failed at {node.file}:{node.line}: {reason}"
        return FailureRecord(type="TaskDied", message=message, traceback="", file=node.file or "", line=node.line or 0)

    def _retry_or_fail(self, attempt: _Attempt, failure: FailureRecord) -> None:
        spec, tries = attempt.spec, self._flow.tries(attempt.spec.step)
        self._console.task_event(spec, attempt.place, "Task failed.")
        if self._failure or spec.attempt + 1 >= self._flow.attempts(spec.step):
            self._fail(
                spec.step,
                f"{failure.message}\nTask {spec.pathspec}; its log: stepwell logs {spec.flow}/{spec.pathspec}",
            )
            return
        retry = self._flow.decorator(spec.step, Retry)
        seconds = 0.0
        if retry and spec.attempt + 1 < tries:
            seconds = retry.minutes_between_retries * 60
            self._console.event(
                f"Task {spec.pathspec} is tried again in {seconds:g} seconds (attempt {spec.attempt + 2} of {tries})."
            )
        self._waiting += 1
        self.loop.call_after(seconds, lambda: self._try_again(attempt))

    def _try_again(self, attempt: _Attempt) -> None:
        self._waiting -= 1
        if not self._failure:
            self._launch(attempt.task, attempt.spec.attempt + 1)

    # The end

    def _is_over(self) -> bool:
        return bool(self._failure) and not self._active

    def _fail(self, step: str | None, message: str) -> None:
        """Give up: nothing new starts, what runs is asked to end, then made to."""
        if self._failure:
            return
        self._failure, self._failed_step = message, step
        if self._active:
            self._console.event(f"Terminating {len(self._active)} active tasks...")
            self._terminate(force=False)
            self.loop.call_after(_SECONDS_TO_END, lambda: self._terminate(force=True))

    def _terminate(self, force: bool) -> None:
        for attempt in list(self._active.values()):
            self._launcher(attempt.spec).terminate(attempt.spec, force)

    def _interrupt(self) -> None:
        name = signal.Signals(self._interrupted).name
        self._fail(None, f"The run was interrupted by {name}.")

    def _signals(self) -> contextlib.AbstractContextManager[None]:
        return handled_signals(self.loop, self._on_signal)

    def _on_signal(self, number: int) -> None:
        self._interrupted = self._interrupted or number
        self._interrupt()

    def _summary(self) -> str:
        counts = [f"{len(self._active)} running", f"{self._done} done"]
        if self._waiting:
            counts.append(f"{self._waiting} waiting to retry")
        steps = ", ".join(sorted({attempt.spec.step for attempt in itertools.islice(self._active.values(), 8)}))
        return f"{' · '.join(counts)}   {steps}"


def _key(spec: TaskSpec) -> str:
    return f"{spec.step}/{spec.task_id}"
