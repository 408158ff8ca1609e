"""The API's document is valid, names every route and no other, and says what the service really answers."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator
from metadata_service import Settings, create_app
from openapi_spec_validator import validate
from support import Api


@pytest.fixture
def document(api: Api) -> Any:
    return api.get("/openapi.json").body


def checker(document: Any, path: str, method: str) -> Draft202012Validator:
    operation = document["paths"][path][method.lower()]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": document["components"]})


def test_it_is_valid(document: Any) -> None:
    validate(document)


def test_it_names_every_route_and_no_other(app: Flask, document: Any) -> None:
    documented = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
    routes = {
        (re.sub(r"<\w+:(\w+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
    }
    assert documented == routes


def test_every_operation_says_what_it_does(document: Any) -> None:
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    assert all(operation["summary"] for operation in operations)
    assert len({operation["operationId"] for operation in operations}) == len(operations)


def test_routes_that_clients_have_are_below_a_prefix_too(migrated: str) -> None:
    api = Api(create_app(Settings(database_url=migrated, prefix="/meta")).test_client())
    assert "/meta/flows/{flow}" in api.get("/meta/openapi.json").body["paths"]


TAGS = {"tags": ["a"], "system_tags": ["user:ann"], "user_name": "ann"}
RUN = "/flows/{flow}/runs/{run}"
TASK = f"{RUN}/steps/{{step}}/tasks/{{task}}"
REQUESTS: list[tuple[str, str, Any]] = [
    ("POST", "/flows/{flow}", TAGS),
    ("GET", "/flows/{flow}", None),
    ("GET", "/flows", None),
    ("POST", "/flows/{flow}/run", {**TAGS, "run_number": "r"}),
    ("POST", "/flows/{flow}/run", {}),
    ("GET", RUN, None),
    ("GET", "/flows/{flow}/runs", None),
    ("POST", f"{RUN}/heartbeat", {}),
    ("PATCH", f"{RUN}/tag/mutate", {"tags_to_add": ["b"]}),
    ("POST", f"{RUN}/steps/{{step}}/step", TAGS),
    ("GET", f"{RUN}/steps/{{step}}", None),
    ("GET", f"{RUN}/steps", None),
    ("POST", f"{RUN}/steps/{{step}}/task", {**TAGS, "task_id": "t"}),
    ("POST", f"{RUN}/steps/{{step}}/task", {}),
    ("GET", TASK, None),
    ("GET", f"{RUN}/steps/{{step}}/tasks", None),
    ("POST", f"{TASK}/heartbeat", {}),
    ("POST", f"{TASK}/metadata", [{"field_name": "f", "value": 1, "type": "t"}]),
    ("POST", f"{TASK}/artifact", [{"name": "x", "location": None}, {"name": "y"}]),
    ("GET", f"{TASK}/metadata", None),
    ("GET", f"{RUN}/metadata", None),
    ("GET", f"{TASK}/artifacts", None),
    ("GET", f"{RUN}/artifacts", None),
    ("GET", f"{RUN}/steps/{{step}}/artifacts", None),
    ("GET", f"{RUN}/steps/{{step}}/filtered_tasks", None),
    ("GET", f"{TASK}/artifacts/{{name}}", None),
    ("GET", f"{TASK}/artifacts/{{name}}/attempt/{{attempt}}", None),
    ("GET", f"{TASK}/attempt/{{attempt}}/artifacts", None),
    ("POST", f"{RUN}/bulk", {"steps": [{"step_name": "more"}]}),
    ("DELETE", RUN, None),
    ("GET", "/healthz", None),
    ("GET", "/readyz", None),
    ("GET", "/healthcheck", None),
]
NAMES = {"run": "r", "step": "s", "task": "t", "name": "x", "attempt": "0"}


def test_answers_are_as_documented(api: Api, document: Any) -> None:
    """In this order: what a request needs, an earlier one has made."""
    for method, path, body in REQUESTS:
        target = path.format(flow="Documented", **NAMES)
        answer = api.send(method, target, data=None if body is None else json.dumps(body))
        assert answer.status == 200, (method, target, answer)
        checker(document, path, method).validate(answer.body)
    api.made("/flows/Documented/run")
    status = api.get("/flows/Documented/runs", status="running")
    checker(document, "/flows/{flow}/runs", "GET").validate(status.body)
    assert status.body[0]["status"] == "running"


def test_headers_of_pages_and_parts_of_a_deletion_are_documented(api: Api, document: Any) -> None:
    for path in ("", "/run", "/run"):
        api.made(f"/flows/Paged{path}")
    answer = api.get("/flows/Paged/runs", _limit="1")
    documented = document["paths"]["/flows/{flow}/runs"]["get"]["responses"]["200"]["headers"]
    assert {name for name in dict(answer.headers) if name.startswith("X-")} - {"X-Request-Id"} == set(documented)
    done = document["paths"]["/flows/{flow}/runs/{run}"]["delete"]["responses"]
    assert done["202"]["content"] == done["200"]["content"]


def test_every_route_of_the_wire_was_asked(document: Any) -> None:
    asked = {(method, path) for method, path, _ in REQUESTS}
    json_routes = {
        (method.upper(), path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if "application/json" in operation["responses"]["200"]["content"]
    }
    assert json_routes - asked == {("GET", "/openapi.json")}


def test_an_answer_of_another_shape_would_be_noticed(api: Api, document: Any) -> None:
    record = api.made("/flows/Noticed")
    check = checker(document, "/flows/{flow}", "GET")
    assert check.is_valid(record)
    assert not check.is_valid({**record, "ts_epoch": "1"})
    assert not check.is_valid({key: value for key, value in record.items() if key != "tags"})
