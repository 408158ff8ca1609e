"""How a batch gets into the database: a handful of statements, however many rows, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from metadata_service.batches import Batch, OfTask, TaskRef
from metadata_service.errors import MissingParent
from metadata_service.ids import RunPath
from metadata_service.pool import Cursor
from metadata_service.sql import NOW_MS, NOW_S, as_of, one_run

# Rows are inserted in one order whoever sends them, so that batches that overlap wait for each other and never both.
_STEPS = f"""
INSERT INTO steps (run_number, step_name, user_name, ts_epoch)
SELECT %(run)s, row.step_name, row.user_name, {NOW_MS}
FROM json_to_recordset(%(rows)s) AS row (step_name text, user_name text)
ORDER BY row.step_name ON CONFLICT DO NOTHING
"""
_TASKS = f"""
INSERT INTO tasks (run_number, step_name, task_name, user_name, ts_epoch, last_heartbeat_ts)
SELECT %(run)s, row.step_name, row.task_name, row.user_name, {NOW_MS}, {NOW_S}
FROM json_to_recordset(%(rows)s) AS row (step_name text, task_name text, user_name text)
ORDER BY row.step_name, row.task_name ON CONFLICT DO NOTHING
"""
_ARTIFACTS = f"""
INSERT INTO artifacts (task_id, attempt_id, name, location, ds_type, sha, type, content_type, user_name, ts_epoch)
SELECT row.task_id, row.attempt_id, row.name, row.location, row.ds_type, row.sha, row.type, row.content_type,
    row.user_name, {NOW_MS}
FROM json_to_recordset(%(rows)s) AS row (
    task_id bigint, name text, location text, ds_type text, sha text, type text, content_type text,
    attempt_id integer, user_name text
)
ORDER BY row.task_id, row.attempt_id, row.name ON CONFLICT DO NOTHING
"""
_METADATA = f"""
WITH row AS (
    SELECT *, row_number() OVER (
        PARTITION BY task_id, field_name, value, type, user_name, tags, system_tags ORDER BY place
    ) AS nth
    FROM ROWS FROM (json_to_recordset(%(rows)s) AS (
        task_id bigint, field_name text, value text, type text, user_name text, tags jsonb, system_tags jsonb
    )) WITH ORDINALITY AS row (task_id, field_name, value, type, user_name, tags, system_tags, place)
)
INSERT INTO metadata (task_id, run_number, field_name, value, type, user_name, ts_epoch, tags, system_tags)
SELECT row.task_id, %(run)s, row.field_name, row.value, row.type, row.user_name, {NOW_MS}, row.tags, row.system_tags
FROM row WHERE NOT %(again)s OR nth > (
    SELECT count(*) FROM metadata m
    WHERE m.task_id = row.task_id AND m.field_name = row.field_name AND m.value = row.value AND m.type = row.type
      AND m.user_name IS NOT DISTINCT FROM row.user_name AND m.tags IS NOT DISTINCT FROM row.tags
      AND m.system_tags IS NOT DISTINCT FROM row.system_tags
)
ORDER BY row.place
"""
_UNKNOWN_STEPS = """
SELECT row.step_name FROM json_to_recordset(%(rows)s) AS row (step_name text)
WHERE NOT EXISTS (SELECT 1 FROM steps s WHERE s.run_number = %(run)s AND s.step_name = row.step_name) LIMIT 1
"""
_REFERENCES = "json_to_recordset(%(rows)s) AS row (place integer, step_name text, task_number bigint, task_name text)"
_TASK_IDS = f"""
SELECT row.place, t.task_id FROM {_REFERENCES}
JOIN tasks t ON t.run_number = %(run)s AND t.step_name = row.step_name AND t.task_name = row.task_name
UNION ALL
SELECT row.place, t.task_id FROM {_REFERENCES}
JOIN tasks t ON t.task_id = row.task_number AND t.run_number = %(run)s AND t.step_name = row.step_name
"""
_ALIVE = f"UPDATE runs SET last_heartbeat_ts = {NOW_S} WHERE run_number = %(run)s"


@attrs.frozen
class Created:
    """How many rows of each kind went in; the others existed already."""

    steps: int
    tasks: int
    artifacts: int
    metadata: int


def register(cursor: Cursor, path: RunPath, batch: Batch, *, version: int) -> Created:
    """Register a batch within the cursor's transaction, at a schema version from 2. Raises `MissingParent`."""
    run = _run(cursor, path, version)
    steps = _insert(cursor, _STEPS, run, map(attrs.asdict, batch.steps))
    _require_steps(cursor, run, {task.step_name for task in batch.tasks})
    tasks = _insert(cursor, _TASKS, run, map(attrs.asdict, batch.tasks))
    if batch.tasks:
        cursor.execute(_ALIVE, {"run": run})
    ids = _task_ids(cursor, run, [each.task for each in batch.artifacts] + [each.task for each in batch.metadata])
    artifacts = _insert(cursor, _ARTIFACTS, run, _with_ids(batch.artifacts, ids))
    metadata = _insert(cursor, _METADATA, run, _with_ids(batch.metadata, ids), again=batch.again)
    return Created(steps, tasks, artifacts, metadata)


def _run(cursor: Cursor, path: RunPath, version: int) -> int:
    where = one_run(path)
    cursor.execute(as_of(f"SELECT r.run_number FROM runs r WHERE {where.text}", version), where.parameters)
    row = cursor.fetchone()
    if row is None:
        raise MissingParent(f"run {path.run!r} of flow {path.flow!r}")
    return int(row[0])


def _require_steps(cursor: Cursor, run: int, names: Iterable[str]) -> None:
    rows = json.dumps([{"step_name": name} for name in names])
    cursor.execute(_UNKNOWN_STEPS, {"run": run, "rows": rows})
    if unknown := cursor.fetchone():
        raise MissingParent(f"step {unknown[0]!r}")


def _task_ids(cursor: Cursor, run: int, references: Sequence[TaskRef]) -> dict[TaskRef, int]:
    distinct = list(dict.fromkeys(references))
    rows = json.dumps([{"place": place, **attrs.asdict(task)} for place, task in enumerate(distinct)])
    cursor.execute(_TASK_IDS, {"run": run, "rows": rows})
    ids = {distinct[place]: task_id for place, task_id in cursor.fetchall()}
    for task in distinct:
        if task not in ids:
            raise MissingParent(f"task {task.task_name or task.task_number!r} of step {task.step_name!r}")
    return ids


def _with_ids(rows: Iterable[OfTask[Any]], ids: dict[TaskRef, int]) -> Iterable[dict[str, Any]]:
    return ({"task_id": ids[each.task], **attrs.asdict(each.row, recurse=False)} for each in rows)


def _insert(cursor: Cursor, statement: str, run: int, rows: Iterable[dict[str, Any]], **more: Any) -> int:
    listed = list(rows)
    if not listed:
        return 0
    cursor.execute(statement, {"run": run, "rows": json.dumps(listed), **more})
    return cursor.rowcount
