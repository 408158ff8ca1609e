"""The Batch jobs of a run, from submission to what they left: their logs while they run, their records when they end."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import attrs
from compute_batch import IMPATIENT, ArrayJob, BatchClient, ComputeBatchError, FailureKind, Job

from stepwell.config import Settings
from stepwell.deploying.batch import open_client, queue_of, spec_of
from stepwell.deploying.environment import flow_environment
from stepwell.deploying.gathering import Fanout, gather
from stepwell.deploying.job import OFFSET, RUN_ID, USER
from stepwell.deploying.leftovers import Left, everything, find_left, logs_there, with_patience
from stepwell.errors import SettingsError
from stepwell.scheduling.launchers import Exit

if TYPE_CHECKING:
    from compute_batch import JobSpec

    from stepwell.api.definition import FlowDefinition
    from stepwell.execution.records import RunRecord
    from stepwell.execution.spec import TaskSpec
    from stepwell.execution.stores import Stores
    from stepwell.scheduling.launchers import Listener

OVER = "the stepwell run is over"
_READERS = 8
_FEW = 4
"""Logs that are read without a list of those there are."""
_SECONDS_BETWEEN_LOGS, _MOST_SECONDS_BETWEEN_LOGS = 1.0, 5.0
_SECONDS_A_LOG_CALL = 0.2
"""CloudWatch allows an account a few of these calls a second."""


@attrs.define(eq=False)
class Submission:
    """A fan-out on the cluster. `alive` are the places of the children that have not ended, in their order."""

    fanout: Fanout
    job: ArrayJob
    queue: str
    image: str
    at_once: int | None
    alive: set[int]

    @property
    def width(self) -> int:
        """How many of its children may run at the same time."""
        return len({place % self.at_once for place in self.alive} if self.at_once else self.alive)


@attrs.define(eq=False)
class Running:
    """An attempt whose job is under way. `shown` counts the lines of its log that were passed on, by hash."""

    spec: TaskSpec
    job: Job
    place: int
    submission: Submission
    shown: Counter[int] = attrs.field(factory=Counter)
    is_doomed: bool = False


class JobKeeper:
    """Submits, watches and ends jobs, and tells a listener. Not for several threads at once."""

    def __init__(
        self,
        listener: Listener,
        flow: FlowDefinition,
        claimed: RunRecord,
        stores: Stores,
        settings: Settings,
        at_once: int | None,
        say: Callable[[str], None],
    ) -> None:
        self._listener, self._flow, self._claimed, self._stores = listener, flow, claimed, stores
        self._settings, self._at_once, self._say = settings, at_once, say
        package = (claimed.package or "", claimed.package_url or "")
        of_run = {RUN_ID: claimed.run_id, USER: claimed.user}
        self._environment = {**flow_environment(flow, stores.root, package, settings), **of_run}
        self._clients: dict[str, BatchClient] = {}
        client = self._client(settings.require("STEPWELL_BATCH_QUEUE", "AWS Batch"))
        self._watcher, self._tail = client.watcher(), client.tail()
        self._waiting: deque[Fanout] = deque()
        self._running: dict[str, Running] = {}
        self._submissions: dict[Submission, None] = {}
        self._logs = _LogPace()
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="stepwell-records")

    @property
    def seconds_to_next_look(self) -> float | None:
        """When `look` has something to do, at the latest; None where nothing runs."""
        if not self._running:
            return None
        return max(0.0, min(self._watcher.seconds_to_next_poll, self._logs.seconds_to_next))

    def submit(self, specs: Iterable[TaskSpec]) -> None:
        """Run these attempts, as soon as there is room for them."""
        self._waiting.extend(gather(specs))
        self._fill()

    def terminate(self, doomed: Sequence[tuple[TaskSpec, bool]]) -> None:
        """End attempts; of those with `force`, the end is told at once. An array of which nothing else is left is one call."""
        specs = {id(spec) for spec, _ in doomed}
        self._drop_waiting(specs)
        ending = [one for one in self._running.values() if id(one.spec) in specs and not one.is_doomed]
        for one in ending:
            one.is_doomed = True
        self._end_jobs(ending)
        forced = {id(spec) for spec, force in doomed if force}
        self._tell_ends([one for one in self._running.values() if id(one.spec) in forced], {})

    def look(self) -> None:
        """Ask for news where it is time to, and tell them."""
        over = [job for job in self._watcher.poll() if isinstance(job, Job) and job.is_finished]
        if self._logs.is_due:
            self._logs.plan(len(self._running), self._pass_on_logs())
        ended = [self._running[job.id] for job in over if job.id in self._running]
        again = [one for one in ended if _never_ran(one.job) and not one.is_doomed]
        self._forget(again)
        self._waiting.extend(gather(one.spec for one in again))
        others = [one for one in ended if one not in again] if again else ended
        logs = self._logs_of(others)
        found = self._readers.map(lambda one: self._left_by(one, logs), others)
        self._tell_ends(others, dict(zip((one.job.id for one in others), found, strict=True)))
        if ended:
            self._fill()

    def close(self) -> None:
        """End the jobs that still run."""
        self._end_jobs(list(self._running.values()))
        self._readers.shutdown(wait=False, cancel_futures=True)

    # Submitting

    def _fill(self) -> None:
        while self._waiting and (room := self._room()) > 0:
            self._submit(self._waiting.popleft(), room)

    def _room(self) -> float:
        if self._at_once is None:
            return float("inf")
        return self._at_once - sum(submission.width for submission in self._submissions)

    def _submit(self, fanout: Fanout, room: float) -> None:
        at_once = int(room) if room < len(fanout) else None
        try:
            name = queue_of(self._flow, fanout.step, self._settings)
            spec = spec_of(fanout, self._flow, self._claimed, self._settings, self._environment)
            job = self._client(name).submit_array(spec, len(fanout), at_once=at_once, offset_variable=OFFSET)
        except (ComputeBatchError, SettingsError) as error:
            for one in fanout.specs:
                self._listener.started(one, "no batch job")
                self._listener.exited(one, Exit(f"its job could not be submitted: {error}"))
            return
        if at_once:
            self._say(
                f"--max-workers {self._at_once}: the {len(fanout):,} tasks of step {fanout.step} run in {len(job.parts):,} "
                f"array jobs of up to {at_once:,}, each behind the one before"
            )
        self._keep(Submission(fanout, job, name, spec.image, at_once, set(range(len(fanout)))), spec)

    def _keep(self, submission: Submission, spec: JobSpec) -> None:
        self._submissions[submission] = None
        for place, (task, job) in enumerate(zip(submission.fanout.specs, submission.job.children, strict=True)):
            self._running[job.id] = Running(task, job, place, submission)
            self._listener.started(task, f"batch job {job.id}", {"aws-batch-job-id": job.id})
        self._watcher.add([submission.job])
        self._tail.add(submission.job.children)

    def _client(self, name: str) -> BatchClient:
        if name not in self._clients:
            self._clients[name] = open_client(self._settings, name)
        return self._clients[name]

    # Ending

    def _drop_waiting(self, specs: set[int]) -> None:
        waiting = [spec for fanout in self._waiting for spec in fanout.specs]
        self._waiting = deque(gather(spec for spec in waiting if id(spec) not in specs))
        for spec in waiting:
            if id(spec) in specs:
                self._listener.started(spec, "no batch job")
                self._listener.exited(spec, Exit("the run was over before it could be submitted"))

    def _end_jobs(self, ending: Sequence[Running]) -> None:
        client = next(iter(self._clients.values()))
        try:
            client.terminate(_fewest(ending), OVER)
        except ComputeBatchError as error:
            self._say(f"Warning: a job could not be ended: {error}")

    def _tell_ends(self, ended: Sequence[Running], left: dict[str, Left]) -> None:
        self._forget(ended)
        for one in ended:
            found = left.get(one.job.id, Left())
            for line in found.lines:
                if one.shown[hash(line.text)] > 0:
                    one.shown[hash(line.text)] -= 1
                else:
                    self._listener.printed(one.spec, "o" if line.stream == "stdout" else "e", line.text.encode())
            self._listener.exited(one.spec, _exit(one, found))

    def _forget(self, ended: Sequence[Running]) -> None:
        self._tail.discard(one.job for one in ended)
        for one in ended:
            del self._running[one.job.id]
            one.submission.alive.discard(one.place)
            if not one.submission.alive:
                self._submissions.pop(one.submission, None)

    def _left_by(self, one: Running, logs: Container[str]) -> Left:
        return find_left(self._stores.records, one.spec, one.job, logs, is_wanted=not one.is_doomed)

    def _logs_of(self, ended: Sequence[Running]) -> Container[str]:
        """The names of the logs that are there: most tasks of a wide foreach print nothing, and a list is a request for many."""
        if len(ended) <= _FEW:
            return everything
        steps = {one.spec.step for one in ended}
        return with_patience(lambda: logs_there(self._stores.records, self._claimed, steps))

    # Logs

    def _pass_on_logs(self) -> bool:
        try:
            lines = self._tail.read(IMPATIENT)
        except ComputeBatchError:  # the log is in the datastore when the job is over; this is for watching it
            return False
        for line in lines:
            if one := self._running.get(line.job_id):
                one.shown[hash(line.text)] += 1
                self._listener.printed(one.spec, "o", line.text.encode())
        return bool(lines)


class _LogPace:
    """When logs are read next: often while there is news, and the more rarely the more of them there are."""

    def __init__(self) -> None:
        self._next = time.monotonic() + _SECONDS_BETWEEN_LOGS
        self._pause = _SECONDS_BETWEEN_LOGS

    @property
    def seconds_to_next(self) -> float:
        return self._next - time.monotonic()

    @property
    def is_due(self) -> bool:
        return self.seconds_to_next <= 0

    def plan(self, jobs: int, had_news: bool) -> None:
        least = max(_SECONDS_BETWEEN_LOGS, jobs / 100 * _SECONDS_A_LOG_CALL)
        self._pause = least if had_news else max(least, min(self._pause * 1.5, _MOST_SECONDS_BETWEEN_LOGS))
        self._next = time.monotonic() + self._pause


def _never_ran(job: Job) -> bool:
    """Whether it waited in vain for a child of its own array that failed: its task has lost no attempt by that."""
    return job.failure is not None and job.failure.kind is FailureKind.DEPENDENCY


def _fewest(ending: Sequence[Running]) -> Iterator[Job | ArrayJob]:
    """The jobs to end, an array in place of its children where none of them shall live."""
    of_submission: dict[Submission, list[Running]] = {}
    for one in ending:
        of_submission.setdefault(one.submission, []).append(one)
    for submission, some in of_submission.items():
        if len(some) == len(submission.alive):
            yield submission.job
        else:
            yield from (one.job for one in some)


def _exit(one: Running, left: Left) -> Exit:
    snapshot, submission = one.job.snapshot, one.submission
    facts = {
        "aws-batch-jq-name": submission.queue.rsplit("/", 1)[-1],
        "aws-batch-container-image": submission.image,
        "aws-batch-awslogs-stream": next(reversed(snapshot.log_streams), None),
    }
    return Exit(
        reason=_reason(one, left),
        record=left.record,
        retried=max(0, len(snapshot.attempts) - 1),
        facts={name: value for name, value in facts.items() if value},
    )


def _reason(one: Running, left: Left) -> str:
    if left.record:
        return ""
    if left.trouble:
        return f"what it left cannot be read: {left.trouble}"
    if one.is_doomed:
        return OVER
    return one.job.reason or "its job ended without an error, but the task is not done"
