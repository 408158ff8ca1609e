"""The tasks that may run: the planned ones in their order, and before them what has to be tried again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from flow_graph import PlannedTask


class ReadyTasks:
    """A queue of tasks, each with the attempt that is next; planned tasks are made as they are taken."""

    def __init__(self) -> None:
        self._first: deque[tuple[PlannedTask, int]] = deque()
        self._planned: deque[Iterator[PlannedTask]] = deque()

    def plan(self, tasks: Iterable[PlannedTask]) -> None:
        """Queue tasks behind all others."""
        self._planned.append(iter(tasks))

    def put_first(self, task: PlannedTask, attempt: int) -> None:
        """Queue an attempt before all others."""
        self._first.appendleft((task, attempt))

    def take(self) -> tuple[PlannedTask, int] | None:
        """The next task, and its attempt; None where there is none."""
        if self._first:
            return self._first.popleft()
        while self._planned:
            task = next(self._planned[0], None)
            if task is not None:
                return task, 0
            self._planned.popleft()
        return None
