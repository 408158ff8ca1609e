"""Artifacts and metadata: many rows a request, what each attempt left, and which tasks some metadata finds."""

from __future__ import annotations

from typing import Any

import pytest
from support import Api

ARTIFACT_KEYS = {
    "flow_id", "run_number", "step_name", "task_id", "name", "location", "ds_type", "sha", "type", "content_type",
    "user_name", "attempt_id", "ts_epoch", "tags", "system_tags",
}  # fmt: skip
METADATUM_KEYS = {
    "id", "flow_id", "run_number", "step_name", "task_id", "field_name", "value", "type", "user_name", "ts_epoch",
    "tags", "system_tags",
}  # fmt: skip


def names(records: Any) -> list[tuple[str, int]]:
    return sorted((record["name"], record["attempt_id"]) for record in records)


def test_artifacts_are_counted_and_read_back(api: Api, task: str) -> None:
    given = {"name": "x", "location": "s3://b/k", "ds_type": "s3", "sha": "ab", "type": "t", "content_type": "pickle"}
    assert api.made(f"{task}/artifact", [given, {**given, "name": "y"}]) == {"artifacts_created": 2}
    found = api.get(f"{task}/artifacts/x").body
    assert set(found) == ARTIFACT_KEYS
    assert {key: found[key] for key in given} == given
    assert found["attempt_id"] == 0


def test_an_artifact_once_registered_stays_as_it_is(api: Api, task: str) -> None:
    assert api.made(f"{task}/artifact", [{"name": "x", "sha": "first"}]) == {"artifacts_created": 1}
    again = [{"name": "x", "sha": "second"}, {"name": "y", "sha": "first"}, {"name": "y", "sha": "second"}]
    assert api.made(f"{task}/artifact", again) == {"artifacts_created": 1}
    assert [api.get(f"{task}/artifacts/{name}").body["sha"] for name in "xy"] == ["first", "first"]


def test_long_locations_are_kept(api: Api, task: str) -> None:
    location = "s3://bucket/" + "x" * 5000
    api.made(f"{task}/artifact", [{"name": "x", "location": location}])
    assert api.get(f"{task}/artifacts/x").body["location"] == location


def test_the_latest_attempt_hides_those_before_it(api: Api, step: str, task: str) -> None:
    api.made(f"{task}/artifact", [{"name": name, "attempt_id": 0} for name in ("x", "only_in_0")])
    api.made(f"{task}/artifact", [{"name": "x", "attempt_id": 1}])
    run = step.partition("/steps/")[0]
    for listing in (f"{task}/artifacts", f"{step}/artifacts", f"{run}/artifacts"):
        assert names(api.get(listing).body) == [("x", 1)]
    assert api.get(f"{task}/artifacts/x").body["attempt_id"] == 1
    assert api.get(f"{task}/artifacts/only_in_0").status == 404
    assert api.get(f"{task}/artifacts/only_in_0/attempt/0").status == 200
    assert names(api.get(f"{task}/attempt/0/artifacts").body) == [("only_in_0", 0), ("x", 0)]
    assert api.get(f"{task}/attempt/7/artifacts").body == []


def test_pages_of_artifacts_show_of_each_name_the_newest(api: Api, task: str) -> None:
    api.made(f"{task}/artifact", [{"name": name, "attempt_id": 0} for name in ("x", "only_in_0")])
    api.made(f"{task}/artifact", [{"name": "x", "attempt_id": 1}])
    assert names(api.get(f"{task}/artifacts", _limit=10).body) == [("only_in_0", 0), ("x", 1)]


@pytest.mark.parametrize("attempt", ["zz", "-1", "1.5", "9" * 19])
def test_an_attempt_is_a_number(api: Api, task: str, attempt: str) -> None:
    for path in (f"{task}/attempt/{attempt}/artifacts", f"{task}/artifacts/x/attempt/{attempt}"):
        answer = api.get(path)
        assert answer.status == 400
        assert "attempt" in answer.body["message"]


def test_metadata_keep_their_own_tags_and_come_newest_first(api: Api, task: str) -> None:
    rows = [{"field_name": f"f{i}", "value": str(i), "type": "t", "tags": [f"attempt_id:{i}"]} for i in range(3)]
    assert api.made(f"{task}/metadata", rows) == {"metadata_created": 3}
    found = api.get(f"{task}/metadata").body
    assert set(found[0]) == METADATUM_KEYS
    assert [(row["field_name"], row["tags"]) for row in found] == [(f"f{i}", [f"attempt_id:{i}"]) for i in (2, 1, 0)]
    assert [row["id"] for row in found] == sorted((row["id"] for row in found), reverse=True)


