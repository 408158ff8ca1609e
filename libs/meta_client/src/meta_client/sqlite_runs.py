"""The runs of a flow in the SQLite file: pages of them, newest first, by tags and status; and their deletion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from meta_client.records import Run
from meta_client.sqlite_rows import RUN, encode_tag, run_of
from meta_client.tags import has_all

if TYPE_CHECKING:
    import sqlite3

PAGE = 200
"""Runs of a page: few enough that writers in this process hardly wait."""

SILENT_AFTER_S = 360
"""A run without an end that sent no heartbeat for so long is taken to be dead, as the services have it."""

_OF_END = (
    "FROM steps AS s JOIN tasks AS t USING (step_key) JOIN metadata AS m USING (task_key)"
    " WHERE s.run_key = r.run_key AND s.step_name = 'end'"
)
_ENDED = f"(SELECT max(m.id) {_OF_END} AND m.field_name = 'attempt_ok')"
_BEGUN = f"(SELECT max(m.id) {_OF_END} AND m.field_name = 'attempt')"
_STATUS = f"""CASE
    WHEN (SELECT lower(value) IN ('true', '1') FROM metadata WHERE id = {_ENDED}) THEN 'completed'
    WHEN {_ENDED} IS NULL AND r.last_heartbeat_ts >= :alive_since THEN 'running'
    WHEN {_ENDED} IS NULL THEN 'failed'
    WHEN {_BEGUN} > {_ENDED} THEN 'running'
    ELSE 'failed' END"""

_OF_RUN = "IN (SELECT task_key FROM tasks JOIN steps USING (step_key) WHERE run_key = :run)"
_DELETIONS = (
    f"DELETE FROM metadata WHERE task_key {_OF_RUN}",
    f"DELETE FROM artifacts WHERE task_key {_OF_RUN}",
    "DELETE FROM tasks WHERE step_key IN (SELECT step_key FROM steps WHERE run_key = :run)",
    "DELETE FROM steps WHERE run_key = :run",
    "INSERT INTO deleted_runs SELECT flow_id, run_id FROM runs WHERE run_key = :run AND run_id IS NOT NULL",
    "DELETE FROM runs WHERE run_key = :run",
)


@attrs.frozen
class Place:
    """Where a page ended: the age and the key of its last row."""

    ts_epoch: int
    run_key: int


@attrs.frozen
class Page:
    """Runs, and where the next page begins; None after the last."""

    runs: list[Run]
    next: Place | None


def read_page(
    connection: sqlite3.Connection,
    flow: str,
    tags: Sequence[str],
    status: str | None,
    now_s: float,
    after: Place | None,
    size: int = PAGE,
) -> Page:
    """The page after a place (None: the first): at most ``size`` runs that have all tags and the status."""
    conditions = ["r.flow_id = :flow"]
    parameters: dict[str, str | int | None] = {"flow": flow, "size": size}
    for number, tag in enumerate(tags):
        conditions.append(f"(instr(r.tags, :tag{number}) OR instr(r.system_tags, :tag{number}))")
        parameters[f"tag{number}"] = encode_tag(tag)
    if status is not None:
        conditions.append(f"{_STATUS} = :status")
        parameters |= {"status": status, "alive_since": int(now_s) - SILENT_AFTER_S}
    if after is not None:
        conditions.append("(r.ts_epoch, r.run_key) < (:ts_epoch, :run_key)")
        parameters |= attrs.asdict(after)
    query = f"{RUN} WHERE {' AND '.join(conditions)} ORDER BY r.ts_epoch DESC, r.run_key DESC LIMIT :size"
    rows = connection.execute(query, parameters).fetchall()
    # the query finds some too many: a tag's JSON text can be the end of another's, as `a` is of `q"a`
    runs = [run for run in (run_of(row, status) for row in rows) if has_all(tags, run.tags, run.system_tags)]
    return Page(runs, Place(ts_epoch=rows[-1][3], run_key=rows[-1][-1]) if len(rows) == size > 0 else None)


def delete_run(connection: sqlite3.Connection, run_key: int) -> None:
    """Delete a run and what is below it; an id that a client gave it is remembered."""
    for statement in _DELETIONS:
        connection.execute(statement, {"run": run_key})


def was_deleted(connection: sqlite3.Connection, flow: str, run_id: str) -> bool:
    """Whether the flow had a run of that id."""
    found = connection.execute("SELECT 1 FROM deleted_runs WHERE flow_id = ? AND run_id = ?", (flow, run_id))
    return found.fetchone() is not None
