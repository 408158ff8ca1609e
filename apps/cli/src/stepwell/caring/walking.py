"""All records of a datastore, one after the other: their names, and what they keep alive. Nothing is unpickled."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import chain, groupby

import attrs
from cas_store import Backend, Digest, MissingObject, Reference

from stepwell.errors import RecordError
from stepwell.execution.records import RunRecord, TaskRecord, decode_run, decode_task, run_directory

RUNS, ROOTS = "flows/", "roots/"
# What lies beside the records that keep something alive.
_OTHERS = re.compile(r"flows/[^/]+/runs/[^/]+/(ended\.json|[^/]+/[^/]+/[0-9]+\.(log|failed\.json))")


@attrs.frozen
class Held:
    """What one record keeps alive, by what people call it: artifacts, parameters, constants; and its code package.

    `where` is the pathspec of the run or the task.
    """

    where: str
    values: Mapping[str, Reference]
    package: str | None

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

    @property
    def task_names(self) -> list[str]:
        """The names of its tasks' records."""
        return [name for name in self.names if is_task(name)]


def is_task(name: str) -> bool:
    """Whether a name is that of a task's record."""
    return name.startswith(RUNS) and name.endswith("/done.json") and name.count("/") == 6


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
    for name in run.task_names:
        try:
            yield decode_task(records.read(name), name)
        except MissingObject:  # removed since it was listed
            continue


def held(records: Backend) -> Iterator[Held]:
    """What every record of the datastore keeps alive; raises `RecordError` at the first that cannot be read."""
    for name in chain(records.names(RUNS), records.names(ROOTS)):
        if (found := held_by(records, name)) is not None:
            yield found


def held_by(records: Backend, name: str) -> Held | None:
    """What one record keeps alive; None for those that keep nothing, such as logs.

    Raises `RecordError` for one that cannot be read, or is of no kind that this version knows: it may keep something alive.
    """
    if _OTHERS.fullmatch(name):
        return None
    if not (is_claim(name) or is_task(name) or (name.startswith(ROOTS) and name.endswith(".json"))):
        raise RecordError(
            f"{name} is no record that this version of stepwell knows: upgrade it, or remove what is not stepwell's"
        )
    try:
        data = records.read(name)
    except MissingObject:  # removed since it was listed
        return None
    if is_claim(name):
        run = decode_run(data, name)
        return Held(f"{run.flow}/{run.run_id}", {**run.constants, **run.parameters}, run.package)
    if is_task(name):
        task = decode_task(data, name)
        return Held(f"{task.flow}/{task.run_id}/{task.step}/{task.task_id}", task.artifacts, task.package)
    return Held(name, {}, _package_of_root(data, name))


def _package_of_root(data: bytes, name: str) -> str:
    try:
        root = json.loads(data)
        if root["format"] != 1:
            raise RecordError(f"{name} has format {root['format']}; upgrade stepwell to read it")
        return str(root["package"])
    except (ValueError, KeyError, TypeError) as error:
        raise RecordError(f"The record {name} is damaged: {error}") from error
