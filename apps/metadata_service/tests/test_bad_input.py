"""Requests that nobody should send get a 4xx that says why, never a 500, and leave no trace."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from metadata_service import Settings, create_app
from support import Api

BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"user_name": "\xff\xfe"}',
    "a list": b"[1]",
    "a number": b"5",
    "null": b"null",
    "NaN": b'{"tags": NaN}',
    "deep": b"[" * 100_000,
    "NUL": b'{"user_name": "a\\u0000b"}',
    "half a pair": b'{"user_name": "\\ud800"}',
    "a long name": b'{"user_name": "' + b"n" * 256 + b'"}',
    "a number for a name": b'{"user_name": 5}',
    "tags that are no list": b'{"tags": "a"}',
    "tags that are no text": b'{"tags": [1]}',
    "tags with NUL": b'{"system_tags": ["\\u0000"]}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_bodies_of_objects(api: Api, flow: str, run: str, step: str, body: bytes) -> None:
    for path in ("/flows/NeverMade", f"{flow}/run", f"{run}/steps/never/step", f"{step}/task"):
        answer = api.send("POST", path, data=body)
        assert answer.status == 400, path
        assert answer.body["message"]
    assert api.get("/flows/NeverMade").status == 404
    assert len(api.get(f"{flow}/runs").body) == 1
    assert api.get(f"{run}/steps/never").status == 404
    assert api.get(f"{step}/tasks").body == []


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b"null", b'"text"', b"\xff"], ids=str)
def test_bodies_of_rows(api: Api, task: str, body: bytes) -> None:
    for path in (f"{task}/metadata", f"{task}/artifact"):
        answer = api.send("POST", path, data=body)
        assert answer.status == 400
        assert answer.body["message"]


def test_lists_that_are_too_deep_are_left_out_like_other_rows_that_cannot_be_stored(api: Api, task: str) -> None:
    deep = b'[{"name": "x", "sha": %s, "field_name": "f", "value": %s}, {}]' % ((b"[" * 500 + b"]" * 500,) * 2)
    assert api.send("POST", f"{task}/metadata", data=deep).body == {"metadata_created": 1}
    assert api.send("POST", f"{task}/artifact", data=deep).body == {"artifacts_created": 1}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null"], ids=str)
def test_bodies_of_mutations(api: Api, run: str, body: bytes) -> None:
    answer = api.send("PATCH", f"{run}/tag/mutate", data=body)
    assert answer.status == 400
    assert answer.body["message"]


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/json", "nonsense", "application/x-www-form-urlencoded"]
)
def test_the_content_type_does_not_matter(api: Api, flow: str, content_type: str | None) -> None:
    answer = api.send("POST", f"{flow}/run", data=b'{"user_name": "ann"}', content_type=content_type)
    assert answer.body["user_name"] == "ann"


@pytest.mark.parametrize(("name", "status"), [("n" * 256, 400), ("a%00b", 404), ("%FF", 404)])
def test_names_that_cannot_be_stored(api: Api, run: str, name: str, status: int) -> None:
    assert api.post(f"/flows/{name}").status == status
    assert api.post(f"{run}/steps/{name}/step").status == status
    assert api.get(f"/flows/{name}").status == 404


def test_a_given_id_must_be_storable(api: Api, flow: str, step: str) -> None:
    for path, field in ((f"{flow}/run", "run_number"), (f"{step}/task", "task_id")):
        for value in ("", "n" * 256, "\0", [1], {"a": 1}):
            assert api.post(path, {field: value}).status == 400


def test_an_oversized_body_is_refused(migrated: str) -> None:
    small = Api(create_app(Settings(database_url=migrated, max_body_bytes=100)).test_client())
    refused = small.post("/flows/TooLarge", {"user_name": "n" * 100})
    assert (refused.status, refused.body) == (413, {"message": "the body is larger than 100 bytes: send it in parts"})
    assert small.get("/flows/TooLarge").status == 404


@pytest.mark.parametrize(
    "path", ["/", "/flow", "/flows/", "/flows//runs", "/flows/F/runs/1/", "/flows/F/nothing", "//flows"]
)
def test_unknown_paths(api: Api, path: str) -> None:
    answer = api.get(path)
    assert (answer.status, answer.body) == (404, "404: Not Found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("HEAD", "/flows", "GET"),
        ("OPTIONS", "/flows", "GET"),
        ("DELETE", "/flows/F", "GET,POST"),
        ("PUT", "/flows/F/run", "POST"),
        ("GET", "/flows/F/run", "POST"),
        ("PUT", "/flows/F/runs/1", "DELETE,GET"),
        ("POST", "/flows/F/runs/1/tag/mutate", "PATCH"),
        ("HEAD", "/ping", "GET"),
    ],
)
def test_wrong_methods(api: Api, method: str, path: str, allowed: str) -> None:
    answer = api.send(method, path)
    assert answer.status == 405
    assert answer.body == ("" if method == "HEAD" else "405: Method Not Allowed")
    assert answer.headers["Allow"] == allowed


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
fields = st.sampled_from(
    [
        "user_name",
        "tags",
        "system_tags",
        "run_number",
        "task_id",
        "name",
        "attempt_id",
        "value",
        "field_name",
        "type",
        "sha",
    ]
)
hostile = st.one_of(json_values, st.dictionaries(fields, json_values), st.lists(st.dictionaries(fields, json_values)))
segments = st.text(min_size=1, max_size=12).filter(lambda text: not any("\ud800" <= char <= "\udfff" for char in text))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=hostile)
def test_no_body_is_the_services_fault(app: Flask, body: Any) -> None:
    api = Api(app.test_client())
    api.post("/flows/Hostile")
    api.post("/flows/Hostile/run", {"run_number": "r"})
    api.post("/flows/Hostile/runs/r/steps/s/step")
    api.post("/flows/Hostile/runs/r/steps/s/task", {"task_id": "t"})
    task = "/flows/Hostile/runs/r/steps/s/tasks/t"
    for path in ("/flows/Hostile/run", "/flows/Hostile/runs/r/steps/s/task", f"{task}/artifact", f"{task}/metadata"):
        assert api.post(path, body).status < 500
    assert api.post("/flows/Hostile/runs/r/bulk", {"artifacts": body, "tasks": body, "metadata": body}).status < 500
    assert api.patch("/flows/Hostile/runs/r/tag/mutate", body).status < 500


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(segments, min_size=5, max_size=5), query=st.dictionaries(segments, segments, max_size=3))
def test_no_path_and_no_query_is_the_services_fault(app: Flask, parts: list[str], query: dict[str, str]) -> None:
    api = Api(app.test_client())
    flow, run, step, task, name = (quote(part, safe="") for part in parts)
    for path in (
        f"/flows/{flow}", f"/flows/{flow}/runs", f"/flows/{flow}/runs/{run}", f"/flows/{flow}/runs/{run}/steps/{step}",
        f"/flows/{flow}/runs/{run}/steps/{step}/tasks/{task}",
        f"/flows/{flow}/runs/{run}/steps/{step}/tasks/{task}/artifacts/{name}",
    ):  # fmt: skip
        assert api.get(path, **query).status < 500


def test_errors_are_json(api: Api, flow: str) -> None:
    answer = api.send("POST", f"{flow}/run", data=b"{")
    assert answer.headers["Content-Type"] == "application/json"
    assert json.dumps(answer.body)
