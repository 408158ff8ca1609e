"""Which tasks of a run came from which, as their records tell; the flow's code is not needed."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import attrs
from flow_graph import TaskName, parse_task_id, task_id

from stepwell.api.transitions import GANG
from stepwell.client.scope import datastore, metadata_store
from stepwell.execution.records import TaskRecord
from stepwell.execution.step_records import StepRecords


@attrs.define(eq=False, slots=False)
class Lineage:
    """The tasks of one run as they are now. Each record and each step's list of tasks is read at most once."""

    flow: str
    run_id: str
    _tasks: dict[str, frozenset[str]] = attrs.field(factory=dict, init=False)
    _records: dict[TaskName, TaskRecord | None] = attrs.field(factory=dict, init=False)
    _shelves: dict[str, StepRecords] = attrs.field(factory=dict, init=False)
    _samples: dict[str, TaskRecord | None] = attrs.field(factory=dict, init=False)

    @functools.cached_property
    def steps(self) -> list[str]:
        """The steps that have begun, oldest first."""
        return [step.step_name for step in metadata_store().list_steps(self.flow, self.run_id)]

    def tasks(self, step: str) -> frozenset[str]:
        """The ids of the tasks of a step that have begun."""
        if step not in self._tasks:
            entries = metadata_store().list_tasks(self.flow, self.run_id, step)
            self._tasks[step] = frozenset(str(task.task_id) for task in entries)
        return self._tasks[step]

    def record(self, step: str, task: str) -> TaskRecord | None:
        """What a task left; None where it is not done."""
        name = TaskName(step, task)
        if name not in self._records:
            self._records[name] = self.shelf(step).find(task)
        return self._records[name]

    def shelf(self, step: str) -> StepRecords:
        """The records of a step."""
        if step not in self._shelves:
            self._shelves[step] = StepRecords(datastore().records, self.flow, self.run_id, step)
        return self._shelves[step]

    def sample(self, step: str) -> TaskRecord | None:
        """What any task of a step left: what does not differ between them can be read from it."""
        if step not in self._samples:
            records = (self.record(step, task) for task in sorted(self.tasks(step)))
            self._samples[step] = next((record for record in records if record), None)
        return self._samples[step]

    def step_children(self, step: str) -> list[str]:
        """The steps to which tasks of a step went."""
        sample = self.sample(step)
        if sample is None:
            return []
        if sample.transition.choice is None:
            wanted = set(sample.transition.targets)
        else:
            records = (self.record(step, task) for task in self.tasks(step))
            wanted = {record.transition.choice for record in records if record and record.transition.choice}
        return [one for one in self.steps if one in wanted]

    def step_parents(self, step: str) -> list[str]:
        """The steps from which tasks came to a step."""
        return [one for one in self.steps if step in self.step_children(one)]

    def is_gang(self, step: str) -> bool:
        """Whether the tasks of a step ran at once, as `num_parallel` says."""
        before = (self.sample(one) for one in self.step_parents(step))
        return any(record is not None and record.transition.foreach == GANG for record in before)

    def children(self, step: str, task: str) -> list[TaskName]:
        """The tasks that began with what a task left; none while it is not done."""
        record = self.record(step, task)
        if record is None:
            return []
        decided = record.transition
        targets = (decided.choice,) if decided.choice else decided.targets
        return [TaskName(to, one) for to in targets for one in self._ids(record, to) if one in self.tasks(to)]

    def _ids(self, record: TaskRecord, to: str) -> Iterator[str]:
        """The ids that the tasks have which a finished task leads to in the step `to`."""
        path, iteration = parse_task_id(record.task_id, record.depth)
        if to == record.step:
            yield task_id(path, iteration + 1)
        elif record.transition.foreach:
            yield from (task_id((*path, index)) for index in range(record.transition.cardinality or 0))
        else:
            yield task_id(path[: self._depth(to, record)])

    def _depth(self, to: str, record: TaskRecord) -> int:
        """How many foreaches a step is in that a finished task leads to: as many as the task, or one less."""
        sample = self.sample(to)
        if sample is not None:
            return sample.depth
        path, _ = parse_task_id(record.task_id, record.depth)
        return len(path) if task_id(path) in self.tasks(to) else max(len(path) - 1, 0)

    def parents(self, step: str, task: str) -> list[TaskName]:
        """The tasks with whose artifacts a task began, in item order."""
        record = self.record(step, task)
        if record is not None and record.inputs:
            return [TaskName(*one) for one in record.inputs]
        me = TaskName(step, task)
        return [
            TaskName(before, one)
            for before in self.step_parents(step)
            for one in sorted(self.tasks(before), key=item_order)
            if me in self.children(before, one)
        ]

    def index(self, step: str, task: str) -> int | None:
        """The position of a task's item in its innermost foreach; None outside one."""
        record = self.record(step, task) or self.sample(step)
        indices, *_ = item_order(task)
        if record is not None:
            return indices[record.depth - 1] if record.depth else None
        return indices[-1] if indices and task_id() != task else None


def item_order(task: str) -> tuple[tuple[int, ...], int, str]:
    """What to sort task ids by, so that t2 comes before t10; ids of other tools come first, as texts."""
    path, _, iteration = task.removeprefix("t").partition("-r")
    numbers = [*path.split("-"), iteration or "0"]
    if not all(map(str.isdecimal, numbers)):
        return (), 0, task
    *indices, last = map(int, numbers)
    return tuple(indices), last, task
