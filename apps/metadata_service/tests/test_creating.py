"""Flows, runs, steps and tasks: how they are registered, named and read back."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from support import Answer, Api

TAGS = {"tags": ["nightly", "nightly"], "system_tags": ["runtime:dev", "user:ann"]}


def now_ms() -> float:
    return time.time() * 1000


def error_of(answer: Answer) -> Any:
    """A database's error goes out as JSON inside a JSON string."""
    assert isinstance(answer.body, str)
    return json.loads(answer.body)["err_msg"]


def test_a_flow_answers_with_every_key(api: Api) -> None:
    made = api.made("/flows/EveryKey", {"user_name": "ann", **TAGS})
    assert abs(made.pop("ts_epoch") - now_ms()) < 60_000
    assert made == {"flow_id": "EveryKey", "user_name": "ann", **TAGS}


def test_a_run_is_numbered_by_the_service(api: Api, flow: str) -> None:
    made = api.made(f"{flow}/run", {"user_name": "ann", "flow_id": "ignored", "ts_epoch": 1, **TAGS})
    assert set(made) >= {"flow_id", "run_number", "user_name", "ts_epoch", "tags", "system_tags", "last_heartbeat_ts"}
    assert isinstance(made["run_number"], int)
    assert made["flow_id"] == flow.removeprefix("/flows/")
    assert abs(made["ts_epoch"] - now_ms()) < 60_000
    assert api.get(f"{flow}/runs/{made['run_number']}").body == made


def test_a_run_names_its_user_where_its_system_tags_vouch_for_it(api: Api, flow: str) -> None:
    for system_tags, expected in ((["user:ann"], "ann"), (["user:bob"], None), (None, None)):
        number = api.made(f"{flow}/run", {"user_name": "ann", "system_tags": system_tags})["run_number"]
        assert api.get(f"{flow}/runs/{number}").body.get("user") == expected


def test_what_is_not_given_is_null(api: Api, flow: str) -> None:
    made = api.made(f"{flow}/run")
    assert (made["user_name"], made["tags"], made["system_tags"]) == (None, None, None)


def test_a_steps_run_number_is_a_string(api: Api, run: str) -> None:
    made = api.made(f"{run}/steps/start/step", {"user_name": "ann"})
    assert made["run_number"] == run.rpartition("/")[2]
    assert set(made) == {"flow_id", "run_number", "step_name", "user_name", "ts_epoch", "tags", "system_tags"}
    assert api.get(f"{run}/steps/start").body == made


def test_a_task_is_numbered_by_the_service(api: Api, step: str) -> None:
    made = api.made(f"{step}/task", {"user_name": "ann"})
    assert isinstance(made["task_id"], int)
    assert isinstance(made["run_number"], int)
    assert made["step_name"] == "start"
    assert api.get(f"{step}/tasks/{made['task_id']}").body == made


def test_names_that_clients_give_take_the_place_of_numbers(api: Api, flow: str) -> None:
    assert api.made(f"{flow}/run", {"run_number": "sfn-1"})["run_number"] == "sfn-1"
    run = f"{flow}/runs/sfn-1"
    assert api.made(f"{run}/steps/start/step")["run_number"] == "sfn-1"
    task = api.made(f"{run}/steps/start/task", {"task_id": "t3-1"})
    assert (task["run_number"], task["task_id"]) == ("sfn-1", "t3-1")
    assert api.get(f"{run}/steps/start/tasks/t3-1").body == task


def test_a_named_run_is_not_found_by_its_number(api: Api, flow: str) -> None:
    before = api.made(f"{flow}/run")["run_number"]
    api.made(f"{flow}/run", {"run_number": "named"})
    after = api.made(f"{flow}/run")["run_number"]
    assert after - before == 2
    # the number in between is the named run's: it finds it, and answers with the name
    assert api.get(f"{flow}/runs/{before + 1}").body["run_number"] == "named"


@pytest.mark.parametrize("number", ["7", 7, "\u0663", 1.5, True])
@pytest.mark.parametrize(("kind", "field"), [("run", "run_number"), ("task", "task_id")])
def test_numbers_are_the_services_to_give(api: Api, flow: str, step: str, kind: str, field: str, number: Any) -> None:
    path = f"{flow}/run" if kind == "run" else f"{step}/task"
    answer = api.post(path, {field: number})
    assert answer.status == 400
    assert "may not be a numeric" in answer.body["message"]


