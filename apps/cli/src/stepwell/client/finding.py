"""Tasks by the path of a run, a step or a task."""

from __future__ import annotations

from stepwell.client.objects import Run, Step
from stepwell.client.tasks import Task
from stepwell.errors import InvalidPathspec


def tasks_at(pathspec: str) -> list[Task]:
    """The tasks of `FLOW/RUN` (steps in the order in which they began), `FLOW/RUN/STEP` or `FLOW/RUN/STEP/TASK`."""
    depth = len(pathspec.split("/"))
    if depth == 4:
        return [Task(pathspec)]
    if depth == 3:
        return list(Step(pathspec))
    if depth != 2:
        raise InvalidPathspec(f"'{pathspec}' names no tasks: it takes a run, a run's step, or a task")
    return [task for step in reversed(list(Run(pathspec))) for task in step]


def is_over(pathspec: str) -> bool:
    """Whether nothing that a path names will change any more: its run ended, or was lost, or the task is done."""
    flow, run_id, *below = pathspec.split("/")
    run = Run(f"{flow}/{run_id}")
    if run.finished or run.lost:
        return True
    return len(below) == 2 and Task(pathspec).successful
