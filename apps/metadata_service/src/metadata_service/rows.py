"""From the database's rows to wire records, and to the keys that pages are cut by.

The order of columns is that of the column lists in `sql`.
"""

from __future__ import annotations

from typing import Any

from meta_client.records import Artifact, Flow, Metadatum, Run, Step, Task, verified_user

from metadata_service.paging import Key

Row = tuple[Any, ...]


def flow(row: Row) -> Flow:
    """A flow."""
    flow_id, user_name, ts_epoch, tags, system_tags = row
    return Flow(flow_id=flow_id, user_name=user_name, ts_epoch=ts_epoch, tags=tags, system_tags=system_tags)


def flow_keys(row: Row) -> tuple[Key, ...]:
    """Its sort keys."""
    return row[2], row[0]


def run(row: Row) -> Run:
    """A run, with its status if that was selected."""
    flow_id, run_number, run_name, user_name, ts_epoch, tags, system_tags, heartbeat, *status = row
    return Run(
        flow_id=flow_id,
        run_id=run_name or run_number,
        user_name=user_name,
        ts_epoch=ts_epoch,
        tags=tags,
        system_tags=system_tags,
        last_heartbeat_ts=heartbeat,
        user=verified_user(user_name, system_tags),
        status=status[0] if status else None,
    )


def run_keys(row: Row) -> tuple[Key, ...]:
    """Its sort keys."""
    return row[4], row[1]


def step(row: Row) -> Step:
    """A step, with the tags of its run; its run's number is always a string."""
    flow_id, run_number, run_name, tags, system_tags, step_name, user_name, ts_epoch = row
    return Step(
        flow_id=flow_id,
        run_id=run_name or run_number,
        step_name=step_name,
        user_name=user_name,
        ts_epoch=ts_epoch,
        tags=tags,
        system_tags=system_tags,
    )


def task(row: Row) -> Task:
    """A task, with the tags of its run."""
    (
        flow_id,
        run_number,
        run_name,
        tags,
        system_tags,
        step_name,
        task_number,
        task_name,
        user_name,
        ts_epoch,
        heartbeat,
    ) = row
    return Task(
        flow_id=flow_id,
        run_id=run_name or run_number,
        step_name=step_name,
        task_id=task_name or task_number,
        user_name=user_name,
        ts_epoch=ts_epoch,
        tags=tags,
        system_tags=system_tags,
        last_heartbeat_ts=heartbeat,
    )


def task_keys(row: Row) -> tuple[Key, ...]:
    """Its sort keys."""
    return row[9], row[6]


def pathspec(row: Row) -> str:
    """``flow/run/step/task`` of a task."""
    flow_id, run_number, run_name, step_name, task_number, task_name = row
    return f"{flow_id}/{run_name or run_number}/{step_name}/{task_name or task_number}"


def metadatum(row: Row) -> Metadatum:
    """A metadata row, with its own tags."""
    flow_id, run_number, run_name, step_name, task_number, task_name, *own = row
    id_, field_name, value, type_, user_name, ts_epoch, tags, system_tags = own
    return Metadatum(
        id=id_,
        flow_id=flow_id,
        run_id=run_name or run_number,
        step_name=step_name,
        task_id=task_name or task_number,
        field_name=field_name,
        value=value,
        type=type_,
        user_name=user_name,
        ts_epoch=ts_epoch,
        tags=tags,
        system_tags=system_tags,
    )


def metadatum_keys(row: Row) -> tuple[Key, ...]:
    """Its sort keys."""
    return row[11], row[6]


def artifact(row: Row) -> Artifact:
    """An artifact pointer, with the tags of its run."""
    flow_id, run_number, run_name, step_name, task_number, task_name, tags, system_tags, *own = row
    name, location, ds_type, sha, type_, content_type, attempt_id, user_name, ts_epoch = own
    return Artifact(
        flow_id=flow_id,
        run_id=run_name or run_number,
        step_name=step_name,
        task_id=task_name or task_number,
        name=name,
        location=location,
        ds_type=ds_type,
        sha=sha,
        type=type_,
        content_type=content_type,
        user_name=user_name,
        attempt_id=attempt_id,
        ts_epoch=ts_epoch,
        tags=tags,
        system_tags=system_tags,
    )


def artifact_keys(row: Row) -> tuple[Key, ...]:
    """Its sort keys."""
    return row[16], row[4], row[8]
