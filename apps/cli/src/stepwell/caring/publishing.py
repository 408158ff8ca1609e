"""sync: publish runs of one datastore, such as a laptop's, to another one and its metadata store, with all that they hold.

A published run is called after the random identity that it has since its beginning, `sync-<identity>`: numbers are the other
metadata store's to give, and whoever publishes the same run again finds it there. Its tag `local_run:<id>` says what it was
called. What it consists of is written in an order in which stopping anywhere does no harm: objects, the claim, records and
logs, the history, and last that it has ended, by which the next call knows that nothing is left to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import attrs
from cas_store import Digest, MissingObject, Progress, copy
from meta_client import Conflict, MetadataStore, NotFound

from stepwell.caring.reindexing import reindex_run
from stepwell.caring.walking import StoredRun, read_claim, read_tasks, stored_runs
from stepwell.errors import StepwellError
from stepwell.execution.claims import claim
from stepwell.execution.records import (
    EndRecord,
    RunRecord,
    TaskRecord,
    encode,
    find_end,
    find_task,
    publish_task,
    read_run,
    run_directory,
)
from stepwell.execution.sources import is_within_reach
from stepwell.execution.stores import Stores

_BESIDE_RECORDS = re.compile(r"[^/]+/[^/]+/[0-9]+\.(log|failed\.json)")

PUBLISHED, THERE_ALREADY, ACTIVE, REMOVED_THERE = "published", "there already", "active", "removed there"


@attrs.frozen
class Place:
    """A datastore, and the metadata store that knows its runs."""

    stores: Stores
    metadata: MetadataStore


@attrs.frozen
class Published:
    """What became of a run (one of the words above), and what it is called now; how many bytes of objects had to be moved."""

    pathspec: str
    outcome: str
    new_pathspec: str
    tasks: int = 0
    moved_bytes: int = 0


def publish(
    source: Place,
    target: Place,
    is_wanted: Callable[[str, str], bool],
    dry_run: bool = False,
    watch: Callable[[Progress], None] | None = None,
) -> Iterator[Published]:
    """Publish the runs that are wanted (by flow and id), in the order of their ids; those that have not ended are left out.

    Raises what the stores raise; going on later moves the rest.
    """
    for run in stored_runs(source.stores.records):
        claimed = read_claim(source.stores.records, run) if is_wanted(run.flow, run.run_id) else None
        if claimed is None:
            continue
        ended = _end(source.stores, claimed)
        if ended and ended.removed:
            continue
        yield _publish(source, target, run, claimed, ended, dry_run, watch)


def published_id(claimed: RunRecord) -> str:
    """What a run is called where it is published."""
    return f"sync-{claimed.token}"


def _publish(
    source: Place,
    target: Place,
    run: StoredRun,
    claimed: RunRecord,
    ended: EndRecord | None,
    dry_run: bool,
    watch: Callable[[Progress], None] | None,
) -> Published:
    new = published_id(claimed)
    result = Published(run.pathspec, PUBLISHED, f"{run.flow}/{new}")
    if ended is None:
        return attrs.evolve(result, outcome=ACTIVE)
    if there := find_end(target.stores.records, run.flow, new):
        return attrs.evolve(result, outcome=REMOVED_THERE if there.removed else THERE_ALREADY)
    tasks = [_renamed(record, new, source.stores, target.stores) for record in read_tasks(source.stores.records, run)]
    result = attrs.evolve(result, tasks=len(tasks))
    if dry_run:
        return result
    source.stores.content.fetch(_objects(claimed, tasks), progress=watch)  # what is not here yet comes first
    moved = copy(source.stores.content, target.stores.content, _objects(claimed, tasks), progress=watch)
    _claim(source, target, claimed)
    _write(target.stores, tasks)
    _copy_beside(source.stores, target.stores, run, new)
    try:
        reindex_run(target.stores, target.metadata, run.flow, new)
    except Conflict:
        return attrs.evolve(result, outcome=REMOVED_THERE)
    target.stores.records.create(f"{run_directory(run.flow, new)}/ended.json", encode(ended))
    return attrs.evolve(result, moved_bytes=moved.copied_bytes)


def _end(stores: Stores, claimed: RunRecord) -> EndRecord | None:
    """How a run ended; where its scheduler was killed after its last task, that it did."""
    if end := find_end(stores.records, claimed.flow, claimed.run_id):
        return end
    last = find_task(stores.records, claimed.flow, claimed.run_id, claimed.end_step, "t0")
    return EndRecord(successful=True, ended=last.ended) if last else None


def _objects(claimed: RunRecord, tasks: Iterable[TaskRecord]) -> Iterator[Digest]:
    """Everything that the run needs, each once."""
    seen: set[Digest] = set()
    for values, package in [
        ({**claimed.constants, **claimed.parameters}, claimed.package),
        *((task.artifacts, task.package) for task in tasks),
    ]:
        packages = [Digest.parse(package)] if package else []
        for digest in [*(one for value in values.values() for one in value.digests()), *packages]:
            if digest not in seen:
                seen.add(digest)
                yield digest


def _renamed(record: TaskRecord, new: str, stores: Stores, target: Stores) -> TaskRecord:
    """The record in the published run; where it was taken over from is named as it would be there."""
    if record.origin is None:
        return attrs.evolve(record, run_id=new)
    flow, run_id, *rest = record.origin.split("/")
    origin, datastore = _origin(stores, target, flow, run_id, record.origin_datastore)
    pathspec = "/".join([flow, origin, *rest]) if origin else None
    return attrs.evolve(record, run_id=new, origin=pathspec, origin_datastore=datastore)


def _origin(
    stores: Stores, target: Stores, flow: str, run_id: str, datastore: str | None
) -> tuple[str | None, str | None]:
    """What a run that was resumed is called where it is published to, and the datastore that has it if another one does."""
    if datastore is None:
        return _published_id(stores, flow, run_id), None
    if not is_within_reach(target, datastore):
        return None, None
    return run_id, datastore if datastore != target.root else None


def _published_id(stores: Stores, flow: str, run_id: str) -> str | None:
    try:
        return published_id(read_run(stores.records, flow, run_id))
    except MissingObject:
        return None


def _claim(source: Place, target: Place, claimed: RunRecord) -> None:
    """Claim the run under its new name, with the tags that it has by now; raises `StepwellError` where another has it."""
    origin = claimed.origin_run_id, claimed.origin_datastore
    if claimed.origin_run_id:
        origin = _origin(source.stores, target.stores, claimed.flow, claimed.origin_run_id, claimed.origin_datastore)
    try:
        tags = tuple(source.metadata.get_run(claimed.flow, claimed.run_id).tags or ())
    except NotFound:
        tags = claimed.tags
    record = attrs.evolve(
        claimed,
        run_id=published_id(claimed),
        origin_run_id=origin[0],
        origin_datastore=origin[1],
        tags=tags,
        system_tags=(*claimed.system_tags, f"local_run:{claimed.run_id}"),
        package_url=None,
    )
    if not claim(target.stores, record):
        other = read_run(target.stores.records, record.flow, record.run_id)
        if other.token != claimed.token:
            raise StepwellError(
                f"{target.stores.root} has another run {record.flow}/{record.run_id}: nothing was changed"
            )


def _write(stores: Stores, tasks: list[TaskRecord]) -> None:
    stores.content.confirm(digest for task in tasks for value in task.artifacts.values() for digest in value.digests())
    with ThreadPoolExecutor(max(1, stores.records.parallel)) as pool:
        for _ in pool.map(lambda task: publish_task(stores.records, task), tasks):
            pass


def _copy_beside(source: Stores, target: Stores, run: StoredRun, new: str) -> None:
    """Logs, and why attempts failed."""
    start = f"{run_directory(run.flow, run.run_id)}/"
    names = [name.removeprefix(start) for name in run.names]

    def copy_one(name: str) -> None:
        target.records.create(f"{run_directory(run.flow, new)}/{name}", source.records.read(start + name))

    with ThreadPoolExecutor(max(1, target.records.parallel)) as pool:
        for _ in pool.map(copy_one, filter(_BESIDE_RECORDS.fullmatch, names)):
            pass
