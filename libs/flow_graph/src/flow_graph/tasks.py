"""How tasks are named, and what is known of one before and after it ran.

A task id is `t`, the foreach indices joined by `-`, and `-r` with the iteration of a recursive switch if that is not
the first: `t0` (no foreach), `t3`, `t3-1` (item 1 of item 3), `t3-r2`. It is a function of the place in the graph
alone, so it is the same in every retry and under every scheduler.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

import attrs

from flow_graph.errors import InvalidTaskId

Path = tuple[int, ...]
"""The foreach indices of a task, outermost first; 0-based."""

# [0-9] and not \d: other scripts' digits are no task ids. No leading zeros, so that a task has one id only.
TASK_ID = re.compile(r"t((?:0|[1-9][0-9]*)(?:-(?:0|[1-9][0-9]*))*)(?:-r([1-9][0-9]*))?")


class TaskName(NamedTuple):
    """The name of a task within its run."""

    step: str
    task_id: str


def task_id(path: Path = (), iteration: int = 0) -> str:
    """The id of the task at `path` (foreach indices, outermost first) and `iteration` of a recursive switch."""
    indices = "-".join(map(str, path)) if path else "0"
    return f"t{indices}-r{iteration}" if iteration else f"t{indices}"


def parse_task_id(text: str, depth: int) -> tuple[Path, int]:
    """The path and the iteration that `text` names, for a step inside `depth` foreaches (`graph.foreach_depth(step)`).

    The depth is needed because `t0` is both the one task of a step outside every foreach and item 0 inside one.
    Raises InvalidTaskId.
    """
    match = TASK_ID.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidTaskId(text, "task ids look like t0, t3, t3-1 or t3-r2")
    path = tuple(map(int, match[1].split("-")))
    iteration = int(match[2] or 0)
    if depth == 0 and path == (0,):
        return (), iteration
    if len(path) != depth:
        raise InvalidTaskId(text, f"its step is inside {depth} foreaches, so it has {max(depth, 1)} indices")
    return path, iteration


@attrs.frozen
class Outcome:
    """What a finished task decided: the number of items of a foreach, the step (not the value) chosen by a switch."""

    cardinality: int | None = None
    choice: str | None = None


OutcomeOf = Callable[[str, str], Outcome]
"""Answers with the outcome of a finished task, given its step and task id; how, is the caller's business."""


@attrs.frozen
class PlannedTask:
    """A task that is ready to run: where it is, and whose results it starts from.

    `parents` are in item order for the join of a foreach, in declared order for the join of a split.
    """

    step: str
    path: Path
    iteration: int
    parents: tuple[TaskName, ...]

    @property
    def task_id(self) -> str:
        """The id of the task, unique within its step."""
        return task_id(self.path, self.iteration)

    @property
    def name(self) -> TaskName:
        """The name of the task within its run."""
        return TaskName(self.step, self.task_id)


@attrs.frozen
class ForeachFrame:
    """One enclosing foreach of a task: the step that splits, over which artifact, at which index of how many."""

    step: str
    variable: str
    index: int
    cardinality: int
