"""A listing without pages is sent while it is read: little memory, a beginning at once, and nobody else waits."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from flask import Flask
from metadata_service.errors import DatabaseUnavailable
from metadata_service.pool import connect
from support import Api, Service, serving

RUNS = 30_000


@pytest.fixture(scope="module")
def long_flow(migrated: str) -> str:
    """The path of a flow with many runs."""
    with closing(connect(migrated)) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO flows (flow_id, ts_epoch) VALUES ('Long', 0)")
        cursor.execute(
            """INSERT INTO runs (flow_id, ts_epoch, tags, system_tags) SELECT 'Long', i, '["a"]', '["user:ann"]' """
            "FROM generate_series(1, %s) i",
            [RUNS],
        )
    return "/flows/Long"


@pytest.fixture
def one_process(migrated: str) -> Iterator[Service]:
    with serving("--database-url", migrated, "--workers", "1") as service:
        yield service


def resident_mib(service: Service) -> float:
    children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in children)
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_it_is_whole_and_newest_first(api: Api, long_flow: str) -> None:
    found = api.get(f"{long_flow}/runs").body
    assert [run["ts_epoch"] for run in found] == list(range(RUNS, 0, -1))


def test_it_takes_little_memory_and_others_are_answered_meanwhile(one_process: Service, long_flow: str) -> None:
    url = one_process.url
    requests.get(f"{url}{long_flow}/runs?_limit=500", timeout=120)
    before = resident_mib(one_process)
    with requests.get(f"{url}{long_flow}/runs", stream=True, timeout=120) as answer:
        parts = answer.iter_content(1 << 16)
        received = next(parts)
        for _ in range(6):
            assert requests.get(f"{url}{long_flow}", timeout=120).status_code == 200
        received += b"".join(parts)
    assert len(json.loads(received)) == RUNS
    assert resident_mib(one_process) - before < 50


def test_one_who_stops_reading_leaves_the_connection_to_others(one_process: Service, long_flow: str) -> None:
    for _ in range(20):  # more than there are threads and connections
        requests.get(f"{one_process.url}{long_flow}/runs", stream=True, timeout=120).close()
    assert requests.get(f"{one_process.url}{long_flow}", timeout=120).status_code == 200


def test_what_fails_at_the_start_is_an_error_and_not_half_a_list(
    app: Flask, api: Api, long_flow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = app.extensions["metadata_service"]

    def fail(*_: object) -> Iterator[object]:
        raise DatabaseUnavailable("away")
        yield

    monkeypatch.setattr(storage, "_parts", fail)
    assert api.get(f"{long_flow}/runs").status == 503


class TestValidators:
    """Who has a record already is not sent it again."""

    def test_an_equal_answer_is_not_sent_twice(self, api: Api, run: str, flow: str) -> None:
        for path in (run, flow, f"{flow}/runs", f"{run}/steps"):
            first = api.get(path)
            assert first.headers["Cache-Control"] == "private, no-cache"
            again = api.send("GET", path, headers={"If-None-Match": first.headers["ETag"]})
            assert (again.status, again.headers["ETag"]) == (304, first.headers["ETag"])

    def test_another_is(self, api: Api, run: str) -> None:
        first = api.get(run)
        api.patch(f"{run}/tag/mutate", {"tags_to_add": ["new"]})
        again = api.send("GET", run, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status, again.body["tags"]) == (200, ["new"])
        assert again.headers["ETag"] != first.headers["ETag"]

    def test_errors_and_changes_have_none(self, api: Api, run: str) -> None:
        assert "ETag" not in api.get("/flows/Nowhere").headers
        assert "ETag" not in api.post(f"{run}/heartbeat").headers
