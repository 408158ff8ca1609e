"""reindex: tell the metadata store again what the datastore's records say, where it does not know."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import attrs
from meta_client import Artifact, EmbeddedStore, MetadataStore, Metadatum, NotFound, Step, Task
from meta_client import Run as RunEntry

from stepwell.caring.walking import StoredRun, read_claim, read_tasks, stored_runs
from stepwell.errors import RecordError
from stepwell.execution.history import attempt_history, step_history, task_history
from stepwell.execution.records import (
    RunRecord,
    TaskRecord,
    decode_failure,
    find_end,
    read_run,
    run_directory,
    untold_name,
)
from stepwell.execution.spec import TaskSpec
from stepwell.execution.stores import Stores

Record = Step | Task | Artifact | Metadatum
_FAILED = re.compile(r".*/([^/]+)/([^/]+)/([0-9]+)\.failed\.json")


@attrs.frozen
class Reindexed:
    """What became of one run: how many tasks the metadata store was told of; `problem` where it could not be told."""

    pathspec: str
    tasks: int = 0
    problem: str = ""


def reindex(stores: Stores, metadata: MetadataStore) -> Iterator[Reindexed]:
    """Go through all runs of the datastore. What the metadata store knows stays as it is, so it may be done again."""
    for run in stored_runs(stores.records):
        try:
            claim = read_claim(stores.records, run)
            end = find_end(stores.records, run.flow, run.run_id)
            if claim is not None and not (end and end.removed):
                yield _reindex(stores, metadata, run, claim)
        except RecordError as error:
            yield Reindexed(run.pathspec, problem=str(error))


def reindex_run(stores: Stores, metadata: MetadataStore, flow: str, run_id: str) -> Reindexed:
    """Go through one run, which somebody has claimed."""
    claim = read_run(stores.records, flow, run_id)
    names = tuple(stores.records.names(f"{run_directory(flow, run_id)}/"))
    return _reindex(stores, metadata, StoredRun(flow, run_id, names), claim)


def _reindex(stores: Stores, metadata: MetadataStore, run: StoredRun, claim: RunRecord) -> Reindexed:
    try:
        entry = metadata.get_run(run.flow, run.run_id)
    except NotFound:
        if run.run_id.isdecimal() and not isinstance(metadata, EmbeddedStore):
            return Reindexed(
                run.pathspec,
                problem="the metadata service does not know the run, and gives numbers itself: it cannot be told",
            )
        entry = _registered(metadata, claim)
    with _unmarked(stores, run):
        batch, count = _unknown(stores, metadata, entry, run, claim)
        if batch:
            metadata.register_many(batch)
    return Reindexed(run.pathspec, count)


@contextlib.contextmanager
def _unmarked(stores: Stores, run: StoredRun) -> Iterator[None]:
    """Take away the mark that somebody still has to be told of the run, and put it back where that fails."""
    mark = untold_name(run.flow, run.run_id)
    if mark not in run.names:
        yield
        return
    stores.records.delete(mark)  # first: a task that cannot tell of itself meanwhile writes it again
    try:
        yield
    except BaseException:
        stores.records.replace(mark, b"{}")
        raise


def _registered(metadata: MetadataStore, claim: RunRecord) -> RunEntry:
    if not isinstance(metadata, EmbeddedStore):
        return metadata.create_run(
            claim.flow, user=claim.user, tags=claim.tags, system_tags=claim.system_tags, run_id=claim.run_id
        )
    return metadata.restore_run(
        RunEntry(
            flow_id=claim.flow,
            run_id=int(claim.run_id) if claim.run_id.isdecimal() else claim.run_id,
            user_name=claim.user,
            ts_epoch=int(claim.created * 1000),
            tags=claim.tags,
            system_tags=claim.system_tags,
        )
    )


def _unknown(
    stores: Stores, metadata: MetadataStore, entry: RunEntry, run: StoredRun, claim: RunRecord
) -> tuple[list[Record], int]:
    """The records that are missing, in the order in which tasks began, and of how many tasks they are."""
    ended = [one for one in metadata.list_metadata(entry) if one.field_name == "attempt_ok"]
    known = {(one.step_name, str(one.task_id)) for one in ended}
    batch: list[Record] = []
    count = 0
    done = sorted(read_tasks(stores.records, run), key=lambda record: record.started)
    for record in done:
        if (record.step, record.task_id) not in known:
            spec = _spec(claim, record.step, record.task_id, record.attempt, record.package)
            batch += _history(stores, claim, spec, attempt_history(spec, record, None, stores))
            count += 1
    for name, (step, task, attempt) in _failed(run, done):
        if (step, task) not in known:
            spec = _spec(claim, step, task, attempt, claim.package)
            failure = decode_failure(stores.records.read(name), name)
            batch += _history(stores, claim, spec, attempt_history(spec, None, failure, stores))
            count += 1
    return batch, count


def _failed(run: StoredRun, done: list[TaskRecord]) -> Iterator[tuple[str, tuple[str, str, int]]]:
    """The last failure of each task that was never done, with the name of its record."""
    finished = {(record.step, record.task_id) for record in done}
    last: dict[tuple[str, str], tuple[int, str]] = {}
    for name in run.names:
        if match := _FAILED.fullmatch(name):
            task = (match[1], match[2])
            if task not in finished:
                last[task] = max(last.get(task, (-1, "")), (int(match[3]), name))
    for (step, task_id), (attempt, name) in last.items():
        yield name, (step, task_id, attempt)


def _spec(claim: RunRecord, step: str, task_id: str, attempt: int, package: str | None) -> TaskSpec:
    return TaskSpec(
        flow=claim.flow,
        run_id=claim.run_id,
        step=step,
        task_id=task_id,
        attempt=attempt,
        user=claim.user,
        package=package,
        origin_run_id=claim.origin_run_id,
    )


def _history(stores: Stores, claim: RunRecord, spec: TaskSpec, attempt: list[Record]) -> list[Record]:
    """What the run's scheduler would have told; the version of Python is the run's, not that of whoever reindexes."""
    python = next((tag.partition(":")[2] for tag in claim.system_tags if tag.startswith("python_version:")), None)
    said = [
        attrs.evolve(one, value=python or one.value)
        if isinstance(one, Metadatum) and one.field_name == "python_version"
        else one
        for one in attempt
    ]
    return [*step_history(claim, spec.step), *task_history(spec), *said]