def test_equal_metadata_are_kept_twice(api: Api, task: str) -> None:
    row = {"field_name": "attempt", "value": "0", "type": "attempt"}
    assert api.made(f"{task}/metadata", [row, row]) == {"metadata_created": 2}
    assert len(api.get(f"{task}/metadata").body) == 2


def test_the_metadata_of_a_run_are_those_of_its_tasks(api: Api, step: str) -> None:
    for name in ("t0", "t1"):
        api.made(f"{step}/task", {"task_id": name})
        api.made(f"{step}/tasks/{name}/metadata", [{"field_name": "f", "value": name, "type": "t"}])
    found = api.get(step.partition("/steps/")[0] + "/metadata").body
    assert [(row["task_id"], row["value"]) for row in found] == [("t1", "t1"), ("t0", "t0")]


@pytest.mark.parametrize(
    ("given", "kept"),
    [(5, "5"), (2.5, "2.5"), (True, "true"), (["p", "q"], "{p,q}"), ("text", "text")],
)
def test_values_that_are_no_text_become_one(api: Api, task: str, given: Any, kept: str) -> None:
    api.made(f"{task}/metadata", [{"field_name": "f", "value": given, "type": "t"}])
    assert [row["value"] for row in api.get(f"{task}/metadata").body] == [kept]


def test_rows_that_cannot_be_stored_are_left_out(api: Api, task: str) -> None:
    good = {"field_name": "f", "value": "v", "type": "t"}
    bad: list[Any] = [
        None,
        5,
        "text",
        [],
        {**good, "value": None},
        {**good, "value": {"a": 1}},
        {**good, "field_name": "n" * 256},
    ]
    assert api.made(f"{task}/metadata", [*bad, good, {**good, "field_name": "n" * 256}]) == {"metadata_created": 1}
    bad = [
        None,
        {"name": "n" * 256},
        {"name": "x", "attempt_id": -1},
        {"name": "x", "attempt_id": "one"},
        {"name": "\0"},
    ]
    assert api.made(f"{task}/artifact", [*bad, {"name": "y", "attempt_id": "2"}]) == {"artifacts_created": 1}


def test_absent_fields_of_rows_read_as_a_blank(api: Api, task: str) -> None:
    api.made(f"{task}/metadata", [{}])
    found = api.get(f"{task}/metadata").body[0]
    assert (found["field_name"], found["value"], found["type"], found["user_name"]) == (" ", " ", " ", None)


def test_no_rows_are_fine(api: Api, task: str) -> None:
    assert api.made(f"{task}/metadata", []) == {"metadata_created": 0}
    assert api.made(f"{task}/artifact", []) == {"artifacts_created": 0}


@pytest.mark.parametrize("kind", ["metadata", "artifact"])
def test_rows_need_their_task(api: Api, step: str, kind: str) -> None:
    answer = api.post(f"{step}/tasks/t0/{kind}", [{"name": "x"}])
    assert (answer.status, answer.body) == (400, {"message": "need to register run_id and task_id first"})


class TestFilteredTasks:
    """`filtered_tasks` finds tasks by a metadata row's field and value; Metaflow finds parents and children by it."""

    @pytest.fixture
    def tasks(self, api: Api, step: str) -> str:
        rows = {
            "t0": [("index", "10"), ("color", "red")],
            "t1": [("index", "11"), ("color", "blue"), ("size", "red")],
            "t2": [("index", "2"), ("index", "2")],
            "without": [],
        }
        for name, metadata in rows.items():
            api.made(f"{step}/task", {"task_id": name})
            new = [{"field_name": field, "value": value, "type": "t"} for field, value in metadata]
            api.made(f"{step}/tasks/{name}/metadata", new)
        return step

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({}, ["t0", "t1", "t2"]),
            ({"metadata_field_name": "color"}, ["t0", "t1"]),
            ({"pattern": "red"}, ["t0", "t1"]),
            ({"metadata_field_name": "color", "pattern": "red"}, ["t0"]),
            ({"metadata_field_name": "index", "pattern": "^1.$"}, ["t0", "t1"]),
            ({"metadata_field_name": "index", "pattern": "1"}, ["t0", "t1"]),
            ({"metadata_field_name": "nothing"}, []),
        ],
    )
    def test_finds(self, api: Api, tasks: str, query: dict[str, str], expected: list[str]) -> None:
        run = tasks.removeprefix("/flows/").replace("/runs/", "/").replace("/steps/", "/")
        assert api.get(f"{tasks}/filtered_tasks", **query).body == [f"{run}/{name}" for name in expected]

    @pytest.mark.parametrize("pattern", ["(", "[", "*", "a\0", "\\"])
    def test_refuses_what_is_no_pattern(self, api: Api, tasks: str, pattern: str) -> None:
        answer = api.get(f"{tasks}/filtered_tasks", pattern=pattern)
        assert answer.status == 400
        assert answer.body["message"]
