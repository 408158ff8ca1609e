"""A metadata store in one SQLite file, for a machine: no server, many processes at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import attrs

from meta_client.batches import Record, sort_records
from meta_client.checks import (
    check_attempt,
    check_limit,
    check_name,
    check_new_id,
    check_number,
    check_path,
    check_status,
    check_tags,
    check_user,
)
from meta_client.errors import Conflict, NotFound
from meta_client.ordering import oldest_steps_first, oldest_tasks_first
from meta_client.paths import in_words, path_of, placed, target_path
from meta_client.records import Artifact, Flow, Id, Metadatum, Run, Step, Task
from meta_client.sqlite_batch import write_batch
from meta_client.sqlite_file import SqliteFile
from meta_client.sqlite_lookup import (
    find_run,
    find_step,
    find_task,
    get_flow,
    get_run,
    get_step,
    get_task,
    newest_key,
)
from meta_client.sqlite_rows import (
    ARTIFACT,
    FLOW,
    METADATUM,
    STEP,
    TASK,
    Row,
    artifact_of,
    encode_tags,
    flow_of,
    metadatum_of,
    run_of,
    step_of,
    task_of,
)
from meta_client.sqlite_runs import PAGE, delete_run, read_page, was_deleted
from meta_client.tags import mutated

if TYPE_CHECKING:
    import sqlite3

    from typing_extensions import Self

HEARTBEAT_INTERVAL_S = 10

_NEW_FLOW = "INSERT INTO flows VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_NEW_RUN = (
    "INSERT INTO runs (flow_id, run_id, user_name, ts_epoch, tags, system_tags, last_heartbeat_ts)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_OLD_RUN = _NEW_RUN.replace("(flow_id", "(run_key, flow_id").replace("(?", "(?, ?")
_HAS_KEY = "SELECT 1 FROM runs WHERE run_key = ?"
_NUMBER_ABOVE = "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'runs'"
_NEW_STEP = "INSERT INTO steps (run_key, step_name, user_name, ts_epoch) VALUES (?, ?, ?, ?)"
_NEW_TASK = "INSERT INTO tasks (step_key, task_id, user_name, ts_epoch, last_heartbeat_ts) VALUES (?, ?, ?, ?, ?)"
_RUN_IS_ALIVE = "UPDATE runs SET last_heartbeat_ts = ? WHERE run_key = ?"
_TASK_IS_ALIVE = "UPDATE tasks SET last_heartbeat_ts = ? WHERE task_key = ?"
_NO_TAGS = (encode_tags(()), encode_tags(()))
_LATEST_ATTEMPT = "SELECT max(attempt_id) FROM artifacts WHERE task_key = ?"


class EmbeddedStore:
    """The `MetadataStore` in the SQLite file at ``path``, created where missing unless ``create`` is False.

    ``busy_timeout`` bounds, in seconds, the wait for other processes' writes; `StoreBusy` says that it was not enough.
    Further errors: `ForeignFile`, `SchemaTooNew`, `StorageFailure`. ``clock`` gives seconds since 1970.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        create: bool = True,
        busy_timeout: float = 30.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._file = SqliteFile(Path(path), create=create, busy_timeout=busy_timeout)
        self._clock = clock

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._file.path

    def create_flow(
        self, flow: str, *, user: str | None = None, tags: Iterable[str] = (), system_tags: Iterable[str] = ()
    ) -> Flow:
        """See `MetadataStore.create_flow`."""
        check_path(flow)
        check_user(user)
        common = (user, self._now_ms(), _encoded("tags", tags), _encoded("system_tags", system_tags))
        with self._file.writing() as connection:
            connection.execute(_NEW_FLOW, (flow, *common))
            return flow_of(get_flow(connection, flow))

    def create_run(
        self,
        flow: str,
        *,
        user: str | None = None,
        tags: Iterable[str] = (),
        system_tags: Iterable[str] = (),
        run_id: str | None = None,
    ) -> Run:
        """See `MetadataStore.create_run`."""
        check_path(flow)
        check_user(user)
        if run_id is not None:
            check_new_id("run_id", run_id)
        now_ms = self._now_ms()
        common = (user, now_ms, _encoded("tags", tags), _encoded("system_tags", system_tags), now_ms // 1000)
        with self._file.writing() as connection:
            if run_id is not None and (row := find_run(connection, flow, run_id)):
                raise Conflict(in_words(flow, run_id), run_of(row))
            if run_id is not None and was_deleted(connection, flow, run_id):
                raise Conflict(in_words(flow, run_id))
            connection.execute(_NEW_FLOW, (flow, user, now_ms, *_NO_TAGS))
            connection.execute(_NEW_RUN, (flow, run_id, *common))
            return run_of(get_run(connection, flow, run_id or newest_key(connection)))

    def restore_run(self, run: Run) -> Run:
        """Register a run that a store gave its number and has lost since, with that number, age, user and tags.

        A name is restored as well. The numbers of new runs go on above it. Raises `Conflict`, with the existing run, where the
        flow has a run of that id.
        """
        check_path(*target_path(run))
        check_user(run.user_name)
        number = check_number("run_id", run.run_id)
        tags = (_encoded("tags", run.tags or ()), _encoded("system_tags", run.system_tags or ()))
        with self._file.writing() as connection:
            if row := find_run(connection, run.flow_id, run.run_id):
                raise Conflict(in_words(run.flow_id, run.run_id), run_of(row))
            connection.execute(_NEW_FLOW, (run.flow_id, run.user_name, run.ts_epoch, *_NO_TAGS))
            is_free = number is not None and not connection.execute(_HAS_KEY, (number,)).fetchone()
            key, name = (number, None) if is_free else (None, str(run.run_id))
            known = (run.user_name, run.ts_epoch, *tags, run.ts_epoch // 1000)
            connection.execute(_OLD_RUN, (key, run.flow_id, name, *known))
            if number is not None:
                connection.execute(_NUMBER_ABOVE, (number,))
            return run_of(get_run(connection, run.flow_id, run.run_id))

    def create_step(self, flow: str, run: Id, step: str, *, user: str | None = None) -> Step:
        """See `MetadataStore.create_step`."""
        check_path(flow, run, step)
        check_user(user)
        with self._file.writing() as connection:
            run_key = get_run(connection, flow, run)[-1]
            if row := find_step(connection, flow, run, step):
                raise Conflict(in_words(flow, run, step), step_of(row))
            connection.execute(_NEW_STEP, (run_key, step, user, self._now_ms()))
            return step_of(get_step(connection, flow, run, step))

    def create_task(
        self, flow: str, run: Id, step: str, task_id: str | None = None, *, user: str | None = None
    ) -> Task:
        """See `MetadataStore.create_task`."""
        check_path(flow, run, step)
        check_user(user)
        if task_id is not None:
            check_new_id("task_id", task_id)
        now_ms = self._now_ms()
        with self._file.writing() as connection:
            step_key = get_step(connection, flow, run, step)[-1]
            if task_id is not None and (row := find_task(connection, flow, run, step, task_id)):
                raise Conflict(in_words(flow, run, step, task_id), task_of(row))
            connection.execute(_NEW_TASK, (step_key, task_id, user, now_ms, now_ms // 1000))
            new_id = task_id or newest_key(connection)
            connection.execute(_RUN_IS_ALIVE, (now_ms // 1000, get_run(connection, flow, run)[-1]))
            return task_of(get_task(connection, flow, run, step, new_id))

    def register_artifacts(self, task: Task, artifacts: Iterable[Artifact]) -> None:
        """See `MetadataStore.register_artifacts`."""
        self._register(task, placed(artifacts, task))

    def register_metadata(self, task: Task, metadata: Iterable[Metadatum]) -> None:
        """See `MetadataStore.register_metadata`."""
        self._register(task, placed(metadata, task))

    def register_many(self, records: Iterable[Record]) -> None:
        """See `MetadataStore.register_many`. One transaction: all of the records are kept, or after an error none."""
        batch = sort_records(records)
        with self._file.writing() as connection:
            write_batch(connection, batch, self._now_ms())

    def heartbeat(self, target: Run | Task) -> int:
        """See `MetadataStore.heartbeat`."""
        check_path(*target_path(target))
        now_s = self._now_ms() // 1000
        with self._file.writing() as connection:
            if isinstance(target, Task):
                connection.execute(_TASK_IS_ALIVE, (now_s, get_task(connection, *path_of(target))[-1]))
            connection.execute(_RUN_IS_ALIVE, (now_s, get_run(connection, target.flow_id, target.run_id)[-1]))
        return HEARTBEAT_INTERVAL_S

    def get_flow(self, flow: str) -> Flow:
        """See `MetadataStore.get_flow`."""
        check_path(flow)
        with self._file.reading() as connection:
            return flow_of(get_flow(connection, flow))

    def get_run(self, flow: str, run: Id) -> Run:
        """See `MetadataStore.get_run`."""
        check_path(flow, run)
        with self._file.reading() as connection:
            return run_of(get_run(connection, flow, run))

    def get_step(self, flow: str, run: Id, step: str) -> Step:
        """See `MetadataStore.get_step`."""
        check_path(flow, run, step)
        with self._file.reading() as connection:
            return step_of(get_step(connection, flow, run, step))

    def get_task(self, flow: str, run: Id, step: str, task: Id) -> Task:
        """See `MetadataStore.get_task`."""
        check_path(flow, run, step, task)
        with self._file.reading() as connection:
            return task_of(get_task(connection, flow, run, step, task))

    def get_artifact(self, task: Task, name: str, *, attempt: int | None = None) -> Artifact:
        """See `MetadataStore.get_artifact`."""
        check_name("name", name)
        for artifact in self.list_artifacts(task, attempt=attempt):
            if artifact.name == name:
                return artifact
        raise NotFound(in_words(*path_of(task), name) + ("" if attempt is None else f" of attempt {attempt}"))

    def list_flows(self) -> list[Flow]:
        """See `MetadataStore.list_flows`."""
        with self._file.reading() as connection:
            return [flow_of(row) for row in connection.execute(f"{FLOW} ORDER BY ts_epoch DESC, flow_id DESC")]

    def list_runs(
        self, flow: str, *, tags: Iterable[str] = (), status: str | None = None, limit: int | None = None
    ) -> Iterator[Run]:
        """See `MetadataStore.list_runs`."""
        check_path(flow)
        check_status(status)
        check_limit(limit)
        return self._runs(flow, check_tags("tags", tags), status, limit)

    def list_steps(self, flow: str, run: Id) -> list[Step]:
        """See `MetadataStore.list_steps`."""
        check_path(flow, run)
        with self._file.reading() as connection:
            parent = find_run(connection, flow, run)
            rows = _below(connection, parent, f"{STEP} WHERE s.run_key = ? ORDER BY s.step_key")
        return oldest_steps_first(map(step_of, rows))

    def list_tasks(self, flow: str, run: Id, step: str) -> list[Task]:
        """See `MetadataStore.list_tasks`."""
        check_path(flow, run, step)
        with self._file.reading() as connection:
            rows = _below(connection, find_step(connection, flow, run, step), f"{TASK} WHERE t.step_key = ?")
        return oldest_tasks_first(map(task_of, rows))

    def list_artifacts(self, task: Task, *, attempt: int | None = None) -> list[Artifact]:
        """See `MetadataStore.list_artifacts`."""
        check_path(*path_of(task))
        check_attempt(attempt)
        with self._file.reading() as connection:
            parent = find_task(connection, *path_of(task))
            if parent is None:
                return []
            if attempt is None:
                attempt = connection.execute(_LATEST_ATTEMPT, (parent[-1],)).fetchone()[0]
            query = f"{ARTIFACT} WHERE a.task_key = ? AND a.attempt_id = ? ORDER BY a.name"
            rows = connection.execute(query, (parent[-1], attempt)).fetchall()
        found = task_of(parent)
        return [artifact_of(row, found.flow_id, found.run_id, found.step_name, found.task_id) for row in rows]

    def list_metadata(self, target: Run | Task) -> list[Metadatum]:
        """See `MetadataStore.list_metadata`."""
        check_path(*target_path(target))
        with self._file.reading() as connection:
            if isinstance(target, Task):
                column, parent = "m.task_key", find_task(connection, *path_of(target))
            else:
                column, parent = "s.run_key", find_run(connection, target.flow_id, target.run_id)
            rows = _below(connection, parent, f"{METADATUM} WHERE {column} = ? ORDER BY m.ts_epoch DESC, m.id DESC")
        return [metadatum_of(row) for row in rows]

    def mutate_tags(self, run: Run, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Run:
        """See `MetadataStore.mutate_tags`."""
        check_path(*target_path(run))
        added, removed = check_tags("add", add), check_tags("remove", remove)
        with self._file.writing() as connection:
            row = get_run(connection, run.flow_id, run.run_id)
            found = run_of(row)
            tags = mutated(found.tags or (), found.system_tags or (), added, removed)
            connection.execute("UPDATE runs SET tags = ? WHERE run_key = ?", (encode_tags(tags), row[-1]))
        return attrs.evolve(found, tags=tags)

    def delete_run(self, flow: str, run: Id) -> None:
        """See `MetadataStore.delete_run`."""
        check_path(flow, run)
        with self._file.writing() as connection:
            delete_run(connection, get_run(connection, flow, run)[-1])

    def close(self) -> None:
        """See `MetadataStore.close`."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)

    def _register(self, task: Task, records: Sequence[Artifact | Metadatum]) -> None:
        check_path(*path_of(task))
        batch = sort_records(records)
        with self._file.writing() as connection:
            get_task(connection, *path_of(task))
            write_batch(connection, batch, self._now_ms())

    def _runs(self, flow: str, tags: tuple[str, ...], status: str | None, limit: int | None) -> Iterator[Run]:
        left, place = limit, None
        while left is None or left > 0:
            with self._file.reading() as connection:
                page = read_page(connection, flow, tags, status, self._clock(), place, min(left or PAGE, PAGE))
            yield from page.runs
            place = page.next
            if place is None:
                return
            left = None if left is None else left - len(page.runs)


def _encoded(field: str, tags: Iterable[str]) -> str | None:
    return encode_tags(check_tags(field, tags))


def _below(connection: sqlite3.Connection, parent: Row | None, query: str) -> list[Row]:
    return [] if parent is None else connection.execute(query, (parent[-1],)).fetchall()
