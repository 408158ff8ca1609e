"""What the job of an attempt left in the datastore when it is over: the task's record, the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable
from typing import TypeVar

import attrs
from cas_store import Backend, BackendError, CasStoreError
from compute_batch import ComputeBatchError, Job

from stepwell.errors import StepwellError
from stepwell.execution.logs import LogBuffer, LogLine, log_name, read_log
from stepwell.execution.records import RunRecord, TaskRecord, find_task, run_directory
from stepwell.execution.spec import TaskSpec

T = TypeVar("T")
_SECONDS_OF_PATIENCE = 300.0
_SECONDS_BETWEEN_TRIES = 5.0


@attrs.frozen
class Left:
    """The task's record, if it is done; the attempt's log; or why neither can be read."""

    record: TaskRecord | None = None
    lines: tuple[LogLine, ...] = ()
    trouble: str = ""


class _Everything:
    def __contains__(self, name: object) -> bool:
        return True


everything = _Everything()
"""Holds any name."""


def logs_there(records: Backend, claimed: RunRecord, steps: Iterable[str]) -> set[str]:
    """The names of the logs of all tasks of some steps."""
    directory = run_directory(claimed.flow, claimed.run_id)
    names = (name for step in steps for name in records.names(f"{directory}/{step}/"))
    return {name for name in names if name.endswith(".log")}


def find_left(records: Backend, spec: TaskSpec, job: Job, logs: Container[str], is_wanted: bool) -> Left:
    """What is there. `logs` are the logs to look for; with `is_wanted`, a job that could not keep its log gets one."""
    try:
        return with_patience(lambda: _find(records, spec, job, logs, is_wanted))
    except (CasStoreError, StepwellError) as error:
        return Left(trouble=str(error))


def with_patience(read: Callable[[], T]) -> T:
    """What `read` gives, also where the datastore is away for some minutes."""
    last = time.monotonic() + _SECONDS_OF_PATIENCE
    while True:
        try:
            return read()
        except BackendError as error:
            if not error.retryable or time.monotonic() > last:
                raise
        time.sleep(_SECONDS_BETWEEN_TRIES)


def _find(records: Backend, spec: TaskSpec, job: Job, logs: Container[str], is_wanted: bool) -> Left:
    record = find_task(records, spec.flow, spec.run_id, spec.step, spec.task_id)
    attempt = spec.attempt + max(0, len(job.snapshot.attempts) - 1)
    name = log_name(spec.flow, spec.run_id, spec.step, spec.task_id, attempt)
    lines = read_log(records, name) if name in logs else []
    kept_it_itself = bool(lines) and job.snapshot.exit_code in (0, 1)
    if record is None and is_wanted and not kept_it_itself and (content := _log_kept_by_aws(job)):
        records.replace(name, content)
        lines = read_log(records, name)
    return Left(record, tuple(lines))


def _log_kept_by_aws(job: Job) -> bytes:
    """The log of a job that ended before it could keep it itself; of one that never ran, why, in words."""
    log = LogBuffer()
    try:
        for line in job.tail().rest():
            log.add("o", line.text.encode())
    except ComputeBatchError as error:
        log.add("e", f"[stepwell: what the job printed cannot be read: {error}]".encode())
    if not job.snapshot.attempts or job.snapshot.exit_code is None:
        log.add("e", f"[stepwell: the job never ran: {job.reason or 'nobody says why'}]".encode())
    return log.content()
