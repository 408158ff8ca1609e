"""Write records of any mixture into the SQLite file, within one transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from meta_client.batches import Batch
from meta_client.paths import path_of
from meta_client.records import Artifact, Id, Metadatum, Step, Task
from meta_client.sqlite_lookup import get_run, get_step, get_task
from meta_client.sqlite_rows import Row, encode_tags

if TYPE_CHECKING:
    import sqlite3

_STEP = "INSERT INTO steps (run_key, step_name, user_name, ts_epoch) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
_TASK = (
    "INSERT INTO tasks (step_key, task_id, user_name, ts_epoch, last_heartbeat_ts) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT DO NOTHING"
)
_ARTIFACT = (
    "INSERT INTO artifacts (task_key, attempt_id, name, location, ds_type, sha, type, content_type, user_name, ts_epoch)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_METADATUM = (
    "INSERT INTO metadata (task_key, field_name, value, type, user_name, ts_epoch, tags, system_tags)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_RUN_IS_ALIVE = "UPDATE runs SET last_heartbeat_ts = ? WHERE run_key = ?"


def write_batch(connection: sqlite3.Connection, batch: Batch, now_ms: int) -> None:
    """Write parents before what belongs to them; what exists stays. Raises `NotFound`."""
    keys, now_s = _Keys(connection), now_ms // 1000
    connection.executemany(_STEP, [(keys.run(s), s.step_name, s.user_name, now_ms) for s in batch.steps])
    connection.executemany(_TASK, [(keys.step(t), t.task_id, t.user_name, now_ms, now_s) for t in batch.tasks])
    connection.executemany(_RUN_IS_ALIVE, [(now_s, key) for key in {keys.run(task) for task in batch.tasks}])
    connection.executemany(_ARTIFACT, [_artifact_row(keys.task(a), a, now_ms) for a in batch.artifacts])
    connection.executemany(_METADATUM, [_metadatum_row(keys.task(m), m, now_ms) for m in batch.metadata])


def _artifact_row(task_key: int, artifact: Artifact, now_ms: int) -> tuple[object, ...]:
    return (
        task_key,
        artifact.attempt_id,
        artifact.name,
        artifact.location,
        artifact.ds_type,
        artifact.sha,
        artifact.type,
        artifact.content_type,
        artifact.user_name,
        now_ms,
    )


def _metadatum_row(task_key: int, metadatum: Metadatum, now_ms: int) -> tuple[object, ...]:
    return (
        task_key,
        metadatum.field_name,
        metadatum.value,
        metadatum.type,
        metadatum.user_name,
        now_ms,
        encode_tags(metadatum.tags),
        encode_tags(metadatum.system_tags),
    )


class _Keys:
    """Keys of the rows that records belong to, each looked up once. Methods raise `NotFound`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[tuple[Id, ...], int] = {}

    def run(self, record: Step | Task) -> int:
        return self._key(get_run, record.flow_id, record.run_id)

    def step(self, record: Task) -> int:
        return self._key(get_step, record.flow_id, record.run_id, record.step_name)

    def task(self, record: Artifact | Metadatum) -> int:
        return self._key(get_task, *path_of(record))

    def _key(self, get: Callable[..., Row], *path: Id) -> int:
        if path not in self._known:
            self._known[path] = get(self._connection, *path)[-1]
        return self._known[path]
