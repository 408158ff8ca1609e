"""The tables of the SQLite file, version 2.

Rows point to each other by integer keys; what a record repeats of its parents (path, tags) is joined in when it is read. Tags are
JSON text. A run's and a task's key is the number that the store gives it, unless it has an id from its client; no key is given
twice, and the ids of deleted runs are kept.
"""

from __future__ import annotations

SCHEMA_VERSION = 2
APPLICATION_ID = 0x53744D64
"""Marks the file as one of ours ("StMd"), see https://www.sqlite.org/fileformat.html, offset 68."""

_DELETED_RUNS = "CREATE TABLE deleted_runs (flow_id TEXT NOT NULL, run_id TEXT NOT NULL, PRIMARY KEY (flow_id, run_id))"

SCHEMA = (
    """CREATE TABLE flows (
        flow_id TEXT PRIMARY KEY, user_name TEXT, ts_epoch INTEGER NOT NULL, tags TEXT, system_tags TEXT
    ) WITHOUT ROWID""",
    """CREATE TABLE runs (
        run_key INTEGER PRIMARY KEY AUTOINCREMENT, flow_id TEXT NOT NULL REFERENCES flows, run_id TEXT, user_name TEXT,
        ts_epoch INTEGER NOT NULL, tags TEXT, system_tags TEXT, last_heartbeat_ts INTEGER, UNIQUE (flow_id, run_id)
    )""",
    "CREATE INDEX runs_by_age ON runs (flow_id, ts_epoch DESC, run_key DESC)",
    """CREATE TABLE steps (
        step_key INTEGER PRIMARY KEY, run_key INTEGER NOT NULL REFERENCES runs, step_name TEXT NOT NULL, user_name TEXT,
        ts_epoch INTEGER NOT NULL, UNIQUE (run_key, step_name)
    )""",
    """CREATE TABLE tasks (
        task_key INTEGER PRIMARY KEY AUTOINCREMENT, step_key INTEGER NOT NULL REFERENCES steps, task_id TEXT,
        user_name TEXT, ts_epoch INTEGER NOT NULL, last_heartbeat_ts INTEGER, UNIQUE (step_key, task_id)
    )""",
    """CREATE TABLE artifacts (
        task_key INTEGER NOT NULL REFERENCES tasks, attempt_id INTEGER NOT NULL, name TEXT NOT NULL,
        location TEXT NOT NULL, ds_type TEXT NOT NULL, sha TEXT NOT NULL, type TEXT NOT NULL, content_type TEXT NOT NULL,
        user_name TEXT, ts_epoch INTEGER NOT NULL, PRIMARY KEY (task_key, attempt_id, name)
    ) WITHOUT ROWID""",
    """CREATE TABLE metadata (
        id INTEGER PRIMARY KEY AUTOINCREMENT, task_key INTEGER NOT NULL REFERENCES tasks, field_name TEXT NOT NULL,
        value TEXT NOT NULL, type TEXT NOT NULL, user_name TEXT, ts_epoch INTEGER NOT NULL, tags TEXT, system_tags TEXT
    )""",
    "CREATE INDEX metadata_by_task ON metadata (task_key)",
    _DELETED_RUNS,
)

UPGRADES = {1: (_DELETED_RUNS,)}
"""What brings a file from each version to the next."""
