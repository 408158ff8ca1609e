"""Resume: what a new run takes over from an earlier one instead of running it again."""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import attrs
from cas_store import Digest, MissingObject
from flow_graph import Node, PlannedTask, TaskName

from stepwell.api.transitions import GANG, Transition
from stepwell.config import Settings, metadata_url, root_of_datastore, service_options, user_name
from stepwell.errors import FlowError, NotFound
from stepwell.execution.packs import CLONES, PackWriter, parse_pack, read_pack
from stepwell.execution.records import (
    Decision,
    RunRecord,
    TaskRecord,
    decode_clone,
    decode_task,
    publish_task,
    read_run,
    run_directory,
)
from stepwell.execution.sources import bring, read_through
from stepwell.execution.step_records import StepRecords
from stepwell.execution.stores import Stores, open_stores, open_stores_at

if TYPE_CHECKING:
    from meta_client import MetadataStore

    from stepwell.api.definition import FlowDefinition


@attrs.frozen
class PastRun:
    """A run, and the datastore that has its records."""

    record: RunRecord
    stores: Stores

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.record.run_id


@attrs.define
class Origin:
    """The run that is resumed, into the datastore `stores`. `again` names a step that runs again even where it was done.

    `entered_again` says that others may work on the new run, or did before: what is done there already is left as it is.
    `before` are the runs that it resumed itself, latest first: it may have ended before it had taken over all of them.
    """

    run: PastRun
    stores: Stores
    again: str | None = None
    entered_again: bool = False
    before: tuple[PastRun, ...] = ()
    _tokens: dict[TaskName, str] = attrs.field(factory=dict)
    _shelves: dict[tuple[str, str, str], StepRecords] = attrs.field(factory=dict)
    _clones: dict[str, PackWriter] = attrs.field(factory=lambda: defaultdict(PackWriter))

    @property
    def datastore(self) -> str | None:
        """The root of the datastore that the run is in; None where the new run is in the same."""
        return self._elsewhere(self.run)

    def begin(self) -> None:
        """Make the values that the run began with the new run's as well: see `execution.sources`."""
        if self.datastore is not None:
            read_through(self.stores, self.run.stores)
            values = {**self.run.record.parameters, **self.run.record.constants}
            bring(self.stores, self.run.stores, (one for value in values.values() for one in value.digests()))

    def take_over(self, task: PlannedTask, claim: RunRecord, node: Node) -> Transition | None:
        """What a task decided that the new run need not run; None where it has to run.

        It is taken over where the origin finished it, all before it were taken over, and the step's code, as it is now, can
        go on from what it decided. It is done in the new run when `publish` returns.
        """
        if task.step == self.again or not all(parent in self._tokens for parent in task.parents):
            return None
        here = PastRun(claim, self.stores)
        own = self._in(here, task.name) if self.entered_again else None
        found = (here, own) if own else self._done(task)
        if found is None or not _fits(found[1].transition, node):
            return None
        run, decision = found
        if own is None:
            record = self._shelf(run, task.step).whole(task.task_id)
            self._clones[task.step].add(task.task_id, _from(self._elsewhere(run), record))
        self._tokens[task.name] = decision.token
        return decision.transition

    def has_all(self, names: Collection[TaskName]) -> bool:
        """Whether the first run in which any of these tasks was done has done all of them: of a gang, all or none count."""
        for run in (self.run, *self.before):
            done = sum(self._in(run, name) is not None for name in names)
            if done:
                return done == len(names)
        return False

    def publish(self, claim: RunRecord) -> dict[str, int]:
        """Make what was taken over the new run's, in one object a step; gives how many tasks there were of each."""
        counts = {}
        for step, clones in self._clones.items():
            name = f"{run_directory(claim.flow, claim.run_id)}/{step}/{CLONES}"
            counts[step] = clones.count
            content = clones.content()
            if self.datastore is not None:
                bring(self.stores, self.run.stores, _needed(content, name))
            if not self.stores.records.create(name, content):
                self._add_to_anothers(name, content, claim)
        self._tokens.clear()
        self._shelves.clear()
        self._clones.clear()
        return counts

    def _add_to_anothers(self, name: str, content: bytes, claim: RunRecord) -> None:
        """Another process of the same run was first: what it did not take over becomes a record each."""
        theirs = read_pack(self.stores.records, name)
        for task_id, data in parse_pack(content, name).items():
            if task_id not in theirs:
                publish_task(self.stores.records, decode_clone(data, name, claim.run_id))

    def _elsewhere(self, run: PastRun) -> str | None:
        return run.stores.root if run.stores.root != self.stores.root else None

    def _done(self, task: PlannedTask) -> tuple[PastRun, Decision] | None:
        """What the origin decided, and else what it would have taken over, had it got so far.

        That is what a run before it did with the same inputs.
        """
        later: PastRun | None = None
        for run in (self.run, *self.before):
            if later and task.step == later.record.again:
                return None
            decision = self._in(run, task.name)
            if decision is not None:
                same = later is None or all(self._has_same(run, parent) for parent in task.parents)
                return (run, decision) if same else None
            later = run
        return None

    def _has_same(self, run: PastRun, name: TaskName) -> bool:
        decision = self._in(run, name)
        return decision is not None and decision.token == self._tokens[name]

    def _in(self, run: PastRun, name: TaskName) -> Decision | None:
        return self._shelf(run, name.step).decision(name.task_id)

    def _shelf(self, run: PastRun, step: str) -> StepRecords:
        key = run.stores.root, run.run_id, step
        if key not in self._shelves:
            self._shelves[key] = StepRecords(run.stores.records, run.record.flow, run.run_id, step)
        return self._shelves[key]


