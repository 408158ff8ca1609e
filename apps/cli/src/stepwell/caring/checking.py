"""fsck: whether every object is what was put, and every record can be read and finds what it names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from itertools import chain, groupby

import attrs
from cas_store import CasStoreError, Digest, FsckReport, Progress

from stepwell.caring.walking import ROOTS, RUNS, Held, held_by, is_task
from stepwell.errors import RecordError
from stepwell.execution.packs import INDEX
from stepwell.execution.records import find_end
from stepwell.execution.stores import Stores

Task = tuple[str, str]
"""Of a run: a step, and a task's id."""


@attrs.frozen
class Findings:
    """What was found: of the objects, of the records (`unreadable`: messages), and what records name that is not there.

    `missing` gives for each object what needs it, `lost` for each task whose record is gone a task that began after it.
    `yet_to_come` counts the objects that are not here, but in a datastore from which they come when they are first used.
    """

    objects: FsckReport
    records: int
    unreadable: tuple[str, ...]
    missing: dict[Digest, tuple[str, ...]]
    lost: dict[str, str]
    yet_to_come: int = 0

    @property
    def ok(self) -> bool:
        """Whether everything is whole."""
        return self.objects.ok and not (self.unreadable or self.missing or self.lost)


def check(
    stores: Stores,
    quarantine: bool = False,
    remove_leftovers: timedelta | None = None,
    watch: Callable[[Progress], None] | None = None,
) -> Findings:
    """Read everything; see `ContentStore.fsck` for the two options."""
    objects = stores.content.fsck(quarantine=quarantine, remove_leftovers=remove_leftovers, progress=watch)
    needed: dict[Digest, list[str]] = {}
    unreadable: list[str] = []
    lost: dict[str, str] = {}
    count = 0
    for run, names in groupby(chain(stores.records.names(RUNS), stores.records.names(ROOTS)), _run_of):
        tasks = _Tasks()
        for name in names:
            try:
                found = held_by(stores.records, name)
            except (RecordError, CasStoreError) as error:
                unreadable.append(str(error))
                tasks.add_damaged(name)
                continue
            count += len(found) if not name.endswith(f"/{INDEX}") else 0  # copies of what is counted where it is
            for one in found:
                tasks.add(one)
                for what, digest in one.digests():
                    needed.setdefault(digest, []).append(what)
        lost.update(_lost(stores, run, tasks.gone))
    absent = [digest for digest in needed if digest not in stores.content]
    try:
        missing = {digest: tuple(needed[digest]) for digest in stores.content.lacking(absent)}
    except (RecordError, CasStoreError) as error:
        unreadable.append(f"{len(absent):,} objects are not here, and whether they can come is not known: {error}")
        return Findings(objects, count, tuple(unreadable), {}, lost)
    return Findings(objects, count, tuple(unreadable), missing, lost, len(absent) - len(missing))


@attrs.define
class _Tasks:
    """The tasks of one run: those that have a record, and those without which others could not have begun, by one of these."""

    done: set[Task] = attrs.field(factory=set)
    after: dict[Task, str] = attrs.field(factory=dict)

    def add(self, held: Held) -> None:
        """Take in a record."""
        if held.done:
            self.done.add(held.done)
        self.after.update((task, held.where) for task in held.after)

    def add_damaged(self, name: str) -> None:
        """Take in a record that cannot be read: it is not lost."""
        if is_task(name):
            *_, step, task_id, _ = name.split("/")
            self.done.add((step, task_id))

    @property
    def gone(self) -> dict[Task, str]:
        """The tasks that have no record, each with the path of one that began after it."""
        return {task: self.after[task] for task in self.after.keys() - self.done}


def _run_of(name: str) -> tuple[str, str]:
    """The flow and the run that a record is of; for what is of none, parts of its name that no run has."""
    parts = name.split("/")
    return (parts[1], parts[3]) if name.startswith(RUNS) and len(parts) > 4 else (ROOTS, "")


def _lost(stores: Stores, run: tuple[str, str], gone: Mapping[Task, str]) -> dict[str, str]:
    """Which of these tasks of a run have lost their record; none of one that was removed, or is being removed."""
    flow, run_id = run
    if not gone or ((end := find_end(stores.records, flow, run_id)) and end.removed):
        return {}
    return {f"{flow}/{run_id}/{step}/{task_id}": later for (step, task_id), later in sorted(gone.items())}
