"""Deleting a run: gone at once, its ids stay taken, what was interrupted goes on, and nobody else is held up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest
from metadata_service import deleting
from metadata_service.pool import connect
from support import Answer, Api, wait_until

NOTHING = {"steps_deleted": 0, "tasks_deleted": 0, "artifacts_deleted": 0, "metadata_deleted": 0}


def delete(api: Api, path: str) -> Answer:
    return api.send("DELETE", path)


def fill(api: Api, run: str, tasks: int = 3) -> None:
    names = [f"t{number}" for number in range(tasks)]
    of_task = [{"step_name": "start", "task_id": name, "name": "x", "field_name": "x"} for name in names]
    of_run = {"tasks": [{"step_name": "start", "task_id": name} for name in names], "artifacts": of_task}
    api.made(f"{run}/bulk", {"steps": [{"step_name": "start"}], **of_run, "metadata": of_task})


def rows(url: str, run: str) -> dict[str, int]:
    number = run.rpartition("/")[2]
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        found = {}
        for table in ("steps", "tasks", "metadata", "run_tags"):
            cursor.execute(f"SELECT count(*) FROM {table} WHERE run_number = %s", [number])
            (found[table],) = cursor.fetchone() or (0,)
        return found


@pytest.fixture
def tagged(api: Api, flow: str) -> str:
    """The path of a run by ann with a tag, with three tasks."""
    made = api.made(f"{flow}/run", {"user_name": "ann", "tags": ["old"], "system_tags": ["user:ann"]})
    path = f"{flow}/runs/{made['run_number']}"
    fill(api, path)
    return path


def test_a_run_goes_with_all_its_rows(api: Api, tagged: str, migrated: str) -> None:
    answer = delete(api, tagged)
    assert (answer.status, answer.body) == (
        200,
        {"steps_deleted": 1, "tasks_deleted": 3, "artifacts_deleted": 3, "metadata_deleted": 3},
    )
    assert rows(migrated, tagged) == {"steps": 0, "tasks": 0, "metadata": 0, "run_tags": 0}


def test_nobody_sees_it_any_more(api: Api, flow: str, tagged: str) -> None:
    delete(api, tagged)
    for path in (tagged, f"{tagged}/steps/start", f"{tagged}/steps/start/tasks/t0"):
        assert (api.get(path).status, api.get(path).body) == (404, {})
    queries: list[dict[str, Any]] = [{}, {"_limit": 5}, {"_tags": "old"}, {"user": "ann"}, {"status": "running"}]
    assert [api.get(f"{flow}/runs", **query).body for query in queries] == [[]] * 5
    assert api.get(f"{tagged}/steps").body == []
    assert api.get(f"{tagged}/metadata").body == []


def test_nothing_can_be_added_to_it(api: Api, tagged: str, migrated: str) -> None:
    delete(api, tagged)
    task = f"{tagged}/steps/start/tasks/t0"
    for path in (f"{tagged}/steps/more/step", f"{tagged}/steps/start/task", f"{tagged}/heartbeat", f"{tagged}/bulk"):
        assert api.post(path).status == 404
    assert api.post(f"{task}/artifact", [{"name": "y"}]).status == 400
    assert api.patch(f"{tagged}/tag/mutate", {"tags_to_add": ["new"]}).status == 404
    assert rows(migrated, tagged)["run_tags"] == 0


def test_its_ids_stay_taken(api: Api, flow: str) -> None:
    first = api.made(f"{flow}/run")["run_number"]
    api.made(f"{flow}/run", {"run_number": "mine"})
    for run in (first, "mine"):
        assert delete(api, f"{flow}/runs/{run}").status == 200
    assert api.post(f"{flow}/run", {"run_number": "mine"}).status == 409
    assert api.made(f"{flow}/run")["run_number"] > first


def test_other_runs_stay(api: Api, flow: str, tagged: str) -> None:
    other = f"{flow}/runs/{api.made(f'{flow}/run')['run_number']}"
    fill(api, other)
    delete(api, tagged)
    assert len(api.get(f"{other}/steps/start/tasks").body) == 3
    assert len(api.get(f"{other}/artifacts").body) == 3


@pytest.mark.parametrize("run", ["nothing", "999999999", "²", "99999999999999999999"])
def test_what_there_is_not_is_not_found(api: Api, flow: str, run: str) -> None:
    assert (delete(api, f"{flow}/runs/{run}").status, delete(api, "/flows/Nowhere/runs/1").body) == (404, {})


def test_what_was_deleted_is_not_found(api: Api, tagged: str) -> None:
    assert [delete(api, tagged).status for _ in range(3)] == [200, 404, 404]


def test_a_task_that_is_just_being_registered_goes_as_well(api: Api, tagged: str, migrated: str) -> None:
    with closing(connect(migrated)) as other, ThreadPoolExecutor(1) as pool:
        other.autocommit = False
        with other.cursor() as cursor:
            number = tagged.rpartition("/")[2]
            cursor.execute("INSERT INTO tasks (run_number, step_name, ts_epoch) VALUES (%s, 'start', 0)", [number])
            deleting_it = pool.submit(delete, api, tagged)
            wait_until(lambda: waiters(migrated) == 1)
        other.commit()
        assert deleting_it.result().body["tasks_deleted"] == 4
    assert rows(migrated, tagged) == {"steps": 0, "tasks": 0, "metadata": 0, "run_tags": 0}


def test_a_task_whose_step_goes_meanwhile_has_no_parent(api: Api, flow: str, migrated: str) -> None:
    run = f"{flow}/runs/{api.made(f'{flow}/run')['run_number']}"
    api.made(f"{run}/steps/start/step")
    with closing(connect(migrated)) as other, ThreadPoolExecutor(1) as pool:
        other.autocommit = False
        with other.cursor() as cursor:
            cursor.execute("DELETE FROM steps WHERE run_number = %s", [run.rpartition("/")[2]])
            creating_it = pool.submit(api.post, f"{run}/steps/start/task")
            wait_until(lambda: waiters(migrated) == 1)
        other.commit()
        assert creating_it.result().status == 404


def waiters(url: str) -> int:
    """How many wait for somebody's lock on a row."""
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        (found,) = cursor.fetchone() or (0,)
        return int(found)


def test_a_long_one_goes_in_several_requests(
    api: Api, tagged: str, migrated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deleting, "_LONGEST_S", 0.0)
    answer = delete(api, tagged)
    assert (answer.status, answer.body) == (202, NOTHING)
    assert api.get(tagged).status == 404
    assert rows(migrated, tagged)["tasks"] == 3
    monkeypatch.undo()
    again = delete(api, tagged)
    assert (again.status, again.body["tasks_deleted"]) == (200, 3)
    assert rows(migrated, tagged)["tasks"] == 0


def test_batches_are_small(api: Api, flow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = f"{flow}/runs/{api.made(f'{flow}/run')['run_number']}"
    fill(api, run, tasks=1_100)
    times = iter([0.0, 1.0, 100.0])  # enough for one
    monkeypatch.setattr(deleting, "time", SimpleNamespace(monotonic=lambda: next(times)))
    assert delete(api, run).body["tasks_deleted"] == 500
    monkeypatch.undo()
    assert delete(api, run).body["tasks_deleted"] == 600
