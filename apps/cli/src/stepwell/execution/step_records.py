"""The records of the tasks of a whole step, or of many tasks, in few reads."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import attrs
from cas_store import Backend, MissingObject

from stepwell.execution.packs import CLONES, FEWEST, INDEX, PackWriter, read_pack
from stepwell.execution.records import (
    Decision,
    RunRecord,
    TaskRecord,
    decode_clone,
    decode_decision,
    decode_task,
    done_name,
    encode,
    find_task,
    run_directory,
)

T = TypeVar("T")
U = TypeVar("U")


@attrs.define(eq=False, slots=False)
class StepRecords:
    """What the tasks of one step left. Packs are read once; a record that is in none is read when it is asked for."""

    records: Backend
    flow: str
    run_id: str
    step: str

    @property
    def _directory(self) -> str:
        return f"{run_directory(self.flow, self.run_id)}/{self.step}/"

    @functools.cached_property
    def _index(self) -> Mapping[str, bytes]:
        return read_pack(self.records, self._directory + INDEX)

    @functools.cached_property
    def _clones(self) -> Mapping[str, bytes]:
        return read_pack(self.records, self._directory + CLONES)

    @property
    def taken_over(self) -> Collection[str]:
        """The ids of the tasks that the run took over instead of running them."""
        return self._clones.keys()

    @functools.cached_property
    def _others(self) -> Mapping[str, bytes]:
        """All records that are in no pack: in one listing and many reads at once, where each read is a round trip."""
        names = [name for name in self.records.names(self._directory) if name.endswith("/done.json")]
        by_task = {name.split("/")[-2]: name for name in names}
        wanted = {task: name for task, name in by_task.items() if task not in self._index}
        return dict(zip(wanted, _at_once(self.records, self.records.read, list(wanted.values())), strict=True))

    def find(self, task_id: str) -> TaskRecord | None:
        """The record of a task; None where it is not done."""
        if (clone := self._clones.get(task_id)) is not None:
            return decode_clone(clone, self._directory + CLONES, self.run_id)
        data = self._index.get(task_id) or self._read_own(task_id)
        return decode_task(data, self._done_name(task_id), self.records) if data else None

    def decision(self, task_id: str) -> Decision | None:
        """What a task decided, in much less time than `find` takes; None where it is not done."""
        data = self._packed(task_id) or self._read_own(task_id)
        return decode_decision(data, self._done_name(task_id)) if data else None

    def whole(self, task_id: str) -> bytes:
        """The record of a task that is done, as the run has it that ran it: what a run keeps that takes the task over."""
        packed = self._packed(task_id)
        if packed is not None:
            return packed
        found = self.find(task_id)
        assert found is not None
        return encode(found)

    def _packed(self, task_id: str) -> bytes | None:
        return self._clones.get(task_id) or self._index.get(task_id)

    def _done_name(self, task_id: str) -> str:
        return done_name(self.flow, self.run_id, self.step, task_id)

    def _read_own(self, task_id: str) -> bytes | None:
        if not self.records.has_files:
            return self._others.get(task_id)
        try:
            return self.records.read(self._done_name(task_id))
        except MissingObject:
            return None


def taken_over(records: Backend, claim: RunRecord, step: str) -> Iterator[TaskRecord]:
    """The records of the tasks of a step that a run took over, one at a time."""
    name = f"{run_directory(claim.flow, claim.run_id)}/{step}/{CLONES}"
    for data in read_pack(records, name).values():
        yield decode_clone(data, name, claim.run_id)


def read_tasks(records: Backend, flow: str, run_id: str, tasks: Sequence[tuple[str, str]]) -> list[TaskRecord]:
    """The records of several tasks, each as (step, task id), in their order; raises `MissingObject` where one is not done.

    What is packed is read so where there are many, and several at once where reading is waiting.
    """
    wide = [step for step, count in Counter(step for step, _ in tasks).items() if count >= FEWEST]
    shelves = {step: StepRecords(records, flow, run_id, step) for step in wide}

    def read(task: tuple[str, str]) -> TaskRecord:
        step, task_id = task
        found = shelves[step].find(task_id) if step in shelves else find_task(records, flow, run_id, step, task_id)
        if found is None:
            raise MissingObject(done_name(flow, run_id, step, task_id))
        return found

    return list(map(read, tasks)) if wide else _at_once(records, read, tasks)


def pack_inputs(records: Backend, inputs: Iterable[TaskRecord]) -> None:
    """Write the index of each wide step whose tasks all are among these, unless it is packed: no scheduler does it everywhere."""
    by_step: dict[tuple[str, str, str], list[TaskRecord]] = {}
    for one in inputs:
        by_step.setdefault((one.flow, one.run_id, one.step), []).append(one)
    for (flow, run_id, step), tasks in by_step.items():
        directory = f"{run_directory(flow, run_id)}/{step}/"
        if len(tasks) < FEWEST or any(records.exists(directory + name) for name in (INDEX, CLONES)):
            continue
        pack = PackWriter()
        for task in tasks:
            pack.add(task.task_id, encode(task))
        records.create(directory + INDEX, pack.content())


def _at_once(records: Backend, read: Callable[[T], U], wanted: Iterable[T]) -> list[U]:
    """What is wanted, in its order."""
    wanted = list(wanted)
    if records.has_files or len(wanted) < 2:
        return list(map(read, wanted))
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(min(records.parallel, len(wanted))) as pool:
        return list(pool.map(read, wanted))
