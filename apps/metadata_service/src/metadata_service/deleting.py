"""How a run goes: it vanishes at once, then the rows below it are removed in small batches, each a transaction of its own.

The run's own row stays, emptied and marked, so that its number and its name stay taken. Whoever was writing below the run
in that moment may leave a row behind; nobody can see it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import attrs
from psycopg2.errors import ForeignKeyViolation

from metadata_service.errors import NotFound
from metadata_service.ids import RunPath
from metadata_service.pool import Cursor
from metadata_service.sql import one_run_ever

_TASKS_A_BATCH = 500
_LONGEST_S = 20.0  # proxies give up after a minute

_MARK = """
UPDATE runs SET deleted = true, user_name = NULL, tags = NULL, system_tags = NULL
WHERE run_number = %(run)s AND NOT deleted
"""
_TASKS = f"""
WITH batch AS (SELECT task_id FROM tasks WHERE run_number = %(run)s LIMIT {_TASKS_A_BATCH}),
artifact AS (DELETE FROM artifacts WHERE task_id IN (SELECT task_id FROM batch) RETURNING 1),
metadatum AS (DELETE FROM metadata WHERE task_id IN (SELECT task_id FROM batch) RETURNING 1),
task AS (DELETE FROM tasks WHERE task_id IN (SELECT task_id FROM batch) RETURNING 1)
SELECT (SELECT count(*) FROM task), (SELECT count(*) FROM artifact), (SELECT count(*) FROM metadatum)
"""
_STEPS = "DELETE FROM steps WHERE run_number = %(run)s"


@attrs.frozen
class Deleted:
    """How many rows of each kind went; ``whole`` unless some are left."""

    steps: int
    tasks: int
    artifacts: int
    metadata: int
    whole: bool


def delete_run(cursor: Cursor, path: RunPath) -> Deleted:
    """Delete a run, or what an earlier attempt at that has left, with a cursor in autocommit mode. Raises `NotFound`."""
    run = {"run": _number(cursor, path)}
    cursor.execute(_MARK, run)
    marked, tasks, artifacts, metadata = cursor.rowcount > 0, 0, 0, 0
    deadline = time.monotonic() + _LONGEST_S
    while time.monotonic() < deadline:
        cursor.execute(_TASKS, run)
        gone = cursor.fetchone() or (0, 0, 0)
        tasks, artifacts, metadata = tasks + gone[0], artifacts + gone[1], metadata + gone[2]
        if gone[0] == 0 and (steps := _delete_steps(cursor, run)) is not None:
            if not (marked or tasks or steps):
                raise NotFound(f"run {path.run!r} of flow {path.flow!r}")
            return Deleted(steps, tasks, artifacts, metadata, whole=True)
    return Deleted(0, tasks, artifacts, metadata, whole=False)


def _delete_steps(cursor: Cursor, run: Mapping[str, int]) -> int | None:
    """How many went; None where a task that somebody was just registering came in between, so that one has to look again."""
    try:
        cursor.execute(_STEPS, run)
    except ForeignKeyViolation:
        return None
    return cursor.rowcount


def _number(cursor: Cursor, path: RunPath) -> int:
    where = one_run_ever(path)
    cursor.execute(f"SELECT r.run_number FROM runs r WHERE {where.text}", where.parameters)
    row = cursor.fetchone()
    if row is None:
        raise NotFound(f"run {path.run!r} of flow {path.flow!r}")
    return int(row[0])
