"""The run loop: what runs next, what became of it, and when to try again or give up."""

from __future__ import annotations

import contextlib
import functools
import signal
from collections.abc import Callable, Mapping, Sequence

import attrs
from cas_store import CasStoreError
from flow_graph import ForeachTasks, Outcome, PlannedTask, TaskName, Traversal, foreach_frames

from stepwell.api.decorators.batch import Batch
from stepwell.api.decorators.kinds import Environment, Parallel, Resources, Retry
from stepwell.api.definition import FlowDefinition
from stepwell.api.transitions import Transition
from stepwell.errors import RunFailed, RunInterrupted
from stepwell.execution.history import attempt_history, clone_history, place_history, step_history, task_history
from stepwell.execution.keeping_logs import LOOK_SECONDS, KeptLog, log_of
from stepwell.execution.records import (
    FailureRecord,
    RunRecord,
    TaskRecord,
    find_task,
)
from stepwell.execution.spec import TaskSpec
from stepwell.execution.stores import Stores
from stepwell.scheduling.aside import Aside
from stepwell.scheduling.attempts import Attempt, key_of
from stepwell.scheduling.console import Console
from stepwell.scheduling.gangs import Gang, GangName, clean_up, gang_of, members, publish
from stepwell.scheduling.handing_on import HandedOn, Items
from stepwell.scheduling.launchers import NOTHING, Exit, Facts, Launcher
from stepwell.scheduling.leavings import Leavings, gather
from stepwell.scheduling.loop import EventLoop
from stepwell.scheduling.machine import Machine, this_machine
from stepwell.scheduling.packing import StepPacker
from stepwell.scheduling.progress import Progress
from stepwell.scheduling.ready import ReadyTasks
from stepwell.scheduling.recorder import Recorder
from stepwell.scheduling.resuming import Origin
from stepwell.scheduling.room import Ask, Room, asked
from stepwell.scheduling.signals import handled_signals

_SECONDS_TO_END = 5.0
_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_FOR_ANOTHERS_GANG = 60.0


