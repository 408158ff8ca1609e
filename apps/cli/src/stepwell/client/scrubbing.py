"""Empty what tasks printed, where it should not have been printed: a secret, a person's data."""

from __future__ import annotations

import time
from collections.abc import Iterator

from stepwell.client.finding import tasks_at
from stepwell.client.scope import datastore
from stepwell.client.tasks import Task
from stepwell.execution.logs import STREAMS, LogLine, encode_log, log_name, read_log

ALL = -1
SCRUBBED = "[stepwell: scrubbed]"


def scrub(pathspec: str, stream: str, attempt: int | None, include_not_done: bool = False) -> Iterator[tuple[str, str]]:
    """Empty one stream's lines ("": both) of an attempt (None: the one that counts, `ALL`: each) of the tasks at a path.

    Gives each task's path and what became of its log. A task that was taken over from another run keeps its log there:
    it is that run's.
    """
    for task in tasks_at(pathspec):
        if task.origin_pathspec:
            yield task.pathspec, f"what it printed belongs to {task.origin_pathspec}"
        elif not task.successful and not include_not_done:
            yield task.pathspec, "it is not done; --include-not-done scrubs it all the same"
        else:
            attempts = range(task.current_attempt + 1) if attempt == ALL else [attempt]
            count = sum(_empty(task, task.current_attempt if one is None else one, stream) for one in attempts)
            yield task.pathspec, f"{count} lines scrubbed"


def _empty(task: Task, attempt: int, stream: str) -> int:
    """Replace a log by what stays of it; gives how many lines went."""
    flow, run_id, step, task_id = task.path_components
    name, records = log_name(flow, run_id, step, task_id, attempt), datastore().records
    lines = read_log(records, name)
    gone = [line for line in lines if stream in ("", line.stream) and line.text != SCRUBBED]
    if not gone:
        return 0
    kept = [line for line in lines if stream not in ("", line.stream)]
    now = int(time.time() * 1000)
    said = [LogLine(now, one, SCRUBBED) for one in STREAMS.values() if stream in ("", one)]
    records.replace(name, encode_log([*kept, *said]))
    return len(gone)