def test_what_exists_already_is_a_conflict(api: Api, flow: str, run: str, step: str) -> None:
    api.made(f"{flow}/run", {"run_number": "named"})
    api.made(f"{step}/task", {"task_id": "t0"})
    again = {
        flow: {},
        f"{flow}/run": {"run_number": "named"},
        f"{step}/step": {},
        f"{step}/task": {"task_id": "t0"},
    }
    for path, body in again.items():
        answer = api.post(path, body)
        assert answer.status == 409, path
        assert error_of(answer)["pgcode"] == "23505"
        assert error_of(answer)["diag"]["severity"] == "ERROR"
        assert "exists already" in error_of(answer)["diag"]["message_primary"]


def test_a_conflict_changes_nothing(api: Api, run: str, step: str) -> None:
    before = api.get(step).body
    api.post(f"{step}/step", {"user_name": "another"})
    assert api.get(step).body == before


@pytest.mark.parametrize(
    "path", ["/flows/Nowhere/run", "{flow}/runs/999999999/steps/start/step", "{run}/steps/nowhere/task"]
)
def test_a_missing_parent_is_not_found(api: Api, flow: str, run: str, path: str) -> None:
    answer = api.post(path.format(flow=flow, run=run))
    assert answer.status == 404
    assert error_of(answer)["pgcode"] == "23503"


MISSING = [
    "/flows/Nowhere",
    "{flow}/runs/999999999",
    "{flow}/runs/no-such-name",
    "{flow}/runs/99999999999999999999999999",
    "{flow}/runs/\u00bd",
    "{run}/steps/nowhere",
    "{run}/steps/start/tasks/999999999",
    "{run}/steps/start/tasks/t0",
    "{task}/artifacts/nothing",
    "{task}/artifacts/nothing/attempt/0",
]
MISSING_LISTS = [
    "/flows/Nowhere/runs",
    "{flow}/runs/999999999/steps",
    "{flow}/runs/999999999/metadata",
    "{flow}/runs/999999999/artifacts",
    "{run}/steps/nowhere/tasks",
    "{run}/steps/nowhere/artifacts",
    "{run}/steps/nowhere/filtered_tasks",
    "{run}/steps/start/tasks/t0/metadata",
    "{run}/steps/start/tasks/t0/artifacts",
    "{run}/steps/start/tasks/t0/attempt/0/artifacts",
]


@pytest.mark.parametrize("path", MISSING)
def test_one_missing_object_is_an_empty_404(api: Api, flow: str, run: str, task: str, path: str) -> None:
    answer = api.get(path.format(flow=flow, run=run, task=task))
    assert (answer.status, answer.body) == (404, {})


@pytest.mark.parametrize("path", MISSING_LISTS)
def test_the_objects_of_a_missing_parent_are_none(api: Api, flow: str, run: str, path: str) -> None:
    answer = api.get(path.format(flow=flow, run=run))
    assert (answer.status, answer.body) == (200, [])


def test_everything_below_a_run_answers_with_the_runs_tags(api: Api, flow: str) -> None:
    run = f"{flow}/runs/{api.made(f'{flow}/run', TAGS)['run_number']}"
    of_its_own = {"tags": ["other"], "system_tags": ["other"]}
    step = api.made(f"{run}/steps/start/step", of_its_own)
    task = api.made(f"{run}/steps/start/task", of_its_own)
    path = f"{run}/steps/start/tasks/{task['task_id']}"
    api.made(f"{path}/artifact", [{"name": "x", **of_its_own}])
    for record in (step, task, api.get(path).body, api.get(f"{path}/artifacts/x").body):
        assert {key: record[key] for key in TAGS} == TAGS
    api.patch(f"{run}/tag/mutate", {"tags_to_add": ["good"]})
    assert "good" in api.get(path).body["tags"]


def test_of_many_who_register_the_same_one_succeeds(app: Flask, flow: str) -> None:
    def register(_: int) -> int:
        return Api(app.test_client()).post(f"{flow}/run", {"run_number": "raced"}).status

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(register, range(16))) == [200, *[409] * 15]


def test_lists_are_newest_first(api: Api, flow: str, step: str) -> None:
    runs = [api.made(f"{flow}/run")["run_number"] for _ in range(3)]
    assert [run["run_number"] for run in api.get(f"{flow}/runs").body][:3] == runs[::-1]
    tasks = [api.made(f"{step}/task")["task_id"] for _ in range(3)]
    assert [task["task_id"] for task in api.get(f"{step}/tasks").body] == tasks[::-1]


def test_flows_and_steps_are_listed(api: Api, flow: str, run: str) -> None:
    assert flow.removeprefix("/flows/") in [each["flow_id"] for each in api.get("/flows").body]
    for name in ("start", "end"):
        api.made(f"{run}/steps/{name}/step")
    assert {step["step_name"] for step in api.get(f"{run}/steps", _limit=1).body} == {"start", "end"}