def _from(datastore: str | None, record: bytes) -> bytes:
    """A task's record that says in which other datastore the task ran, unless it says so, or there is none."""
    if datastore is None:
        return record
    return json.dumps({"origin_datastore": datastore, **json.loads(record)}, separators=(",", ":")).encode()


def _needed(pack: bytes, name: str) -> Iterator[Digest]:
    """The objects that the records in a pack name."""
    for data in parse_pack(pack, name).values():
        task: TaskRecord = decode_task(data, name)
        for value in task.artifacts.values():
            yield from value.digests()


def _fits(decided: Transition, node: Node) -> bool:
    """Whether the graph can go on from what a task decided, under code that may have changed since."""
    foreach = GANG if getattr(node.transition, "parallel", False) else getattr(node.transition, "variable", None)
    return set(decided.targets) == set(node.next) and decided.foreach == foreach


def find_origin(
    flow: FlowDefinition,
    metadata: MetadataStore,
    stores: Stores,
    user: str,
    run_id: str | None,
    again: str | None,
    elsewhere: Stores | None = None,
) -> Origin:
    """The run to resume: the given one of any user, or the user's latest; raises `NotFound`, or `FlowError` for no step.

    `elsewhere` is the datastore that has the given one, where that is not the one that the new run is for.
    """
    if again is not None and again not in flow.graph:
        raise FlowError(
            f"The flow {flow.name} has no step '{again}' to resume from; it has: {', '.join(flow.graph.steps)}"
        )
    if run_id is None:
        run = PastRun(_latest(flow.name, metadata, stores, user), stores)
    else:
        run = PastRun(_named(flow.name, elsewhere or stores, run_id), elsewhere or stores)
    return Origin(run, stores, again, before=tuple(_runs_before(run)))


def read_origin(flow: str, run_id: str | None, settings: Settings, datastore: str | None = None) -> PastRun:
    """The given run, or the user's latest; raises `NotFound`. `datastore` is where it is, if not where the settings say."""
    from meta_client import open_store

    stores = datastore_elsewhere(datastore, settings) or open_stores(settings)
    if run_id is not None:
        return PastRun(_named(flow, stores, run_id), stores)
    with open_store(metadata_url(settings), **service_options(settings)) as metadata:
        return PastRun(_latest(flow, metadata, stores, user_name(settings)), stores)


def datastore_elsewhere(place: str | None, settings: Settings) -> Stores | None:
    """The datastore at a place; None where there is none given, or it is the one that the settings name.

    Raises `SettingsError` where there is no such directory.
    """
    if place is None:
        return None
    stores, root = open_stores(settings), root_of_datastore(place)
    return open_stores_at(root, settings) if root != stores.root else None


def _latest(flow: str, metadata: MetadataStore, stores: Stores, user: str) -> RunRecord:
    """The user's latest run that is here: one that was killed before it claimed its number, or was removed, is not."""
    for run in metadata.list_runs(flow, tags=[f"user:{user}"]):
        with contextlib.suppress(MissingObject):
            return read_run(stores.records, flow, str(run.run_id))
    raise NotFound(f"{user} has no run of {flow} to resume: name one with --origin-run-id")


def _named(flow: str, stores: Stores, run_id: str) -> RunRecord:
    try:
        return read_run(stores.records, flow, run_id)
    except MissingObject:
        raise NotFound(
            f"The run {flow}/{run_id} is not in the datastore {stores.root}; stepwell ls {flow} --all lists the runs there are.\n"
            "Where it is in another one, name that with --origin-datastore: a directory, or s3://bucket/prefix"
        ) from None


def _runs_before(run: PastRun) -> Iterator[PastRun]:
    """The run that a run resumed, the one that that resumed, and so on."""
    while (run_id := run.record.origin_run_id) is not None:
        root = run.record.origin_datastore
        stores = run.stores if root is None else run.stores.elsewhere(root)
        try:
            run = PastRun(read_run(stores.records, run.record.flow, run_id), stores)
        except MissingObject:
            return
        yield run
