"""A service that behaves as the original one did before it had pages, kept in memory: its answers, warts included.

What is modelled is behaviour seen on the wire: JSON inside JSON strings, a heartbeat that is refused when it comes early,
failures where something is only missing, listings without order, a first heartbeat only from clients known to send them.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from http_servers import Reply, Request

Row = dict[str, Any]

_VERSION = {"METADATA_SERVICE_VERSION": "2.4.3"}
_BEAT_S = 10
_F = "/flows/([^/]+)"
_R = f"{_F}/runs/([^/]+)"
_S = f"{_R}/steps/([^/]+)"
_T = f"{_S}/tasks/([^/]+)"
_ROUTES = [
    ("GET", "/ping", "ping"),
    ("GET", "/flows", "list_flows"),
    ("GET", _F, "get_flow"),
    ("POST", _F, "add_flow"),
    ("GET", f"{_F}/runs", "list_runs"),
    ("POST", f"{_F}/run", "add_run"),
    ("GET", _R, "get_run"),
    ("POST", f"{_R}/heartbeat", "beat_run"),
    ("PATCH", f"{_R}/tag/mutate", "mutate_tags"),
    ("GET", f"{_R}/steps", "list_steps"),
    ("GET", f"{_R}/metadata", "list_metadata"),
    ("GET", _S, "get_step"),
    ("POST", f"{_S}/step", "add_step"),
    ("GET", f"{_S}/tasks", "list_tasks"),
    ("POST", f"{_S}/task", "add_task"),
    ("GET", _T, "get_task"),
    ("POST", f"{_T}/heartbeat", "beat_task"),
    ("GET", f"{_T}/metadata", "list_metadata"),
    ("POST", f"{_T}/metadata", "add_metadata"),
    ("POST", f"{_T}/artifact", "add_artifacts"),
    ("GET", f"{_T}/artifacts", "list_latest_artifacts"),
    ("GET", f"{_T}/attempt/([^/]+)/artifacts", "list_artifacts_of_attempt"),
]


class OriginalService:
    """The service, with the rows of each kind in the order in which they came."""

    def __init__(self) -> None:
        self.flows: list[Row] = []
        self.runs: list[Row] = []
        self.steps: list[Row] = []
        self.tasks: list[Row] = []
        self.metadata: list[Row] = []
        self.artifacts: list[Row] = []
        self._run_numbers, self._task_numbers, self._ids = itertools.count(1), itertools.count(1), itertools.count(1)
        self._lock = threading.Lock()

    def reply_to(self, request: Request) -> Reply:
        path = request.path.partition("?")[0]
        for method, pattern, name in _ROUTES:
            if method == request.method and (match := re.fullmatch(pattern, path)):
                arguments = [unquote(part) for part in match.groups()]
                sent = [] if method == "GET" or name.startswith("beat") else [request.body]
                with self._lock:
                    return getattr(self, name)(*arguments, *sent)
        if any(re.fullmatch(pattern, path) for _, pattern, _ in _ROUTES):
            return Reply(405, raw=b"405: Method Not Allowed")
        return Reply(404, raw=b"404: Not Found")

    def ping(self) -> Reply:
        return Reply(raw=b"pong", headers=_VERSION)

    # flows

    def list_flows(self) -> Reply:
        return Reply(body=self.flows)

    def get_flow(self, flow: str) -> Reply:
        return _one(row for row in self.flows if row["flow_id"] == flow)

    def add_flow(self, flow: str, body: Row) -> Reply:
        if self.get_flow(flow).status == 200:
            return _database_error(409, "23505")
        self.flows.append({"flow_id": flow, **_common(body)})
        return Reply(body=self.flows[-1])

    # runs

    def list_runs(self, flow: str) -> Reply:
        return Reply(body=[_shown_run(run) for run in self.runs if run["flow_id"] == flow])

    def add_run(self, flow: str, body: Row) -> Reply:
        name = body.get("run_number")
        if self.get_flow(flow).status == 404:
            return _database_error(404, "23503")
        if name is not None and self._runs(flow, name):
            return _database_error(409, "23505")
        beat = {"last_heartbeat_ts": _now_s() if _sends_heartbeats(body) else None}
        self.runs.append({"flow_id": flow, "number": next(self._run_numbers), "name": name, **_common(body), **beat})
        shown = _shown_run(self.runs[-1])
        shown.pop("user", None)
        return Reply(body=shown)

    def get_run(self, flow: str, run: str) -> Reply:
        if _is_no_integer(run, 2**31):
            return _database_error(500, "22003")
        return _one(map(_shown_run, self._runs(flow, run)))

    def beat_run(self, flow: str, run: str) -> Reply:
        return _beat(self._runs(flow, run))

    def mutate_tags(self, flow: str, run: str, body: Row) -> Reply:
        found = self._runs(flow, run)
        if not found:
            return Reply(404, body={})
        removed, system = set(body["tags_to_remove"]), set(found[0]["system_tags"])
        if removed & system:
            return Reply(422, body=f"Cannot remove tags that are existing system tags {removed & system}")
        found[0]["tags"] = list({*found[0]["tags"]} - removed | {*body["tags_to_add"]} - system)
        return Reply(body={"tags": found[0]["tags"]})

    # steps

    def list_steps(self, flow: str, run: str) -> Reply:
        return Reply(body=[self._shown_step(step) for step in self._steps(flow, run)])

    def get_step(self, flow: str, run: str, step: str) -> Reply:
        return _one(map(self._shown_step, self._steps(flow, run, step)))

    def add_step(self, flow: str, run: str, step: str, body: Row) -> Reply:
        runs = self._runs(flow, run)
        if not runs:
            return _failure("'run_number'")
        if self._steps(flow, run, step):
            return _database_error(409, "23505")
        self.steps.append({"run": runs[0], "step_name": step, **_common(body)})
        return Reply(body=self._shown_step(self.steps[-1]))

    # tasks

    def list_tasks(self, flow: str, run: str, step: str) -> Reply:
        return Reply(body=[_shown_task(task) for task in self._tasks(flow, run, step)])

    def get_task(self, flow: str, run: str, step: str, task: str) -> Reply:
        if _is_no_integer(task, 2**63) or _is_no_integer(run, 2**31):
            return _database_error(500, "22P02")
        return _one(map(_shown_task, self._tasks(flow, run, step, task)))

    def add_task(self, flow: str, run: str, step: str, body: Row) -> Reply:
        runs, name = self._runs(flow, run), body.get("task_id")
        if not runs:
            return _failure("'run_number'")
        if not self._steps(flow, run, step):
            return _database_error(404, "23503")
        if name is not None and self._tasks(flow, run, step, name):
            return _database_error(409, "23505")
        number = next(self._task_numbers)
        beat = {"last_heartbeat_ts": _now_s()}
        runs[0].update(beat)
        self.tasks.append({"run": runs[0], "step_name": step, "number": number, "name": name, **_common(body), **beat})
        return Reply(body=_shown_task(self.tasks[-1]))

    def beat_task(self, flow: str, run: str, step: str, task: str) -> Reply:
        tasks = self._tasks(flow, run, step, task)
        if tasks:
            _beat(self._runs(flow, run))
        return _beat(tasks)

    # metadata and artifacts

    def list_metadata(self, flow: str, run: str, *rest: str) -> Reply:
        found = [row for row in self.metadata if row["task"] in self._tasks(flow, run, *rest)]
        shown = ("id", "field_name", "value", "type", "user_name", "ts_epoch", "tags", "system_tags")
        return Reply(body=[{**_path(row["task"]), **{key: row[key] for key in shown}} for row in found])

    def add_metadata(self, flow: str, run: str, step: str, task: str, body: list[Row]) -> Reply:
        tasks = self._tasks(flow, run, step, task)
        if not tasks:
            return Reply(400, body={"message": "need to register run_id and task_id first"})
        for row in body:
            described = {key: row.get(key, " ") for key in ("field_name", "value", "type")}
            self.metadata.append({"task": tasks[0], "id": next(self._ids), **described, **_common(row)})
        return Reply(body={"metadata_created": len(body)})

    def add_artifacts(self, flow: str, run: str, step: str, task: str, body: list[Row]) -> Reply:
        tasks, created = self._tasks(flow, run, step, task), 0
        if not tasks:
            return Reply(400, body={"message": "need to register run_id and task_id first"})
        for row in body:
            described = {
                key: row.get(key, " ") for key in ("name", "location", "ds_type", "sha", "type", "content_type")
            }
            new = {"task": tasks[0], "attempt_id": row.get("attempt_id", 0), **described}
            if all(any(old[key] != new[key] for key in ("task", "attempt_id", "name")) for old in self.artifacts):
                self.artifacts.append({**new, **_common(row)})
                created += 1
        return Reply(body={"artifacts_created": created})

    def list_latest_artifacts(self, flow: str, run: str, step: str, task: str) -> Reply:
        attempts = [row["attempt_id"] for row in self._artifacts(flow, run, step, task)]
        return self.list_artifacts_of_attempt(flow, run, step, task, str(max(attempts, default=0)))

    def list_artifacts_of_attempt(self, flow: str, run: str, step: str, task: str, attempt: str) -> Reply:
        found = [row for row in self._artifacts(flow, run, step, task) if row["attempt_id"] == int(attempt)]
        return Reply(body=[_shown_artifact(row) for row in found])

    # how

    def _runs(self, flow: str, run: str) -> list[Row]:
        return [row for row in self.runs if row["flow_id"] == flow and _is_called(row, run)]

    def _steps(self, flow: str, run: str, *name: str) -> list[Row]:
        runs = self._runs(flow, run)
        return [row for row in self.steps if row["run"] in runs and name in ((), (row["step_name"],))]

    def _tasks(self, flow: str, run: str, *rest: str) -> list[Row]:
        runs = self._runs(flow, run)
        found = [row for row in self.tasks if row["run"] in runs and rest[:1] in ((), (row["step_name"],))]
        return [row for row in found if _is_called(row, rest[1])] if len(rest) > 1 else found

    def _artifacts(self, *path: str) -> list[Row]:
        tasks = self._tasks(*path)
        return [row for row in self.artifacts if row["task"] in tasks]

    def _shown_step(self, step: Row) -> Row:
        path = {"flow_id": step["run"]["flow_id"], "run_number": str(_id(step["run"])), "step_name": step["step_name"]}
        return {**path, **_timed(step), **_tags_of(step["run"])}


def _is_called(row: Row, name: str) -> bool:
    return str(row["number"]) == name if name.isnumeric() else row["name"] == name


def _is_no_integer(name: str, limit: int) -> bool:
    return name.isnumeric() and (not name.isdecimal() or len(name) > 30 or int(name) >= limit)


def _id(row: Row) -> int | str:
    return row["number"] if row["name"] is None else row["name"]


def _path(task: Row) -> Row:
    run = task["run"]
    return {"flow_id": run["flow_id"], "run_number": _id(run), "step_name": task["step_name"], "task_id": _id(task)}


def _timed(row: Row) -> Row:
    return {"user_name": row["user_name"], "ts_epoch": row["ts_epoch"]}


def _tags_of(run: Row) -> Row:
    return {"tags": run["tags"], "system_tags": run["system_tags"]}


def _shown_run(run: Row) -> Row:
    user = run["user_name"]
    verified = {"user": user} if f"user:{user}" in (run["system_tags"] or []) else {}
    beat = {"last_heartbeat_ts": run["last_heartbeat_ts"]}
    return {"flow_id": run["flow_id"], "run_number": _id(run), **_timed(run), **_tags_of(run), **beat, **verified}


def _shown_task(task: Row) -> Row:
    return {**_path(task), **_timed(task), **_tags_of(task["run"]), "last_heartbeat_ts": task["last_heartbeat_ts"]}


def _shown_artifact(row: Row) -> Row:
    shown = ("name", "location", "ds_type", "sha", "type", "content_type", "attempt_id")
    task = row["task"]
    return {**_path(task), **{key: row[key] for key in shown}, **_timed(row), **_tags_of(task["run"])}


def _common(body: Row) -> Row:
    given = {key: body.get(key) for key in ("user_name", "tags", "system_tags")}
    return {**given, "ts_epoch": time.time_ns() // 1_000_000}


def _sends_heartbeats(body: Row) -> bool:
    tags = body.get("system_tags")
    return tags is None or any(tag.startswith("metaflow_version:2.1") for tag in tags)


def _now_s() -> int:
    return int(time.time())


def _one(found: Iterable[Row]) -> Reply:
    first = next(iter(found), None)
    return Reply(404, body={}) if first is None else Reply(body=first)


def _beat(found: list[Row]) -> Reply:
    body = json.dumps({"wait_time_in_seconds": _BEAT_S})
    if not found or _now_s() - (found[0]["last_heartbeat_ts"] or 0) < _BEAT_S:
        return Reply(404, body=body)
    found[0]["last_heartbeat_ts"] = _now_s()
    return Reply(body=body)


def _database_error(status: int, code: str) -> Reply:
    error = {
        "pgerror": "ERROR:  ...",
        "pgcode": code,
        "diag": {"message_primary": "the database says no", "severity": "ERROR"},
    }
    return Reply(status, body=json.dumps({"err_msg": error}))


def _failure(detail: str) -> Reply:
    return Reply(500, body={"traceback": "...", "detail": detail, "status": 500, "title": "Internal Server Error"})
