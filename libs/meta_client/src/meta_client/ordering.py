"""The orders in which every store lists."""

from __future__ import annotations

import re
from collections.abc import Iterable

from meta_client.records import Id, Step, Task

_NUMBERS = re.compile(r"([0-9]+)")
_LONGEST_NUMBER = 18  # digits; more are compared as text


def natural_key(value: Id) -> tuple[tuple[int, int, str], ...]:
    """Sorts ids as people count: t2 before t10."""
    parts = _NUMBERS.split(str(value))
    return tuple((0, int(part), "") if _is_number(part) else (1, 0, part) for part in parts if part)


def oldest_steps_first(steps: Iterable[Step]) -> list[Step]:
    """Steps by age; the order given stays where they are equally old."""
    return sorted(steps, key=lambda step: step.ts_epoch)


def oldest_tasks_first(tasks: Iterable[Task]) -> list[Task]:
    """Tasks by age, and in natural order of id where equally old."""
    return sorted(tasks, key=lambda task: (task.ts_epoch, natural_key(task.task_id)))


def _is_number(part: str) -> bool:
    return part.isdecimal() and len(part) <= _LONGEST_NUMBER
