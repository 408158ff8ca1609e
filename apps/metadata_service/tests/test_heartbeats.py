"""Heartbeats: who sends them, what they change, what they answer."""

from __future__ import annotations

import json
import time
from contextlib import closing
from typing import Any

import pytest
from metadata_service.heartbeats import sends_heartbeats
from metadata_service.pool import connect
from support import Api


def age(api: Api, path: str, database: str, seconds: int) -> None:
    """Let the last heartbeats of a run and its tasks have been some time ago."""
    number = int(path.split("/")[4])
    with closing(connect(database)) as connection, connection.cursor() as cursor:
        for table in ("runs", "tasks"):
            cursor.execute(
                f"UPDATE {table} SET last_heartbeat_ts = last_heartbeat_ts - %s WHERE run_number = %s",
                [seconds, number],
            )


def is_now(timestamp: Any) -> bool:
    return timestamp is not None and abs(time.time() - timestamp) < 60


@pytest.mark.parametrize("body", ["{}", "", "not JSON", "[1]"])
def test_the_answer_is_json_in_json_whatever_the_body(api: Api, run: str, task: str, body: str) -> None:
    for path in (run, task):
        answer = api.send("POST", f"{path}/heartbeat", data=body)
        assert answer.status == 200
        assert json.loads(answer.body) == {"wait_time_in_seconds": 10}


def test_a_missing_run_or_task_is_a_404_of_the_same_shape(api: Api, flow: str, step: str) -> None:
    for path in (f"{flow}/runs/999999999", f"{step}/tasks/t0"):
        answer = api.post(f"{path}/heartbeat")
        assert answer.status == 404
        assert json.loads(answer.body) == {"wait_time_in_seconds": 10}


def test_a_second_one_at_once_is_fine(api: Api, task: str) -> None:
    assert [api.post(f"{task}/heartbeat").status for _ in range(3)] == [200] * 3


def test_a_run_beats(api: Api, run: str, migrated: str) -> None:
    age(api, run, migrated, 1000)
    assert not is_now(api.get(run).body["last_heartbeat_ts"])
    api.post(f"{run}/heartbeat")
    assert is_now(api.get(run).body["last_heartbeat_ts"])


def test_a_task_beats_for_its_run_too(api: Api, run: str, task: str, migrated: str) -> None:
    age(api, run, migrated, 1000)
    api.post(f"{task}/heartbeat")
    assert is_now(api.get(task).body["last_heartbeat_ts"])
    assert is_now(api.get(run).body["last_heartbeat_ts"])


def test_a_new_task_beats_for_its_run(api: Api, run: str, step: str, migrated: str) -> None:
    age(api, run, migrated, 1000)
    api.made(f"{step}/task")
    assert is_now(api.get(run).body["last_heartbeat_ts"])


def test_a_client_without_heartbeats_starts_without_one(api: Api, flow: str) -> None:
    old = {"system_tags": ["metaflow_version:2.2.11"]}
    made = api.made(f"{flow}/run", old)
    assert made["last_heartbeat_ts"] is None
    run = f"{flow}/runs/{made['run_number']}"
    api.made(f"{run}/steps/start/step", old)
    assert api.made(f"{run}/steps/start/task", old)["last_heartbeat_ts"] is None
    assert api.get(run).body["last_heartbeat_ts"] is None


@pytest.mark.parametrize(
    ("system_tags", "expected"),
    [
        (None, True),
        ([], False),
        (["runtime:dev"], False),
        (["metaflow_version:2.2.12"], True),
        (["metaflow_version:2.2.11"], False),
        (["metaflow_version:2.19.39+extension(1)"], True),
        (["metaflow_version:1.14.0"], True),
        (["metaflow_version:1.13.9"], False),
        (["metaflow_version:2.0.0"], False),
        (["metaflow_version:unknown"], True),
        (["stepwell_version:0.1"], True),
    ],
)
def test_who_sends_heartbeats(system_tags: list[str] | None, expected: bool) -> None:
    assert sends_heartbeats(system_tags) is expected
