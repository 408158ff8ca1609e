"""Finding runs and tasks by conditions in the query string."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from metadata_service.pool import connect
from support import Api

RUNS = {
    "a": {"user_name": "ann", "tags": ["nightly", "good"], "system_tags": ["user:ann", "metaflow_version:2.19.39"]},
    "b": {"user_name": "bob", "tags": ["nightly"], "system_tags": ["user:bob", "stepwell_version:0.1.0"]},
    "c_d": {"user_name": "bob", "tags": [], "system_tags": ["metaflow_version:2.0.0"]},
    "E": {},
}


@pytest.fixture(scope="module")
def runs(app: Any) -> str:
    """The path of a flow's runs, each named; the user of c_d is not vouched for, and only E's user is unknown."""
    api = Api(app.test_client())
    api.made("/flows/Filtered")
    for name, body in RUNS.items():
        api.made("/flows/Filtered/run", {"run_number": name, **body})
    return "/flows/Filtered/runs"


def found(api: Api, path: str, query: str) -> list[str]:
    answer = api.send("GET", f"{path}?{query}")
    assert answer.status == 200, answer
    return sorted(str(run["run_number"]) for run in answer.body)


ALL = sorted(RUNS)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("run_id=a", ["a"]),
        ("run_id=a,b", ["a", "b"]),
        ("run_id:eq=a", ["a"]),
        ("run_id:ne=a", ["E", "b", "c_d"]),
        ("run_id:ne=a,b", ["E", "c_d"]),
        ("run_id:ge=b", ["b", "c_d"]),
        ("run_id:co=_", ["c_d"]),
        ("run_id:sw=C", ["c_d"]),
        ("run_id:ew=D", ["c_d"]),
        ("run_id:li=c%25", ["c_d"]),
        ("run_id:co=%25", []),
        ("run_id=a&user_name=bob", []),
        ("user_name=bob", ["b", "c_d"]),
        ("user_name=null", ["E"]),
        ("user_name:ne=null", ["a", "b", "c_d"]),
        ("user_name:is=null", ["E"]),
        ("user_name:ne=bob", ["E", "a"]),
        ("user=bob", ["b"]),
        ("user=null", ["E", "c_d"]),
        ("flow_id=Filtered", ALL),
        ("flow_id=Other", []),
        ("run_number:ge=0", ALL),
        ("run_number:lt=0", []),
        ("run_number=99999999999999999999999", []),
        ("ts_epoch:gt=0", ALL),
        ("last_heartbeat_ts=null", ["c_d"]),
        ("tags:is=null", ["E"]),
        ("_tags=nightly", ["a", "b"]),
        ("_tags=nightly,good", ["a"]),
        ("_tags:all=nightly,user:bob", ["b"]),
        ("_tags:any=good,user:bob", ["a", "b"]),
        ("_tags:likeany=VERSION:2", ["a", "c_d"]),
        ("_tags:likeall=version,nightly", ["a", "b"]),
        ("_tags=night", []),
        ("_tags=nightly&_tags=user:bob", ["b"]),
        ("_tags:any=good,user:bob&_tags=nightly", ["a", "b"]),
        ("_tags:any=good,user:bob&_tags:any=nightly,good", ["a", "b"]),
        ("_tags=nightly,missing", []),
        ("unknown=x", ALL),
        ("run_id=' OR true --", []),
        ("_tags=%27%29%3B DROP TABLE runs --", []),
    ],
)
def test_runs(api: Api, runs: str, query: str, expected: list[str]) -> None:
    assert found(api, runs, query) == expected


def test_a_condition_asks_for_pages(api: Api, runs: str) -> None:
    answer = api.get(runs, user_name="bob", _limit=1)
    assert [run["run_number"] for run in answer.body] == ["c_d"]
    then = api.get(runs, user_name="bob", _limit=1, _cursor=answer.headers["X-Next-Cursor"])
    assert [run["run_number"] for run in then.body] == ["b"]
    assert api.get(runs, user_name="bob").headers["X-Limit"] == "50"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("status:zz=failed", "unsupported operator 'zz' for field 'status'"),
        ("status=bogus", "unsupported status filter: bogus"),
        ("status=null", "unsupported status filter: null"),
        ("status=failed,null", "unsupported status filter: null"),
        ("status:ne=null", "unsupported status filter: null"),
        ("ts_epoch=x", "invalid ts_epoch: expected integer epoch milliseconds, got 'x'"),
        ("last_heartbeat_ts=x", "invalid last_heartbeat_ts: expected integer epoch seconds, got 'x'"),
        ("run_number=x", "invalid run_number: expected an integer, got 'x'"),
        ("run_number:co=1", "unsupported operator 'co' for field 'run_number'"),
        ("tags=x", "unsupported operator 'eq' for field 'tags'; use _tags to find runs by tag"),
        ("_tags:ne=x", "unsupported operator 'ne' for field '_tags'"),
        ("run_id:gt=null", "null cannot be compared by 'gt': use run_id=null or run_id:ne=null"),
        ("run_id:is=x", "run_id:is takes the value null only"),
        ("run_id=%00", "the value of run_id holds a character that cannot be stored"),
    ],
)
def test_refusals_say_why(api: Api, runs: str, query: str, message: str) -> None:
    answer = api.send("GET", f"{runs}?{query}")
    assert (answer.status, answer.body) == (400, message)


def test_long_tags_are_told_apart_beyond_what_the_index_holds(api: Api, flow: str) -> None:
    for end in ("a", "b"):
        api.made(f"{flow}/run", {"run_number": end, "tags": ["t" * 5_000 + end]})
    for operator in ("_tags", "_tags:any"):
        assert found(api, f"{flow}/runs", f"{operator}={'t' * 5_000}a") == ["a"]


def test_pages_of_a_tag_hold_every_run_once(api: Api, flow: str) -> None:
    """Also of runs that have several of the tags asked for."""
    made = [api.made(f"{flow}/run", {"tags": ["a", "b"] if n % 2 else ["b"]})["run_number"] for n in range(7)]
    for query, expected in (({"_tags:any": "a,b"}, made), ({"_tags": "b,a"}, made[1::2])):
        seen, cursor = list[int](), ""
        while cursor is not None:
            answer = api.get(f"{flow}/runs", **query, _limit=2, _cursor=cursor)
            seen += [run["run_number"] for run in answer.body]
            cursor = answer.headers.get("X-Next-Cursor")
        assert seen == expected[::-1]


def test_changed_tags_are_found_at_once(api: Api, flow: str) -> None:
    number = api.made(f"{flow}/run", {"tags": ["old", "kept"]})["run_number"]
    api.patch(f"{flow}/runs/{number}/tag/mutate", {"tags_to_add": ["new"], "tags_to_remove": ["old"]})
    assert [len(api.get(f"{flow}/runs", _tags=tag).body) for tag in ("old", "kept", "new")] == [0, 1, 1]


class TestStatus:
    """How a run stands is told by the metadata of its step `end`, else by its heartbeat."""

    @pytest.mark.parametrize(
        ("metadata", "silent_s", "expected"),
        [
            ([], 0, "running"),
            ([], 359, "running"),
            ([], 1000, "failed"),
            ([("attempt", "0"), ("attempt_ok", "True")], 1000, "completed"),
            ([("attempt", "0"), ("attempt_ok", "false")], 0, "failed"),
            ([("attempt", "0"), ("attempt_ok", "false"), ("attempt", "1")], 1000, "running"),
            ([("attempt_ok", "false"), ("attempt", "1"), ("attempt_ok", "true")], 1000, "completed"),
        ],
    )
    def test_of(
        self, api: Api, flow: str, migrated: str, metadata: list[tuple[str, str]], silent_s: int, expected: str
    ) -> None:
        number = api.made(f"{flow}/run")["run_number"]
        step = f"{flow}/runs/{number}/steps/end"
        api.made(f"{step}/step")
        task = f"{step}/tasks/{api.made(f'{step}/task')['task_id']}"
        for field, value in metadata:
            api.made(f"{task}/metadata", [{"field_name": field, "value": value, "type": field}])
        with closing(connect(migrated)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "UPDATE runs SET last_heartbeat_ts = last_heartbeat_ts - %s WHERE run_number = %s", [silent_s, number]
            )
        for status in ("running", "completed", "failed"):
            shown = [run["status"] for run in api.get(f"{flow}/runs", status=status).body]
            assert shown == ([status] if status == expected else [])
        assert len(api.get(f"{flow}/runs", **{"status:ne": expected}).body) == 0
        assert "status" not in api.get(f"{flow}/runs").body[0]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("task_name=t0", ["t0"]),
        ("task_name:sw=T", ["t0", "t1"]),
        ("user_name=ann", ["t1"]),
        ("task_id:lt=0", []),
        ("ts_epoch:gt=0", ["t0", "t1"]),
        ("_tags=ignored", ["t0", "t1"]),
        ("status=ignored", ["t0", "t1"]),
    ],
)
def test_tasks(api: Api, step: str, query: str, expected: list[str]) -> None:
    api.made(f"{step}/task", {"task_id": "t0"})
    api.made(f"{step}/task", {"task_id": "t1", "user_name": "ann"})
    answer = api.send("GET", f"{step}/tasks?{query}")
    assert sorted(task["task_id"] for task in answer.body) == expected