@attrs.frozen
class Limits:
    """How much may run and grow: tasks at once (None: as many as is usual where they run), items of a foreach, MiB of a log."""

    max_workers: int | None = None
    max_num_splits: int = 100
    max_log_size: int = 10


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
        machine: Machine | None = None,
    ) -> None:
        self._flow, self._claim, self._stores = flow, claim, stores
        self._recorder, self._console, self._limits, self._origin = recorder, console, limits, origin
        self._traversal = Traversal(flow.graph)
        self._packer = StepPacker(flow.graph, claim, stores.records)
        self._ready = ReadyTasks()
        self._machine = machine or this_machine()
        self._room = Room(self._machine, limits.max_workers)
        self.progress = Progress()
        self._active: dict[str, Attempt] = {}
        self._gangs: dict[GangName, Gang] = {}
        self._outcomes: dict[TaskName, Outcome] = {}
        self._handed_on = HandedOn(stores)
        self._seen_steps: set[str] = set()
        self._waiting = 0
        self._failure: str = ""
        self._failed_step: str | None = None
        self._interrupted: int = 0
        self._launchers: Mapping[type, Launcher] = {}
        self.loop = EventLoop()
        self._aside = Aside(self.loop, stores.records)

    def run(self, launchers: Mapping[type, Launcher]) -> None:
        """Run everything; raises `RunFailed` naming the step that failed, or the signal that ended the run."""
        self._launchers = launchers
        self._plan(self._traversal.begin())
        self._look_now_and_then()
        with self._signals():
            if self._origin:
                self._take_over(self._origin)
            self._keep_logs()
            while (self._launch_ready() or self._active or self._waiting) and not self._is_over():
                self._console.progress(self.progress.line)
                self.loop.run_once()
            self._console.close()
        if self._interrupted:
            raise RunInterrupted(self._failure, self._interrupted)
        if self._failure:
            raise RunFailed(self._failure)

    def close(self) -> None:
        """Keep what a later run may read, and let go of the loop."""
        self._aside.close()
        self._packer.close()
        self.loop.close()

    @property
    def failed_step(self) -> str | None:
        """The step whose failure ended the run."""
        return self._failed_step

    # What runs next

    def _plan(self, tasks: Sequence[PlannedTask]) -> None:
        if isinstance(tasks, ForeachTasks):  # not looked at, as there may be very many
            self.progress.planned(tasks.step, len(tasks))
        else:
            for task in tasks:
                self.progress.planned(task.step, 1)
        self._ready.plan(tasks)

    def _launch_ready(self) -> bool:
        """Start what may start; says whether anything runs."""
        while not self._failure and not self._aside.is_full and (ready := self._ready.take()) is not None:
            task, attempt = ready
            ask = self._ask(task.step)
            if ask and not self._room.is_there_for(ask):
                self._ready.put_first(task, attempt)
                break
            self._launch(task, attempt, ask)
        return bool(self._active)

    def _ask(self, step: str) -> Ask | None:
        """What a step's tasks take of this machine; None where they run elsewhere, or all at once, as a gang's do."""
        if self._launcher(step).limits_itself or self._flow.decorator(step, Parallel):
            return None
        return asked(self._flow.decorator(step, Resources), self._machine)

    def _take_over(self, origin: Origin) -> None:
        """Walk through what was done before; what has to run is left to be started."""
        left = []
        while (ready := self._ready.take()) is not None:
            task, _ = ready
            transition = (
                origin.take_over(task, self._claim, self._flow.graph[task.step])
                if self._flow.decorator(task.step, Parallel) is None or origin.has_all(members(self._spec(task, 0)))
                else None
            )
            if transition is None or not self._go_on(task, transition):
                left.append(task)
            else:
                self.progress.taken_over(task.step)
        self._ready.plan(left)
        for step, count in origin.publish(self._claim).items():
            self._begin_step(step)
            self._recorder.record_late(functools.partial(clone_history, self._claim, step, self._stores))
            self._console.event(f"Step {step}: {count:,} of its tasks taken over from run {origin.run.run_id}.")

    def _find(self, spec: TaskSpec) -> TaskRecord | None:
        return find_task(self._stores.records, spec.flow, spec.run_id, spec.step, spec.task_id)

    def _begin_step(self, step: str, ask: Ask | None = None) -> None:
        if step in self._seen_steps:
            return
        self._seen_steps.add(step)
        self._recorder.record(step_history(self._claim, step))
        if ask and ask.alone:
            self._console.warn(
                f"Step '{step}' asks for {ask.cores:g} cores and {ask.memory_mib:,.0f} MiB; there are {self._machine} here, "
                "so each of its tasks runs alone"
            )

    def _launch(self, task: PlannedTask, attempt: int, ask: Ask | None) -> None:
        self._begin_step(task.step, ask)
        spec = self._spec(task, attempt)
        if attempt == 0:
            self._recorder.record(task_history(spec))
            if self._origin and self._origin.entered_again and self._is_anothers(spec):
                self.progress.started(task.step)
                self._await(Attempt(task, spec, None, self._log_of(spec), "resumed"))
                return
        if self._flow.decorator(task.step, Parallel):
            gang = self._gangs.setdefault(gang_of(spec), Gang(spec.frames[-1].cardinality))
            spec = attrs.evolve(spec, gang=gang.token)
        if not self._launcher(spec.step).limits_itself:
            spec = self._handed_on.hand_on(spec)
        self._active[key_of(spec)] = Attempt(task, spec, ask, self._log_of(spec))
        self.progress.started(task.step)
        if ask:
            self._room.enter(ask)
        self._launcher(spec.step).launch(spec)

    def _spec(self, task: PlannedTask, attempt: int) -> TaskSpec:
        return TaskSpec(
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

    def _is_anothers(self, spec: TaskSpec) -> bool:
        """Whether another process of this run has done a task, or begun to publish the gang that it is of."""
        first = members(spec)[0].task_id if self._flow.decorator(spec.step, Parallel) else spec.task_id
        return self._find(attrs.evolve(spec, task_id=first)) is not None

    def _await(self, attempt: Attempt, seconds: float = _SECONDS_FOR_ANOTHERS_GANG) -> None:
        """Take what another process of this run has done, or does within seconds, as it publishes a gang."""
        spec = attempt.spec
        if record := self._find(spec):
            self.progress.withdrawn(spec.step)
            self.progress.taken_over(spec.step)
            self._recorder.record(attempt_history(spec, record, None, self._stores))
            self._finish(attempt, record, said="Done by another process of this run.")
        elif seconds > 0:
            self._waiting += 1
            self.loop.call_after(_SECONDS_BETWEEN_LOOKS, lambda: self._look_again(attempt, seconds))
        else:
            self._fail(
                spec.step,
                f"Another process of this run ended while it published the gang of step '{spec.step}': resume into a new run",
            )

    def _log_of(self, spec: TaskSpec) -> KeptLog:
        return log_of(spec, self._stores, self._limits.max_log_size)

    def _look_again(self, attempt: Attempt, seconds: float) -> None:
        self._waiting -= 1
        self._await(attempt, seconds - _SECONDS_BETWEEN_LOOKS)

    def _launcher(self, step: str) -> Launcher:
        asked = (kind for kind in (Batch, Environment) if self._flow.decorator(step, kind))
        return self._launchers[next(asked, type(None))]

    def _outcome_of(self, step: str, task_id: str) -> Outcome:
        return self._outcomes[TaskName(step, task_id)]

    # What attempts report

    def started(self, spec: TaskSpec, place: str, facts: Facts = NOTHING) -> None:
        """See `Listener`."""
        self._active[key_of(spec)].place = place
        self._recorder.record(place_history(spec, facts))
        self._console.task_event(spec, place, "Task is starting.")

    def printed(self, spec: TaskSpec, stream: str, line: bytes) -> None:
        """See `Listener`."""
        attempt = self._active[key_of(spec)]
        attempt.log.add(stream, line)
        self._console.task_line(spec, attempt.place, line.decode("utf-8", "replace"))

    def exited(self, spec: TaskSpec, end: Exit) -> None:
        """See `Listener`. The attempt stays active until what it left is gathered, but takes no room."""
        attempt = self._active[key_of(spec)]
        attempt.end()
        if attempt.ask:
            self._room.leave(attempt.ask)
        keeps_log = not self._launcher(spec.step).writes_logs
        attempt.spec = attrs.evolve(spec, attempt=spec.attempt + end.retried)
        self._aside.do(
            lambda: gather(attempt, end, self._flow, self._stores, keeps_log),
            lambda gathered: self._gathered(attempt, end, gathered),
        )

    def _gathered(self, attempt: Attempt, end: Exit, gathered: Callable[[], Leavings]) -> None:
        del self._active[key_of(attempt.spec)]
        try:
            left = gathered()
            if left.unkept_log:
                self._console.warn(f"The log of {attempt.spec.pathspec} cannot be kept: {left.unkept_log}")
            self._settle(attempt, end, left)
        except CasStoreError as error:
            self._fail(attempt.spec.step, f"The run cannot go on without its datastore: {error}")

    def _settle(self, attempt: Attempt, end: Exit, left: Leavings) -> None:
        spec = attempt.spec
        self._recorder.record(place_history(spec, end.facts))
        if spec.gang:
            self._settle_node(attempt, left)
            return
        self.progress.ended(spec.step, done=left.record is not None)
        self._recorder.record(attempt_history(spec, left.record, left.failure, self._stores))
        if left.record:
            self._finish(attempt, left.record, left.items)
        elif left.failure:
            self._retry_or_fail(attempt, left.failure, [attempt.task])

    def _settle_node(self, attempt: Attempt, left: Leavings) -> None:
        """What a task of a gang handed in waits for what the others do; where one fails, all that still run are ended."""
        spec = attempt.spec
        gang = self._gangs[gang_of(spec)]
        if left.failure and gang.failed is None:
            gang.failed = attempt, left.failure
            self._terminate_gang(spec, force=False)
            self.loop.call_after(_SECONDS_TO_END, lambda: self._terminate_gang(spec, force=True))
        gang.ended.append((attempt, left.record))
        if gang.is_over:
            del self._gangs[gang_of(spec)]
            if gang.failed:
                self._give_up(gang, *gang.failed)
            else:
                self._publish(gang)
            clean_up(self._stores, gang)

    def _publish(self, gang: Gang) -> None:
        published = publish(self._stores, gang)
        if not published:
            for attempt, _ in gang.ended:
                self._await(attempt)
        for attempt, record in published:
            self.progress.ended(attempt.spec.step, done=True)
            self._recorder.record(attempt_history(attempt.spec, record, None, self._stores))
            self._finish(attempt, record)

    def _give_up(self, gang: Gang, failed: Attempt, failure: FailureRecord) -> None:
        """One task of a gang failed: none of them counts."""
        for attempt, _ in gang.ended:
            if attempt is failed:
                self.progress.ended(attempt.spec.step, done=False)
            else:
                self.progress.withdrawn(attempt.spec.step)
            why = gang.why_ended(attempt)
            self._recorder.record(attempt_history(attempt.spec, None, why, self._stores))
        self._retry_or_fail(failed, failure, [attempt.task for attempt, _ in gang.ended])

    def _terminate_gang(self, spec: TaskSpec, force: bool) -> None:
        for attempt in self._running():
            if attempt.spec.gang == spec.gang:
                self._launcher(spec.step).terminate(attempt.spec, force)

    def _keep_logs(self) -> None:
        """Now and then: let others read what running attempts have printed."""
        for attempt in self._running():
            if not self._launcher(attempt.spec.step).writes_logs:
                attempt.log.keep_if_due()
        self.loop.call_after(LOOK_SECONDS, self._keep_logs)

    def _finish(
        self, attempt: Attempt, record: TaskRecord, items: Items = (), said: str = "Task finished successfully."
    ) -> None:
        self._console.task_event(attempt.spec, attempt.place, said)
        if record.transition.foreach:
            self._console.task_event(
                attempt.spec, attempt.place, f"Foreach yields {record.transition.cardinality} child steps."
            )
        self._handed_on.add(record, items)
        self._packer.add(record)
        self._go_on(attempt.task, record.transition)

    def _go_on(self, task: PlannedTask, transition: Transition) -> bool:
        """Plan what follows a task that is done; False where the run fails instead."""
        if transition.foreach and not self._may_split(task.step, transition):
            return False
        if transition.foreach or transition.choice:
            self._outcomes[task.name] = transition.outcome
        if planned := self._traversal.finish(task, transition.outcome):
            self._packer.about_to_start(planned[0])
            self._plan(planned)
        return True

    def _may_split(self, step: str, transition: Transition) -> bool:
        count = transition.cardinality or 0
        if count > self._limits.max_num_splits:
            self._fail(
                step,
                f"The foreach in step '{step}' has {count:,} items, more than the "
                f"{self._limits.max_num_splits:,} allowed; raise the limit with --max-num-splits {count}",
            )
        return count <= self._limits.max_num_splits

    def _retry_or_fail(self, attempt: Attempt, failure: FailureRecord, tasks: Sequence[PlannedTask]) -> None:
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
            gang = ", with its whole gang," if spec.gang else ""
            self._console.event(
                f"Task {spec.pathspec}{gang} is tried again in {seconds:g} seconds (attempt {spec.attempt + 2} of {tries})."
            )
        self._waiting += 1
        self.loop.call_after(seconds, lambda: self._try_again(tasks, spec.attempt + 1))

    def _try_again(self, tasks: Sequence[PlannedTask], attempt: int) -> None:
        self._waiting -= 1
        for task in reversed(tasks):
            self._ready.put_first(task, attempt)

    # The end

    def _is_over(self) -> bool:
        return bool(self._failure) and not self._active

    def _fail(self, step: str | None, message: str) -> None:
        """Give up: nothing new starts, what runs is asked to end, then made to."""
        if self._failure:
            return
        self._failure, self._failed_step = message, step
        if running := self._running():
            self._console.event(f"Terminating {len(running)} active tasks...")
            self._terminate(force=False)
            self.loop.call_after(_SECONDS_TO_END, lambda: self._terminate(force=True))

    def _terminate(self, force: bool) -> None:
        for attempt in self._running():
            self._launcher(attempt.spec.step).terminate(attempt.spec, force)

    def _running(self) -> list[Attempt]:
        return [attempt for attempt in self._active.values() if attempt.ended is None]

    def _interrupt(self) -> None:
        name = signal.Signals(self._interrupted).name
        self._fail(None, f"The run was interrupted by {name}.")

    def _signals(self) -> contextlib.AbstractContextManager[None]:
        return handled_signals(self.loop, self._on_signal)

    def _on_signal(self, number: int) -> None:
        if self._interrupted:  # whoever asks again does not want to wait
            self._terminate(force=True)
            return
        self._interrupted = number
        self._interrupt()

    def _look_now_and_then(self) -> None:
        """Wake the loop, so that progress is shown also where nothing happens."""
        self.loop.call_after(_SECONDS_BETWEEN_LOOKS, self._look_now_and_then)
