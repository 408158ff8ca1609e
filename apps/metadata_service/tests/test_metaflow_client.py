"""What an unmodified Metaflow client sends in the course of a run, in its order, and the answers that it relies on.

Its habits, which the service must bear: bodies repeat what the path says (a run's number as text, a task's first as a number,
then as text) and carry times of the client's own; a GET comes before each creation; heartbeats have a body but no content
type; answers of heartbeats are decoded twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from support import Answer, Api

SYSTEM_TAGS = ["metaflow_version:2.19.39", "runtime:dev", "python_version:3.11.7", "user:ann"]


@attrs.define
class MetaflowClient:
    """Sends as Metaflow 2.19 does."""

    api: Api
    flow: str
    tags: list[str]
    run: int = 0

    def common(self, **path: Any) -> dict[str, Any]:
        return {
            **path,
            "flow_id": self.flow,
            "user_name": "ann",
            "tags": self.tags,
            "system_tags": SYSTEM_TAGS,
            "ts_epoch": 1_700_000_000_000,
        }

    def get_or_make(self, path: str, make: str, body: Any) -> Any:
        found = self.api.get(path)
        return found.body if found.status == 200 else self.api.made(make, body)

    def start_run(self) -> Any:
        path = f"/flows/{self.flow}"
        self.get_or_make(path, path, {"flow_id": self.flow, "ts_epoch": 1_700_000_000_000})
        made = self.api.made(f"{path}/run", self.common())
        self.run = made["run_number"]
        return made

    @property
    def run_path(self) -> str:
        return f"/flows/{self.flow}/runs/{self.run}"

    def start_task(self, step: str) -> Any:
        path, body = f"{self.run_path}/steps/{step}", self.common(run_number=str(self.run), step_name=step)
        self.get_or_make(path, f"{path}/step", body)
        task = self.api.made(f"{path}/task", body)
        self.note(task, task["task_id"], runtime="dev", ds_type="local", python_version="3.11.7", user="ann")
        return task

    def task_path(self, task: Any) -> str:
        return f"{self.run_path}/steps/{task['step_name']}/tasks/{task['task_id']}"

    def note(self, task: Any, task_id: Any, **metadata: str) -> None:
        rows = [
            {
                "flow_id": self.flow, "run_number": str(self.run), "step_name": task["step_name"], "task_id": task_id,
                "field_name": name, "type": name, "value": value, "tags": ["attempt_id:0"], "user_name": "ann",
                "ts_epoch": 1_700_000_000_000,
            }
            for name, value in metadata.items()
        ]  # fmt: skip
        assert self.api.made(f"{self.task_path(task)}/metadata", rows) == {"metadata_created": len(rows)}

    def finish_task(self, task: Any, *names: str) -> None:
        rows = [
            {
                "flow_id": self.flow, "run_number": str(self.run), "step_name": task["step_name"],
                "task_id": str(task["task_id"]), "attempt_id": 0, "name": name, "content_type": "pickle-v4",
                "type": "metaflow.artifact", "sha": "0" * 40, "ds_type": "local", "location": ":root:/data/.metaflow",
                "user_name": "ann", "ts_epoch": 1_700_000_000_000, "tags": self.tags, "system_tags": SYSTEM_TAGS,
            }
            for name in names
        ]  # fmt: skip
        assert self.api.made(f"{self.task_path(task)}/artifact", rows) == {"artifacts_created": len(rows)}
        self.note(task, str(task["task_id"]), attempt_ok="True")

    def beat(self, path: str) -> Answer:
        return self.api.send("POST", f"{path}/heartbeat", data=b"{}")


@pytest.fixture
def client(api: Api, request: pytest.FixtureRequest) -> MetaflowClient:
    return MetaflowClient(api, f"Metaflow{abs(hash(request.node.name))}", ["mytag", "second"])


def test_a_run_from_start_to_end(client: MetaflowClient) -> None:
    run = client.start_run()
    assert isinstance(run["run_number"], int)
    assert run["tags"] == ["mytag", "second"]
    assert run["system_tags"] == SYSTEM_TAGS
    assert run["ts_epoch"] > 1_700_000_000_000
    assert run["last_heartbeat_ts"] is not None
    for step, artifacts in (
        ("_parameters", ["name", "alpha"]),
        ("start", ["x", "name"]),
        ("end", ["x", "result", "name"]),
    ):
        task = client.start_task(step)
        assert (task["run_number"], task["step_name"]) == (run["run_number"], step)
        assert isinstance(task["task_id"], int)
        assert client.api.get("/ping").headers["METADATA_SERVICE_VERSION"] >= "2.3.0"
        for path in (client.task_path(task), client.run_path):
            beat = client.beat(path)
            assert beat.status == 200
            assert json.loads(beat.body)["wait_time_in_seconds"] == 10
        client.finish_task(task, *artifacts)
    assert [found["status"] for found in client.api.get(f"/flows/{client.flow}/runs", status="completed").body] == [
        "completed"
    ]


def test_a_foreach_finds_its_step_already_there(client: MetaflowClient) -> None:
    client.start_run()
    tasks = [client.start_task("train") for _ in range(3)]
    assert len({task["task_id"] for task in tasks}) == 3
    assert len(client.api.get(f"{client.run_path}/steps").body) == 1
    assert [task["task_id"] for task in client.api.get(f"{client.run_path}/steps/train/tasks").body] == [
        task["task_id"] for task in reversed(tasks)
    ]


def test_browsing_reads_back_what_a_run_left(client: MetaflowClient) -> None:
    client.start_run()
    task = client.start_task("start")
    client.finish_task(task, "x", "name")
    path = client.task_path(task)
    get: Callable[[str], Any] = lambda below: client.api.get(below).body  # noqa: E731
    assert client.flow in [flow["flow_id"] for flow in get("/flows")]
    assert [run["run_number"] for run in get(f"/flows/{client.flow}/runs")] == [client.run]
    assert get(client.run_path)["user"] == "ann"
    assert sorted(artifact["name"] for artifact in get(f"{path}/artifacts")) == ["name", "x"]
    assert get(f"{path}/artifacts/x")["attempt_id"] == 0
    assert get(f"{path}/artifacts/x/attempt/0") == get(f"{path}/artifacts/x")
    assert len(get(f"{path}/attempt/0/artifacts")) == 2
    newest = get(f"{path}/metadata")[0]
    assert (newest["field_name"], newest["value"], newest["tags"]) == ("attempt_ok", "True", ["attempt_id:0"])
    pathspec = f"{client.flow}/{client.run}/start/{task['task_id']}"
    assert get(f"{client.run_path}/steps/start/filtered_tasks?") == [pathspec]


def test_resuming_registers_ids_that_exist_and_goes_on(client: MetaflowClient) -> None:
    """A conflict is no failure to the client: it reads what is there."""
    client.start_run()
    path = f"{client.run_path}/steps/start"
    body = client.common(run_number=str(client.run), step_name="start")
    client.api.made(f"{path}/step", body)
    assert client.api.post(f"{path}/step", body).status == 409
    assert client.api.get(path).status == 200


def test_tagging_sends_what_it_knows(client: MetaflowClient) -> None:
    client.start_run()
    answer = client.api.patch(f"{client.run_path}/tag/mutate", {"tags_to_add": ["good"], "tags_to_remove": ["second"]})
    assert sorted(answer.body["tags"]) == ["good", "mytag"]
    refused = client.api.patch(f"{client.run_path}/tag/mutate", {"tags_to_add": [], "tags_to_remove": ["user:ann"]})
    assert refused.status == 422


@pytest.mark.parametrize("version", ["2.2.13", "2.5.4", "2.12.39"])
def test_older_clients_send_less(api: Api, version: str) -> None:
    """They know neither attempts nor `filtered_tasks`, and list artifacts and metadata of a task only."""
    flow = f"Old{version.replace('.', '_')}"
    api.made(f"/flows/{flow}", {"flow_id": flow, "ts_epoch": 1})
    run = api.made(
        f"/flows/{flow}/run", {"user_name": "ann", "tags": [], "system_tags": [f"metaflow_version:{version}"]}
    )
    assert run["last_heartbeat_ts"] is not None
    step = f"/flows/{flow}/runs/{run['run_number']}/steps/start"
    api.made(f"{step}/step", {"step_name": "start"})
    task = api.made(f"{step}/task", {"step_name": "start"})
    path = f"{step}/tasks/{task['task_id']}"
    assert api.made(f"{path}/artifact", [{"name": "x", "sha": "ab"}]) == {"artifacts_created": 1}
    assert [artifact["attempt_id"] for artifact in api.get(f"{path}/artifacts").body] == [0]
