"""All records of a datastore, one after the other: their names, and what they keep alive. Nothing is unpickled."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import chain, groupby

import attrs
from cas_store import Backend, Digest, MissingObject, Reference

from stepwell.errors import RecordError
from stepwell.execution.packs import CLONES, INDEX, read_pack
from stepwell.execution.records import RunRecord, TaskRecord, decode_run, decode_task, run_directory
from stepwell.execution.step_records import StepRecords

RUNS, ROOTS = "flows/", "roots/"
# What lies beside the records that keep something alive.
_OTHERS = re.compile(
    r"flows/[^/]+/runs/[^/]+/(ended\.json|untold\.json|[^/]+/[^/]+/([0-9]+\.(log|failed\.json)|[0-9a-f]+\.artifacts\.json))"
)


@attrs.frozen
class Held:
    """What one record keeps alive, by what people call it: artifacts, parameters, constants; and its code package.

    `where` is the pathspec of the run or the task. `done` is the task (its step and id) that is done by the record, if one is,
    `after` are those without which it could not have begun, as far as the record names them.
    """

    where: str
    values: Mapping[str, Reference]
    package: str | None
    done: tuple[str, str] | None = None
    after: tuple[tuple[str, str], ...] = ()

    def digests(self) -> Iterator[tuple[str, Digest]]:
        """Each object that must stay, with what needs it."""
        for name, reference in self.values.items():
            for digest in reference.digests():
                yield f"{self.where}/{name}", digest
        if self.package:
            yield f"the code of {self.where}", Digest.parse(self.package)


@attrs.frozen
class StoredRun:
    """The names of what is stored of one run."""

    flow: str
    run_id: str
    names: tuple[str, ...]

    @property
    def pathspec(self) -> str:
        """`Flow/run`."""
        return f"{self.flow}/{self.run_id}"

    @property
    def claim_name(self) -> str:
        """The name of the run's claim."""
        return f"{run_directory(self.flow, self.run_id)}/run.json"

    def steps(self, records: Backend) -> Iterator[tuple[StepRecords, list[str]]]:
        """For each step with finished tasks its records, and the ids of its tasks."""
        wanted = (name for name in self.names if is_task(name) or is_pack(name))
        for step, names in groupby(wanted, lambda name: name.split("/")[4]):
            shelf = StepRecords(records, self.flow, self.run_id, step)
            of_tasks = [name.split("/")[5] for name in names if is_task(name)]
            yield shelf, list(dict.fromkeys([*of_tasks, *shelf.taken_over]))


def is_task(name: str) -> bool:
    """Whether a name is that of a task's record."""
    return name.startswith(RUNS) and name.endswith("/done.json") and name.count("/") == 6


def is_handed_in(name: str) -> bool:
    """Whether a name is that of a record which a task of a gang handed in."""
    return name.startswith(RUNS) and name.endswith(".node.json") and name.count("/") == 6


def is_pack(name: str) -> bool:
    """Whether a name is that of a pack of records."""
    return name.startswith(RUNS) and name.endswith((f"/{INDEX}", f"/{CLONES}")) and name.count("/") == 5


def is_claim(name: str) -> bool:
    """Whether a name is that of a run's claim."""
    return name.startswith(RUNS) and name.endswith("/run.json") and name.count("/") == 4


def stored_runs(records: Backend) -> Iterator[StoredRun]:
    """What is stored of each run, by flow and run; holds the names of one run at a time."""

    def key(name: str) -> tuple[str, str]:
        _, flow, _, run_id, *_ = name.split("/")
        return flow, run_id

    for (flow, run_id), names in groupby((name for name in records.names(RUNS) if name.count("/") >= 4), key):
        yield StoredRun(flow, run_id, tuple(names))


def read_claim(records: Backend, run: StoredRun) -> RunRecord | None:
    """The claim of a run; None where there is none."""
    try:
        return decode_run(records.read(run.claim_name), run.claim_name)
    except MissingObject:
        return None


def read_tasks(records: Backend, run: StoredRun) -> Iterator[TaskRecord]:
    """The records of a run's finished tasks; raises `RecordError` at one that cannot be read."""
    for shelf, tasks in run.steps(records):
        for task_id in tasks:
            if (record := shelf.find(task_id)) is not None:  # else removed since it was listed
                yield record


def held(records: Backend) -> Iterator[Held]:
    """What every record of the datastore keeps alive; raises `RecordError` at the first that cannot be read.

    A task's record that its step's index has a copy of is not read once more.
    """
    index, packed = "", frozenset[str]()
    for name in chain(records.names(RUNS), records.names(ROOTS)):
        if is_pack(name) and name.endswith(INDEX):
            index, packed = name.removesuffix(INDEX), frozenset(read_pack(records, name))
        if not (is_task(name) and name.startswith(index or "/") and name.split("/")[5] in packed):
            yield from held_by(records, name)


def held_by(records: Backend, name: str) -> list[Held]:
    """What one record, or each in a pack, keeps alive; nothing for those that keep nothing, such as logs.

    Raises `RecordError` for one that cannot be read, or is of no kind that this version knows: it may keep something alive.
    """
    if _OTHERS.fullmatch(name):
        return []
    if is_pack(name):
        tasks = (decode_task(data, name) for data in read_pack(records, name).values())
        return [_held_by_task(task, counts=name.endswith(CLONES)) for task in tasks]
    if not (
        is_claim(name) or is_task(name) or is_handed_in(name) or (name.startswith(ROOTS) and name.endswith(".json"))
    ):
        raise RecordError(
            f"{name} is no record that this version of stepwell knows: upgrade it, or remove what is not stepwell's"
        )
    try:
        data = records.read(name)
        if is_task(name) or is_handed_in(name):
            return [_held_by_task(decode_task(data, name, records), counts=is_task(name))]
    except MissingObject:  # removed since it was listed
        return []
    if is_claim(name):
        run = decode_run(data, name)
        return [Held(f"{run.flow}/{run.run_id}", {**run.constants, **run.parameters}, run.package)]
    return [_held_by_root(data, name)]


def _held_by_task(task: TaskRecord, counts: bool) -> Held:
    """`counts`: the task is done by this record, which is no copy and not only handed in."""
    where = f"{task.flow}/{task.run_id}/{task.step}/{task.task_id}"
    return Held(where, task.artifacts, task.package, (task.step, task.task_id) if counts else None, task.inputs)


def _held_by_root(data: bytes, name: str) -> Held:
    """What a deployed version keeps alive: its code, and the values that were decided when it was deployed."""
    try:
        root = json.loads(data)
        if root["format"] != 1:
            raise RecordError(f"{name} has format {root['format']}; upgrade stepwell to read it")
        decided = {key: Reference.from_json(value) for key, value in root.get("parameters", {}).items()}
        return Held(name, decided, str(root["package"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordError(f"The record {name} is damaged: {error}") from error
