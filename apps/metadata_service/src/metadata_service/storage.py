"""What the service can ask of its database: one method per request, one statement per method.

The one module that asks about flows, runs, steps, tasks, metadata and artifacts, but for `registering` and `deleting`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from metadata_service import paging, records, sql
from metadata_service.batches import Batch
from metadata_service.deleting import Deleted, delete_run
from metadata_service.errors import Duplicate, MissingParent, NotFound
from metadata_service.filters import Condition
from metadata_service.heartbeats import sends_heartbeats
from metadata_service.ids import RunPath, StepPath, TaskPath
from metadata_service.incoming import NewArtifact, NewMetadatum, NewObject, TagMutation
from metadata_service.paging import Order, Page
from metadata_service.records import Json
from metadata_service.registering import Created, register
from metadata_service.sql import Where
from metadata_service.statements import NAMES_VERSION, PART, SEARCH_VERSION, Row, Statements
from metadata_service.tags import mutated


@attrs.frozen
class Listing:
    """Records of a listing; of a page also its limit, and the cursor of the next one if there is one.

    A long one comes in ``parts``, read from the database while they are asked for; they may raise what a query may.
    """

    parts: Iterable[Sequence[Json]]
    limit: int | None = None
    next_cursor: str | None = None


@attrs.frozen
class _Kind:
    """How one sort of record is selected and paged."""

    record: str
    source: str
    alias: str
    order: Order


_FLOWS = _Kind(records.FLOW, "flows f", "f", paging.FLOWS)
_RUNS = _Kind(records.RUN, "runs r", "r", paging.RUNS)
_TASKS = _Kind(records.TASK, sql.FROM_TASKS, "t", paging.TASKS)
_METADATA = _Kind(records.METADATUM, sql.FROM_METADATA, "m", paging.METADATA)
_ARTIFACTS = _Kind(records.ARTIFACT, sql.FROM_ARTIFACTS, "a", paging.ARTIFACTS)


class Storage:
    """The database as the routes see it. Methods raise `DatabaseUnavailable` and `SchemaTooOld` besides their own."""

    def __init__(self, statements: Statements, *, run_inactive_s: int) -> None:
        self.statements, self._run_inactive_s = statements, run_inactive_s

    # flows

    def create_flow(self, flow: str, new: NewObject) -> Json:
        """Raises `Duplicate`."""
        found = self.statements.repeated(sql.CREATE_FLOW, {"flow": flow, **_common(new)})
        if not found:
            raise Duplicate(f"flow {flow!r}")
        return str(found[0][0])

    def get_flow(self, flow: str) -> Json:
        """Raises `NotFound`."""
        return self._one(_FLOWS, Where("f.flow_id = %(flow)s", {"flow": flow}))

    def list_flows(self, page: Page | None) -> Listing:
        """All flows, newest first."""
        return self._list(_FLOWS, sql.always(), page)

    # runs

    def create_run(self, flow: str, new: NewObject) -> Json:
        """Raises `MissingParent` or `Duplicate`."""
        self._require_names(new)
        parameters = {"flow": flow, "beats": sends_heartbeats(new.system_tags), **_common(new)}
        what = f"run {new.given_id!r} of flow {flow!r}"
        return self._created(sql.CREATE_RUN, parameters, f"flow {flow!r}", what)

    def get_run(self, path: RunPath) -> Json:
        """Raises `NotFound`."""
        return self._one(_RUNS, sql.one_run(path))

    def list_runs(self, flow: str, conditions: Sequence[Condition], page: Page | None) -> Listing:
        """Runs of a flow, newest first; with their status where a condition asks for it."""
        where, fields = sql.one_flow(flow), {condition.field for condition in conditions}
        if fields & {"_tags", "user", "status"}:
            self.statements.require(SEARCH_VERSION, "finding runs by tag, user or status")
        where = where.and_(*sql.filters(conditions, "r"))
        kind = _RUNS
        if "status" in fields:
            where = where.and_(Where("true", {"inactive_s": self._run_inactive_s}))
            kind = attrs.evolve(kind, record=records.run(status=sql.STATUS))
        if tags := self._selective_tags(flow, conditions):
            source, parameters = sql.runs_with(tags)
            where = where.and_(Where("true", parameters))
            kind = attrs.evolve(kind, source=source, alias="g")
        return self._list(kind, where, page)

    def _selective_tags(self, flow: str, conditions: Sequence[Condition]) -> Sequence[str]:
        """Tags of which every run to be found has one, if looking at their runs is better than at the newest of the flow."""
        asked = [condition for condition in conditions if condition.field == "_tags"]
        needed = [str(tag) for condition in asked if condition.operator == "all" for tag in condition.values]
        if needed:
            return needed if len(needed) == 1 else [self._count_tags(flow, needed)[0][0]]
        for condition in asked:
            if condition.operator == "any":
                counts = self._count_tags(flow, [str(tag) for tag in condition.values])
                return [tag for tag, _ in counts] if all(runs < sql.COMMON for _, runs in counts) else []
        return []

    def _count_tags(self, flow: str, tags: Sequence[str]) -> Sequence[tuple[str, int]]:
        return [(tag, runs) for tag, runs in self.statements.rows(sql.COUNT_TAGS, {"flow": flow, "tags": list(tags)})]

    def delete_run(self, path: RunPath) -> Deleted:
        """Delete a run: it is gone at once, then its rows are removed, for a while. Raises `NotFound`."""
        self.statements.require(SEARCH_VERSION, "deleting runs")
        with self.statements.cursor() as cursor:
            return delete_run(cursor, path)

    def beat_run(self, path: RunPath) -> None:
        """Note a run's heartbeat. Raises `NotFound`."""
        self.statements.require(NAMES_VERSION, "a heartbeat")
        where = sql.one_run(path)
        self._require_row(sql.beat_run(where), where.parameters)

    def mutate_tags(self, path: RunPath, mutation: TagMutation) -> Sequence[str]:
        """Change a run's tags and return them; concurrent mutations wait for each other.

        Raises `NotFound` or `SystemTagRemoval`.
        """
        self.statements.require(SEARCH_VERSION, "changing the tags of a run")
        where = sql.one_run(path)
        with self.statements.transaction() as cursor:
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

    def create_step(self, path: StepPath, new: NewObject) -> Json:
        """Raises `MissingParent` or `Duplicate`."""
        where = sql.one_run(path)
        parameters = {**where.parameters, "step": path.step, **_common(new)}
        what = f"step {path.step!r} of run {path.run!r}"
        return self._created(sql.create_step(where), parameters, f"run {path.run!r}", what)

    def get_step(self, path: StepPath) -> Json:
        """Raises `NotFound`."""
        found = self._steps(sql.one_step(path, "s"))
        if not found:
            raise NotFound(f"step {path.step!r}")
        return found[0]

    def list_steps(self, path: RunPath) -> Listing:
        """Steps of a run, newest first; empty if there is no such run."""
        return Listing([self._steps(sql.one_run(path))])

    # tasks

    def create_task(self, path: StepPath, new: NewObject) -> Json:
        """Raises `MissingParent` or `Duplicate`."""
        self._require_names(new)
        where = sql.one_step(path, "s")
        parameters = {**where.parameters, "beats": sends_heartbeats(new.system_tags), **_common(new)}
        parent, what = f"step {path.step!r} of run {path.run!r}", f"task {new.given_id!r} of step {path.step!r}"
        return self._created(sql.create_task(where), parameters, parent, what)

    def get_task(self, path: TaskPath) -> Json:
        """Raises `NotFound`."""
        return self._one(_TASKS, sql.one_task(path))

    def list_tasks(self, path: StepPath, conditions: Sequence[Condition], page: Page | None) -> Listing:
        """Tasks of a step, newest first; empty if there is no such step."""
        return self._list(_TASKS, sql.one_step(path, "t").and_(*sql.filters(conditions, "t")), page)

    def filtered_tasks(self, path: StepPath, field: str | None, pattern: str | None) -> Sequence[str]:
        """Pathspecs of the tasks that have a metadata row of this field whose value matches, in order of creation."""
        where = sql.one_step(path, "t").and_(Where("true", {"field": field, "pattern": pattern}))
        text = sql.filtered_tasks(where, by_field=field is not None, by_value=pattern is not None)
        return _records(self.statements.rows(text, where.parameters))

    def beat_task(self, path: TaskPath) -> None:
        """Note a task's heartbeat, and its run's. Raises `NotFound`."""
        self.statements.require(NAMES_VERSION, "a heartbeat")
        where = sql.one_task(path)
        self._require_row(sql.beat_task(where), where.parameters)

    # metadata

    def add_metadata(self, path: TaskPath, new: Iterable[NewMetadatum]) -> int:
        """How many rows went in. Raises `NotFound` if the task does not exist."""
        where = sql.one_task(path)
        return self._inserted(sql.insert_metadata(where), where, new)

    def list_metadata(self, path: RunPath | TaskPath, page: Page | None) -> Listing:
        """Metadata of a run or a task, newest first."""
        return self._list(_METADATA, _run_or_task(path), page)

    # artifacts

    def add_artifacts(self, path: TaskPath, new: Iterable[NewArtifact]) -> int:
        """How many rows went in; existing ones stay as they are. Raises `NotFound` if the task does not exist."""
        where = sql.one_task(path)
        return self._inserted(sql.insert_artifacts(where), where, new)

    def list_artifacts(self, path: RunPath | StepPath | TaskPath, page: Page | None) -> Listing:
        """Artifacts of each task's latest attempt; in pages, of each name its newest, whatever its attempt."""
        where = sql.one_step(path, "t") if isinstance(path, StepPath) else _run_or_task(path)
        if page is None:
            return self._artifacts(where.and_(Where(sql.LATEST_ATTEMPT, {})))
        kind = attrs.evolve(_ARTIFACTS, source=sql.newest_artifacts(where))
        return self._list(kind, Where("true", where.parameters), page)

    def list_attempt(self, path: TaskPath, attempt: int) -> Listing:
        """Artifacts of one attempt of a task."""
        return self._artifacts(sql.one_task(path).and_(_of_attempt(attempt)))

    def get_artifact(self, path: TaskPath, name: str, attempt: int | None) -> Json:
        """One artifact, of one attempt or the task's latest. Raises `NotFound`."""
        chosen = Where(sql.LATEST_ATTEMPT, {}) if attempt is None else _of_attempt(attempt)
        return self._one(_ARTIFACTS, sql.one_task(path).and_(Where("a.name = %(name)s", {"name": name}), chosen))

    # many at once

    def register(self, path: RunPath, batch: Batch) -> Created:
        """Register a batch, all or nothing. Raises `MissingParent`."""
        version = self.statements.require(NAMES_VERSION, "registering many tasks at once")
        with self.statements.transaction() as cursor:
            return register(cursor, path, batch, version=version)

    # how

    def _one(self, kind: _Kind, where: Where) -> Json:
        text = f"SELECT {kind.record} FROM {kind.source} WHERE {where.text}"
        return str(self._require_row(text, where.parameters, "no such object")[0])

    def _list(self, kind: _Kind, where: Where, page: Page | None) -> Listing:
        text, parameters = sql.listing(kind.record, kind.source, where, kind.order, kind.alias, page)
        if page is None:
            return self._whole(text, parameters)
        found = self.statements.rows(text, parameters)
        shown = found[: page.limit]
        more = len(found) > len(shown) > 0
        cursor = paging.cursor_after(shown[-1][1:], kind.order) if more else None
        return Listing([_records(shown)], page.limit, cursor)

    def _whole(self, text: str, parameters: Mapping[str, Any]) -> Listing:
        """A listing without pages: one query where it is short, which it mostly is, else read part by part."""
        found = self.statements.repeated(f"{text} LIMIT {PART + 1}", parameters)
        if len(found) <= PART:
            return Listing([_records(found)])
        return Listing(self._parts(text, parameters))

    def _parts(self, text: str, parameters: Mapping[str, Any]) -> Iterator[Sequence[Json]]:
        for part in self.statements.parts(text, parameters):
            yield _records(part)

    def _steps(self, where: Where) -> list[Json]:
        text = f"SELECT {records.STEP} FROM {sql.FROM_STEPS} WHERE {where.text} ORDER BY s.ts_epoch DESC, s.step_name"
        return _records(self.statements.repeated(text, where.parameters))

    def _artifacts(self, where: Where) -> Listing:
        text = f"SELECT {records.ARTIFACT} FROM {sql.FROM_ARTIFACTS} WHERE {where.text} {sql.ARTIFACT_ORDER}"
        return self._whole(text, where.parameters)

    def _created(self, text: str, parameters: Mapping[str, Any], parent: str, what: str) -> Json:
        found = self.statements.repeated(text, parameters)
        if not found:
            raise MissingParent(parent)
        created, record = found[0]
        if not created:
            raise Duplicate(what)
        return str(record)

    def _inserted(self, text: str, where: Where, new: Iterable[Any]) -> int:
        as_json = json.dumps([attrs.asdict(row, recurse=False) for row in new])
        return int(self._require_row(text, {**where.parameters, "rows": as_json})[0])

    def _require_row(self, text: str, parameters: Mapping[str, Any], missing: str = "no such run or task") -> Row:
        found = self.statements.repeated(text, parameters)
        if not found:
            raise NotFound(missing)
        return found[0]

    def _require_names(self, new: NewObject) -> None:
        if new.given_id is not None:
            self.statements.require(NAMES_VERSION, "an id given by the client")


def _records(found: Iterable[Row]) -> list[Json]:
    return [row[0] for row in found]


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
    return Where("a.attempt_id = %(attempt)s::bigint", {"attempt": attempt})
