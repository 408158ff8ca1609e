"""What the service can ask of its database: one method per request, one statement per method.

The one module that sends statements about flows, runs, steps, tasks, metadata and artifacts, but for `registering`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import attrs
from meta_client.records import Artifact, Flow, Metadatum, Run, Step, Task

from metadata_service import paging, rows, sql
from metadata_service.batches import Batch
from metadata_service.errors import Duplicate, MissingParent, NotFound, SchemaTooOld
from metadata_service.filters import Condition
from metadata_service.heartbeats import sends_heartbeats
from metadata_service.ids import RunPath, StepPath, TaskPath
from metadata_service.incoming import NewArtifact, NewMetadatum, NewObject, TagMutation
from metadata_service.paging import Order, Page
from metadata_service.pool import Pool
from metadata_service.registering import Created, register
from metadata_service.rows import Row
from metadata_service.schema import SchemaState, read_state
from metadata_service.sql import Where
from metadata_service.tags import mutated

CORE_VERSION = 1
SEARCH_VERSION = 2

RecordT = TypeVar("RecordT")


@attrs.frozen
class Listing(Generic[RecordT]):
    """Records of a listing; of a page also its limit, and the cursor of the next one if there is one."""

    records: Sequence[RecordT]
    limit: int | None = None
    next_cursor: str | None = None


@attrs.frozen
class _Kind(Generic[RecordT]):
    """How one sort of record is selected, read and paged."""

    columns: str
    source: str
    alias: str
    order: Order
    record: Callable[[Row], RecordT]
    keys: Callable[[Row], tuple[paging.Key, ...]]


_FLOWS = _Kind(sql.FLOW, "flows f", "f", paging.FLOWS, rows.flow, rows.flow_keys)
_RUNS = _Kind(sql.RUN, "runs r", "r", paging.RUNS, rows.run, rows.run_keys)
_TASKS = _Kind(sql.TASK, sql.FROM_TASKS, "t", paging.TASKS, rows.task, rows.task_keys)
_METADATA = _Kind(sql.METADATUM, sql.FROM_METADATA, "m", paging.METADATA, rows.metadatum, rows.metadatum_keys)
_ARTIFACTS = _Kind(sql.ARTIFACT, sql.FROM_ARTIFACTS, "a", paging.ARTIFACTS, rows.artifact, rows.artifact_keys)


class Storage:
    """The database as the routes see it. Methods raise `DatabaseUnavailable` and `SchemaTooOld` besides their own."""

    def __init__(self, pool: Pool, *, run_inactive_s: int) -> None:
        self._pool = pool
        self._run_inactive_s = run_inactive_s
        self._version = 0

    def ping(self) -> None:
        """Raise `DatabaseUnavailable` unless the database answers."""
        with self._pool.connection() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    def state(self) -> SchemaState:
        """What the database is at. Raises `ForeignSchema` or `SchemaTooNew`."""
        with self._pool.connection() as connection:
            return read_state(connection)

    # flows

    def create_flow(self, flow: str, new: NewObject) -> Flow:
        """Raises `Duplicate`."""
        found = self._rows(sql.CREATE_FLOW, {"flow": flow, **_common(new)})
        if not found:
            raise Duplicate(f"flow {flow!r}")
        return rows.flow(found[0])

    def get_flow(self, flow: str) -> Flow:
        """Raises `NotFound`."""
        return self._one(_FLOWS, Where("f.flow_id = %(flow)s", {"flow": flow}))

    def list_flows(self, page: Page | None) -> Listing[Flow]:
        """All flows, newest first."""
        return self._list(_FLOWS, sql.always(), page)

    # runs

    def create_run(self, flow: str, new: NewObject) -> Run:
        """Raises `MissingParent` or `Duplicate`."""
        parameters = {"flow": flow, "beats": sends_heartbeats(new.system_tags), **_common(new)}
        what = f"run {new.given_id!r} of flow {flow!r}"
        return rows.run(self._created(sql.CREATE_RUN, parameters, f"flow {flow!r}", what))

    def get_run(self, path: RunPath) -> Run:
        """Raises `NotFound`."""
        return self._one(_RUNS, sql.one_run(path))

    def list_runs(self, flow: str, conditions: Sequence[Condition], page: Page | None) -> Listing[Run]:
        """Runs of a flow, newest first; with their status where a condition asks for it."""
        where, fields = sql.one_flow(flow), {condition.field for condition in conditions}
        if fields & {"_tags", "user", "status"}:
            self._require(SEARCH_VERSION, "finding runs by tag, user or status")
        where = where.and_(*sql.filters(conditions, "r"))
        if "status" not in fields:
            return self._list(_RUNS, where, page)
        inactive = Where("true", {"inactive_s": self._run_inactive_s})
        kind = attrs.evolve(_RUNS, columns=f"{sql.RUN}, state.status", source=f"runs r {sql.STATUS_JOIN}")
        return self._list(kind, where.and_(inactive), page)

    def beat_run(self, path: RunPath) -> None:
        """Note a run's heartbeat. Raises `NotFound`."""
        where = sql.one_run(path)
        self._require_row(sql.beat_run(where), where.parameters)

    def mutate_tags(self, path: RunPath, mutation: TagMutation) -> Sequence[str]:
        """Change a run's tags and return them; concurrent mutations wait for each other.

        Raises `NotFound` or `SystemTagRemoval`.
        """
        self._require(CORE_VERSION, "every route")
        where = sql.one_run(path)
        with self._pool.connection() as connection, connection, connection.cursor() as cursor:  # one transaction
            select = f"SELECT r.run_number, r.tags, r.system_tags FROM runs r WHERE {where.text} FOR NO KEY UPDATE"
            cursor.execute(select, where.parameters)
            row = cursor.fetchone()
            if row is None:
                raise NotFound(f"run {path.run!r} of flow {path.flow!r}")
            tags = mutated(row[1] or [], row[2] or [], mutation.add, mutation.remove)
            if tags != row[1]:
                cursor.execute("UPDATE runs SET tags = %s WHERE run_number = %s", [json.dumps(tags), row[0]])
        return tags

    # steps

    def create_step(self, path: StepPath, new: NewObject) -> Step:
        """Raises `MissingParent` or `Duplicate`."""
        where = sql.one_run(path)
        parameters = {**where.parameters, "step": path.step, **_common(new)}
        what = f"step {path.step!r} of run {path.run!r}"
        return rows.step(self._created(sql.create_step(where), parameters, f"run {path.run!r}", what))

    def get_step(self, path: StepPath) -> Step:
        """Raises `NotFound`."""
        found = self._steps(sql.one_step(path, "s"))
        if not found:
            raise NotFound(f"step {path.step!r}")
        return found[0]

    def list_steps(self, path: RunPath) -> Listing[Step]:
        """Steps of a run, newest first; empty if there is no such run."""
        return Listing(self._steps(sql.one_run(path)))

    # tasks

    def create_task(self, path: StepPath, new: NewObject) -> Task:
        """Raises `MissingParent` or `Duplicate`."""
        where = sql.one_step(path, "s")
        parameters = {**where.parameters, "beats": sends_heartbeats(new.system_tags), **_common(new)}
        parent, what = f"step {path.step!r} of run {path.run!r}", f"task {new.given_id!r} of step {path.step!r}"
        return rows.task(self._created(sql.create_task(where), parameters, parent, what))

    def get_task(self, path: TaskPath) -> Task:
        """Raises `NotFound`."""
        return self._one(_TASKS, sql.one_task(path))

    def list_tasks(self, path: StepPath, conditions: Sequence[Condition], page: Page | None) -> Listing[Task]:
        """Tasks of a step, newest first; empty if there is no such step."""
        return self._list(_TASKS, sql.one_step(path, "t").and_(*sql.filters(conditions, "t")), page)

    def filtered_tasks(self, path: StepPath, field: str | None, pattern: str | None) -> Sequence[str]:
        """Pathspecs of the tasks that have a metadata row of this field whose value matches, in order of creation."""
        where = sql.one_step(path, "t").and_(Where("true", {"field": field, "pattern": pattern}))
        text = sql.filtered_tasks(where, by_field=field is not None, by_value=pattern is not None)
        return [rows.pathspec(row) for row in self._rows(text, where.parameters)]

    def beat_task(self, path: TaskPath) -> None:
        """Note a task's heartbeat, and its run's. Raises `NotFound`."""
        where = sql.one_task(path)
        self._require_row(sql.beat_task(where), where.parameters)

    # metadata

    def add_metadata(self, path: TaskPath, new: Iterable[NewMetadatum]) -> int:
        """How many rows went in. Raises `NotFound` if the task does not exist."""
        where = sql.one_task(path)
        return self._inserted(sql.insert_metadata(where), where, new)

    def list_metadata(self, path: RunPath | TaskPath, page: Page | None) -> Listing[Metadatum]:
        """Metadata of a run or a task, newest first."""
        return self._list(_METADATA, _run_or_task(path), page)

    # artifacts

    def add_artifacts(self, path: TaskPath, new: Iterable[NewArtifact]) -> int:
        """How many rows went in; existing ones stay as they are. Raises `NotFound` if the task does not exist."""
        where = sql.one_task(path)
        return self._inserted(sql.insert_artifacts(where), where, new)

    def list_artifacts(self, path: RunPath | StepPath | TaskPath, page: Page | None) -> Listing[Artifact]:
        """Artifacts of each task's latest attempt; in pages, of each name its newest, whatever its attempt."""
        where = sql.one_step(path, "t") if isinstance(path, StepPath) else _run_or_task(path)
        if page is None:
            return self._artifacts(where.and_(Where(sql.LATEST_ATTEMPT, {})))
        kind = attrs.evolve(_ARTIFACTS, source=sql.newest_artifacts(where))
        return self._list(kind, Where("true", where.parameters), page)

    def list_attempt(self, path: TaskPath, attempt: int) -> Listing[Artifact]:
        """Artifacts of one attempt of a task."""
        return self._artifacts(sql.one_task(path).and_(_of_attempt(attempt)))

    def get_artifact(self, path: TaskPath, name: str, attempt: int | None) -> Artifact:
        """One artifact, of one attempt or the task's latest. Raises `NotFound`."""
        chosen = Where(sql.LATEST_ATTEMPT, {}) if attempt is None else _of_attempt(attempt)
        return self._one(_ARTIFACTS, sql.one_task(path).and_(Where("a.name = %(name)s", {"name": name}), chosen))

    # many at once

    def register(self, path: RunPath, batch: Batch) -> Created:
        """Register a batch, all or nothing. Raises `MissingParent`."""
        self._require(CORE_VERSION, "every route")
        with self._pool.connection() as connection, connection, connection.cursor() as cursor:  # one transaction
            return register(cursor, path, batch)

    # how

    def _rows(self, text: str, parameters: Mapping[str, Any]) -> list[Row]:
        self._require(CORE_VERSION, "every route")
        with self._pool.connection() as connection, connection.cursor() as cursor:
            cursor.execute(text, parameters)
            return cursor.fetchall()

    def _one(self, kind: _Kind[RecordT], where: Where) -> RecordT:
        found = self._rows(f"SELECT {kind.columns} FROM {kind.source} WHERE {where.text}", where.parameters)
        if not found:
            raise NotFound("no such object")
        return kind.record(found[0])

    def _list(self, kind: _Kind[RecordT], where: Where, page: Page | None) -> Listing[RecordT]:
        text, parameters = sql.listing(kind.columns, kind.source, where, kind.order, kind.alias, page)
        found = self._rows(text, parameters)
        if page is None:
            return Listing([kind.record(row) for row in found])
        shown = found[: page.limit]
        more = len(found) > len(shown) > 0
        cursor = paging.cursor_after(kind.keys(shown[-1]), kind.order) if more else None
        return Listing([kind.record(row) for row in shown], page.limit, cursor)

    def _steps(self, where: Where) -> list[Step]:
        text = f"SELECT {sql.STEP} FROM {sql.FROM_STEPS} WHERE {where.text} ORDER BY s.ts_epoch DESC, s.step_name"
        return [rows.step(row) for row in self._rows(text, where.parameters)]

    def _artifacts(self, where: Where) -> Listing[Artifact]:
        text = f"SELECT {sql.ARTIFACT} FROM {sql.FROM_ARTIFACTS} WHERE {where.text} {sql.ARTIFACT_ORDER}"
        return Listing([rows.artifact(row) for row in self._rows(text, where.parameters)])

    def _created(self, text: str, parameters: Mapping[str, Any], parent: str, what: str) -> Row:
        found = self._rows(text, parameters)
        if not found:
            raise MissingParent(parent)
        created, *row = found[0]
        if not created:
            raise Duplicate(what)
        return tuple(row)

    def _inserted(self, text: str, where: Where, new: Iterable[Any]) -> int:
        as_json = json.dumps([attrs.asdict(row, recurse=False) for row in new])
        return int(self._require_row(text, {**where.parameters, "rows": as_json})[0])

    def _require_row(self, text: str, parameters: Mapping[str, Any]) -> Row:
        found = self._rows(text, parameters)
        if not found:
            raise NotFound("no such run or task")
        return found[0]

    def _require(self, version: int, what: str) -> None:
        """Serve what the schema can. A migration beside a running service is noticed when it is first needed."""
        if self._version >= version:
            return
        self._version = self.state().version
        if self._version < version:
            raise SchemaTooOld(what, have=self._version, need=version)


def _common(new: NewObject) -> dict[str, Any]:
    return {
        "user_name": new.user_name,
        "tags": None if new.tags is None else json.dumps(new.tags),
        "system_tags": None if new.system_tags is None else json.dumps(new.system_tags),
        "given_id": new.given_id,
    }


def _run_or_task(path: RunPath | StepPath | TaskPath) -> Where:
    return sql.one_task(path) if isinstance(path, TaskPath) else sql.one_run(path)


def _of_attempt(attempt: int) -> Where:
    return Where("a.attempt_id = %(attempt)s", {"attempt": attempt})
