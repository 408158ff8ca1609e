"""What a service meets on a bad day: SQL everywhere, ten thousand tags, huge bodies, clients that take for ever."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import requests
from support import Api, Service, serving, wait_until

SQL = ["'; DROP TABLE runs; --", "\\'; DELETE FROM flows; --", "%s %(flow)s %", "$$; SELECT pg_sleep(60); $$", "{} {0}"]


@pytest.mark.parametrize("text", SQL)
def test_sql_is_text_in_every_field(api: Api, flow: str, text: str) -> None:
    path, tags = f"/flows/{quote(text, safe='')}{flow[7:]}", {"user_name": text, "tags": [text], "system_tags": [text]}
    assert api.made(path, tags)["user_name"] == text
    run = api.made(f"{path}/run", {**tags, "run_number": text})
    assert (run["run_number"], run["tags"]) == (text, [text])
    run_path = f"{path}/runs/{quote(text, safe='')}"
    step = f"{run_path}/steps/{quote(text, safe='')}"
    api.made(f"{step}/step", tags)
    task = f"{step}/tasks/{quote(api.made(f'{step}/task', {**tags, 'task_id': text})['task_id'], safe='')}"
    row = dict.fromkeys(("name", "location", "ds_type", "sha", "type", "content_type", "field_name", "value"), text)
    assert api.made(f"{task}/artifact", [row]) == {"artifacts_created": 1}
    assert api.made(f"{task}/metadata", [{**row, **tags}]) == {"metadata_created": 1}
    assert api.get(f"{task}/artifacts/{quote(text, safe='')}").body["location"] == text
    assert api.patch(f"{run_path}/tag/mutate", {"tags_to_add": [text + "+"]}).body["tags"] == [text, text + "+"]
    for query in ({"_tags": text + "+"}, {"user_name": text}, {"run_id": text}):
        assert [found["run_number"] for found in api.get(f"{path}/runs", **query).body] == [text], query
    assert api.get(f"{step}/filtered_tasks", metadata_field_name=text).body != []
    assert api.send("DELETE", run_path).status == 200


def test_ten_thousand_tags(api: Api, flow: str) -> None:
    tags = [f"tag{number}" for number in range(10_000)]
    path = f"{flow}/runs/{api.made(f'{flow}/run', {'tags': tags[:5_000]})['run_number']}"
    assert len(api.patch(f"{path}/tag/mutate", {"tags_to_add": tags}).body["tags"]) == 10_000
    assert len(api.get(f"{flow}/runs", _tags="tag9999").body) == 1
    assert api.patch(f"{path}/tag/mutate", {"tags_to_remove": tags[1:]}).body["tags"] == ["tag0"]
    assert api.get(f"{flow}/runs", _tags="tag9999").body == []


def test_a_body_of_100_mb_is_refused_without_being_held(service: Service) -> None:
    answer = requests.post(f"{service.url}/flows/Huge", data=_zeros(100), timeout=120)
    assert answer.status_code == 413
    assert requests.get(f"{service.url}/flows/Huge", timeout=120).status_code == 404


def _zeros(mib: int) -> bytes:
    return bytes(mib << 20)


def test_clients_that_send_nothing_hold_nobody_up(service: Service) -> None:
    parts = urlsplit(service.url)
    with ExitStack() as slow:
        for _ in range(640):  # if each held one of the 16 threads for gunicorn's five seconds, all would for 200
            slow.enter_context(socket.create_connection((parts.hostname or "", parts.port or 0)))
        assert requests.get(f"{service.url}/ping", timeout=60).status_code == 200


def test_postgres_may_restart_under_load_and_nothing_acknowledged_is_lost(data: Path) -> None:
    with serving("--data-dir", str(data)) as service:
        requests.post(f"{service.url}/flows/Kept", json={}, timeout=120)
        lock = data / "postgres" / "postmaster.pid"

        def create(number: int) -> int:
            if number == 30:
                os.kill(int(lock.read_text().splitlines()[0]), 9)
            answers = list[requests.Response]()

            def answered() -> bool:
                answers.append(requests.post(f"{service.url}/flows/Kept/run", json={}, timeout=120))
                assert answers[-1].status_code in (200, 503), answers[-1].text
                return answers[-1].status_code == 200

            wait_until(answered)
            return int(answers[-1].json()["run_number"])

        with ThreadPoolExecutor(8) as pool:
            acknowledged = set(pool.map(create, range(100)))
        found = {run["run_number"] for run in requests.get(f"{service.url}/flows/Kept/runs", timeout=120).json()}
        assert len(acknowledged) == 100
        assert acknowledged <= found
