"""Rows of the SQLite file to records and back."""

from __future__ import annotations

import functools
import json
from typing import Any

from meta_client.records import Artifact, Flow, Id, Metadatum, Run, Step, Tags, Task, verified_user

Row = tuple[Any, ...]

FLOW = "SELECT flow_id, user_name, ts_epoch, tags, system_tags FROM flows"
RUN = (
    "SELECT flow_id, COALESCE(run_id, run_key), user_name, ts_epoch, tags, system_tags, last_heartbeat_ts, run_key"
    " FROM runs AS r"
)
STEP = (
    "SELECT r.flow_id, COALESCE(r.run_id, r.run_key), s.step_name, s.user_name, s.ts_epoch, r.tags, r.system_tags, s.step_key"
    " FROM steps AS s JOIN runs AS r USING (run_key)"
)
TASK = (
    "SELECT r.flow_id, COALESCE(r.run_id, r.run_key), s.step_name, COALESCE(t.task_id, t.task_key), t.user_name, t.ts_epoch,"
    " r.tags, r.system_tags, t.last_heartbeat_ts, t.task_key"
    " FROM tasks AS t JOIN steps AS s USING (step_key) JOIN runs AS r USING (run_key)"
)
ARTIFACT = (
    "SELECT a.name, a.location, a.ds_type, a.sha, a.type, a.content_type, a.attempt_id, a.user_name, a.ts_epoch,"
    " r.tags, r.system_tags"
    " FROM artifacts AS a JOIN tasks AS t USING (task_key) JOIN steps AS s USING (step_key) JOIN runs AS r USING (run_key)"
)
METADATUM = (
    "SELECT r.flow_id, COALESCE(r.run_id, r.run_key), s.step_name, COALESCE(t.task_id, t.task_key), m.id, m.field_name, m.value,"
    " m.type, m.user_name, m.ts_epoch, m.tags, m.system_tags"
    " FROM metadata AS m JOIN tasks AS t USING (task_key) JOIN steps AS s USING (step_key) JOIN runs AS r USING (run_key)"
)


@functools.lru_cache(maxsize=1024)
def encode_tags(tags: Tags) -> str | None:
    """Tags as JSON text, so that a tag's own JSON text is a part of it."""
    return None if tags is None else json.dumps(tags, ensure_ascii=False)


def encode_tag(tag: str) -> str:
    """A tag's JSON text, as it stands in that of its list."""
    return json.dumps(tag, ensure_ascii=False)


@functools.lru_cache(maxsize=1024)
def decode_tags(text: str | None) -> Tags:
    """The tags of JSON text."""
    return None if text is None else tuple(json.loads(text))


def flow_of(row: Row) -> Flow:
    """A row of `FLOW`."""
    return Flow(
        flow_id=row[0], user_name=row[1], ts_epoch=row[2], tags=decode_tags(row[3]), system_tags=decode_tags(row[4])
    )


def run_of(row: Row, status: str | None = None) -> Run:
    """A row of `RUN`."""
    system_tags = decode_tags(row[5])
    return Run(
        flow_id=row[0],
        run_id=row[1],
        user_name=row[2],
        ts_epoch=row[3],
        tags=decode_tags(row[4]),
        system_tags=system_tags,
        last_heartbeat_ts=row[6],
        user=verified_user(row[2], system_tags),
        status=status,
    )


def step_of(row: Row) -> Step:
    """A row of `STEP`."""
    return Step(
        flow_id=row[0],
        run_id=row[1],
        step_name=row[2],
        user_name=row[3],
        ts_epoch=row[4],
        tags=decode_tags(row[5]),
        system_tags=decode_tags(row[6]),
    )


def task_of(row: Row) -> Task:
    """A row of `TASK`."""
    return Task(
        flow_id=row[0],
        run_id=row[1],
        step_name=row[2],
        task_id=row[3],
        user_name=row[4],
        ts_epoch=row[5],
        tags=decode_tags(row[6]),
        system_tags=decode_tags(row[7]),
        last_heartbeat_ts=row[8],
    )


def artifact_of(row: Row, flow: str, run: Id, step: str, task: Id) -> Artifact:
    """A row of `ARTIFACT`, of a known task."""
    return Artifact(
        name=row[0],
        location=row[1],
        ds_type=row[2],
        sha=row[3],
        type=row[4],
        content_type=row[5],
        attempt_id=row[6],
        flow_id=flow,
        run_id=run,
        step_name=step,
        task_id=task,
        user_name=row[7],
        ts_epoch=row[8],
        tags=decode_tags(row[9]),
        system_tags=decode_tags(row[10]),
    )


def metadatum_of(row: Row) -> Metadatum:
    """A row of `METADATUM`."""
    return Metadatum(
        flow_id=row[0],
        run_id=row[1],
        step_name=row[2],
        task_id=row[3],
        id=row[4],
        field_name=row[5],
        value=row[6],
        type=row[7],
        user_name=row[8],
        ts_epoch=row[9],
        tags=decode_tags(row[10]),
        system_tags=decode_tags(row[11]),
    )
