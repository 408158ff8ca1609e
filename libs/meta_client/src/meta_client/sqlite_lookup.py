"""Find rows of the SQLite file by the path of a record. The last column of a row of a run, step or task is its key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meta_client.checks import is_numeric
from meta_client.errors import NotFound
from meta_client.paths import in_words
from meta_client.records import Id
from meta_client.sqlite_rows import FLOW, RUN, STEP, TASK, Row

if TYPE_CHECKING:
    import sqlite3

_LARGEST_KEY = 2**63 - 1


def find_flow(connection: sqlite3.Connection, flow: str) -> Row | None:
    """The row of a flow."""
    return _first(connection, f"{FLOW} WHERE flow_id = ?", (flow,))


def find_run(connection: sqlite3.Connection, flow: str, run: Id) -> Row | None:
    """The row of a run."""
    where, values = _run_is(run)
    return _first(connection, f"{RUN} WHERE r.flow_id = ? AND {where}", (flow, *values))


def find_step(connection: sqlite3.Connection, flow: str, run: Id, step: str) -> Row | None:
    """The row of a step."""
    where, values = _run_is(run)
    return _first(connection, f"{STEP} WHERE r.flow_id = ? AND {where} AND s.step_name = ?", (flow, *values, step))


def find_task(connection: sqlite3.Connection, flow: str, run: Id, step: str, task: Id) -> Row | None:
    """The row of a task."""
    run_is, values = _run_is(run)
    task_column, task_value = _id("t.task_key", "t.task_id", task)
    where = f"r.flow_id = ? AND {run_is} AND s.step_name = ? AND {task_column} = ?"
    return _first(connection, f"{TASK} WHERE {where}", (flow, *values, step, task_value))


def get_flow(connection: sqlite3.Connection, flow: str) -> Row:
    """The row of a flow, or `NotFound`."""
    return _existing(find_flow(connection, flow), flow)


def get_run(connection: sqlite3.Connection, flow: str, run: Id) -> Row:
    """The row of a run, or `NotFound`."""
    return _existing(find_run(connection, flow, run), flow, run)


def get_step(connection: sqlite3.Connection, flow: str, run: Id, step: str) -> Row:
    """The row of a step, or `NotFound`."""
    return _existing(find_step(connection, flow, run, step), flow, run, step)


def get_task(connection: sqlite3.Connection, flow: str, run: Id, step: str, task: Id) -> Row:
    """The row of a task, or `NotFound`."""
    return _existing(find_task(connection, flow, run, step, task), flow, run, step, task)


def newest_key(connection: sqlite3.Connection) -> int:
    """The key that the last insertion got."""
    key: int = connection.execute("SELECT last_insert_rowid()").fetchone()[0]
    return key


def _existing(row: Row | None, *path: Id) -> Row:
    if row is None:
        raise NotFound(in_words(*path))
    return row


def _first(connection: sqlite3.Connection, query: str, parameters: tuple[str | int, ...]) -> Row | None:
    row: Row | None = connection.execute(query, parameters).fetchone()
    return row


def _run_is(run: Id) -> tuple[str, tuple[str | int, ...]]:
    """A run by its number is the row of that key, or one that got its number back where the key was taken."""
    column, value = _id("r.run_key", "r.run_id", run)
    if column == "r.run_id":
        return f"{column} = ?", (value,)
    return "(r.run_key = ? OR r.run_id = ?)", (value, str(value))


def _id(key_column: str, name_column: str, value: Id) -> tuple[str, str | int]:
    return (key_column, _key(value)) if is_numeric(value) else (name_column, str(value))


def _key(value: Id) -> int:
    """The key that an id means; -1, which no row has, for what is numeric and yet no possible key."""
    try:
        number = int(value)
    except ValueError:  # "½" is numeric, and more digits than int() converts are possible
        return -1
    return number if number <= _LARGEST_KEY else -1
