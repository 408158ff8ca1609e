"""Bulk registration: many steps, tasks, artifacts and metadata of a run in one request, all or nothing."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from support import Api

BATCH: dict[str, Any] = {
    "steps": [{"step_name": "train"}, {"step_name": "end", "user_name": "ann"}],
    "tasks": [{"step_name": "train", "task_id": f"t{i}", "user_name": "ann"} for i in range(3)],
    "artifacts": [
        {"step_name": "train", "task_id": f"t{i}", "name": name, "sha": name} for i in range(3) for name in ("x", "y")
    ],
    "metadata": [
        {"step_name": "train", "task_id": "t0", "field_name": "f", "value": "v", "type": "t", "tags": ["attempt_id:0"]},
        {"step_name": "train", "task_id": "t1", "field_name": "f", "value": "v", "type": "t"},
        {"step_name": "train", "task_id": "t1", "field_name": "f", "value": "v", "type": "t"},
    ],
}
COUNTS = {"steps_created": 2, "tasks_created": 3, "artifacts_created": 6, "metadata_created": 3}


def everything(api: Api, run: str) -> Any:
    listings = [api.get(f"{run}/{kind}").body for kind in ("steps", "steps/train/tasks", "artifacts", "metadata")]
    return [sorted(map(json.dumps, listing)) for listing in listings]


def test_what_a_batch_holds_is_there_as_if_registered_one_by_one(api: Api, run: str) -> None:
    assert api.made(f"{run}/bulk", BATCH) == COUNTS
    assert {step["step_name"] for step in api.get(f"{run}/steps").body} == {"train", "end"}
    task = api.get(f"{run}/steps/train/tasks/t1").body
    assert (task["task_id"], task["user_name"]) == ("t1", "ann")
    assert task["last_heartbeat_ts"] is not None
    assert [row["sha"] for row in api.get(f"{run}/steps/train/tasks/t2/artifacts").body] == ["x", "y"]
    assert api.get(f"{run}/steps/train/tasks/t0/metadata").body[0]["tags"] == ["attempt_id:0"]
    assert len(api.get(f"{run}/steps/train/tasks/t1/metadata").body) == 2


def test_metadata_keep_their_order(api: Api, run: str) -> None:
    api.made(f"{run}/bulk", {**BATCH, "metadata": []})
    rows = [{"step_name": "train", "task_id": f"t{i % 3}", "field_name": "f", "value": str(i)} for i in range(30)]
    api.made(f"{run}/bulk", {"metadata": rows})
    assert [row["value"] for row in api.get(f"{run}/metadata").body] == [str(i) for i in reversed(range(30))]


def test_what_exists_stays_as_it_is(api: Api, run: str) -> None:
    api.made(f"{run}/bulk", BATCH)
    before = everything(api, run)
    again = {
        "steps": [{"step_name": "train", "user_name": "other"}],
        "tasks": [{"step_name": "train", "task_id": "t0", "user_name": "other"}],
        "artifacts": [{"step_name": "train", "task_id": "t0", "name": "x", "sha": "other"}],
    }
    assert set(api.made(f"{run}/bulk", again).values()) == {0}
    assert everything(api, run) == before


def test_a_batch_whose_answer_was_lost_may_be_sent_again(api: Api, run: str) -> None:
    api.made(f"{run}/bulk", BATCH)
    before = everything(api, run)
    assert set(api.made(f"{run}/bulk", {**BATCH, "again": True}).values()) == {0}
    assert everything(api, run) == before
    more = {**BATCH, "metadata": [*BATCH["metadata"], BATCH["metadata"][0]], "again": True}
    assert api.made(f"{run}/bulk", more)["metadata_created"] == 1
    assert api.made(f"{run}/bulk", BATCH)["metadata_created"] == 3


def test_rows_find_tasks_that_the_service_numbered(api: Api, run: str, task: str) -> None:
    number = int(task.rpartition("/")[2])
    for task_id in (number, str(number)):
        rows = [{"step_name": "start", "task_id": task_id, "name": f"x{type(task_id).__name__}"}]
        assert api.made(f"{run}/bulk", {"artifacts": rows})["artifacts_created"] == 1
    assert len(api.get(f"{task}/artifacts").body) == 2


def test_an_empty_batch_is_fine(api: Api, run: str) -> None:
    assert set(api.made(f"{run}/bulk", {}).values()) == {0}


def test_a_runs_own_name_works_too(api: Api, flow: str) -> None:
    api.made(f"{flow}/run", {"run_number": "named"})
    assert api.made(f"{flow}/runs/named/bulk", BATCH) == COUNTS


@pytest.mark.parametrize(
    ("body", "missing"),
    [
        ({"tasks": [{"step_name": "nowhere", "task_id": "t0"}]}, "step 'nowhere'"),
        ({"artifacts": [{"step_name": "train", "task_id": "t9", "name": "x"}]}, "task 't9' of step 'train'"),
        ({"metadata": [{"step_name": "end", "task_id": "t0"}]}, "task 't0' of step 'end'"),
        ({"metadata": [{"step_name": "train", "task_id": 999999999}]}, "task 999999999 of step 'train'"),
    ],
)
def test_what_nothing_belongs_to_is_named_and_nothing_is_kept(api: Api, run: str, body: Any, missing: str) -> None:
    api.made(f"{run}/bulk", BATCH)
    before = everything(api, run)
    answer = api.post(f"{run}/bulk", {**body, "steps": [{"step_name": "new"}]})
    assert answer.status == 404
    assert missing in json.loads(answer.body)["err_msg"]["diag"]["message_primary"]
    assert everything(api, run) == before


def test_a_missing_run_is_told_apart_from_a_service_without_this_route(api: Api, flow: str) -> None:
    answer = api.post(f"{flow}/runs/999999999/bulk", BATCH)
    assert (answer.status, answer.headers["Content-Type"]) == (404, "application/json")
    assert json.loads(answer.body)["err_msg"]["pgcode"] == "23503"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "must be a JSON object"),
        ({"runs": []}, "not known: runs"),
        ({"tasks": {}}, "tasks must be a list"),
        ({"steps": [{"step_name": "a"}, 5]}, "steps[1]: the body must be a JSON object"),
        ({"steps": [{}]}, "steps[0]: step_name must be a string"),
        ({"tasks": [{"step_name": "train"}]}, "tasks[0]: task_id is missing"),
        ({"tasks": [{"step_name": "train", "task_id": "12"}]}, "tasks[0]: provided task_name may not be a numeric"),
        (
            {"artifacts": [{"step_name": "train", "task_id": "t0", "attempt_id": -1}]},
            "artifacts[0]: attempt_id must be",
        ),
        ({"metadata": [{"step_name": "train", "task_id": "t0", "value": None}]}, "metadata[0]: value must be a string"),
        ({"metadata": [{"step_name": "train", "task_id": "a\0"}]}, "metadata[0]: task_id holds a character"),
        ({"again": "yes"}, "again must be true or false"),
    ],
)
def test_refusals_name_the_row(api: Api, run: str, body: Any, message: str) -> None:
    answer = api.post(f"{run}/bulk", body)
    assert answer.status == 400
    assert message in answer.body["message"]


def test_batches_that_overlap_may_come_at_once(app: Flask, run: str) -> None:
    tasks = [{"step_name": "train", "task_id": f"t{i}"} for i in range(50)]

    def send(number: int) -> tuple[int, int]:
        mine = tasks[number * 5 :] + tasks[: number * 5]
        answer = Api(app.test_client()).post(f"{run}/bulk", {"steps": [{"step_name": "train"}], "tasks": mine})
        return answer.status, answer.body["tasks_created"]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(send, range(8)))
    assert {status for status, _ in found} == {200}
    assert sum(created for _, created in found) == 50
