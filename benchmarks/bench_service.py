"""The metadata service under the mix of requests that runs send, by eight clients; beside another service if its URL is given.

python benchmarks/bench_service.py [URL]        URL of a Netflix/metaflow-service with one process, on a Postgres of this machine

One worker process and its embedded Postgres. Writes are those of a task: run, step, task, 6 metadata, 10 artifacts, heartbeats;
reads are those of the Client. Both services are asked in turn. With bulk registration, which the original does not have, many
tasks with all their rows go in one request. CPU is that of our service and its Postgres.
"""

from __future__ import annotations

import http.client
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench_service_large import cpu_s, service
from metadata_service.embedded import _processes_of, running
from metadata_service.pool import connect
from metadata_service.schema import migrate

CLIENTS = 8
SECONDS = 8.0
TAGS = {"user_name": "ann", "tags": ["nightly"], "system_tags": ["user:ann", "metaflow_version:2.19.39"]}
METADATA = [{"field_name": f"field{n}", "value": "v", "type": "t", "tags": ["attempt_id:0"]} for n in range(6)]
ARTIFACTS = [
    {"name": f"a{n}", "location": f"s3://bucket/{n}", "ds_type": "s3", "sha": "0" * 40, "attempt_id": 0}
    for n in range(10)
]
BATCH = 100


class Client:
    """One client of a service; `sent` counts its requests, `artifacts_ms` the times of its artifact posts.

    It is as simple as can be: what it takes of the cores that it shares with the service counts against that.
    """

    def __init__(self, url: str, flow: str) -> None:
        self._connection, self.flow = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60), f"/flows/{flow}"
        self.sent, self.tasks, self.artifacts_ms = 0, 0, list[float]()

    def send(self, method: str, path: str, body: Any = None, *, also: tuple[int, ...] = ()) -> Any:
        """One request, that has to succeed."""
        data = None if body is None else json.dumps(body)
        self._connection.request(method, path, data, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 300 and answer.status not in also:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
        self.sent += 1
        return json.loads(content)

    def write(self) -> str:
        """What a run of one task sends; its path."""
        run = f"{self.flow}/runs/{self.send('POST', f'{self.flow}/run', TAGS)['run_number']}"
        self.send("POST", f"{run}/steps/start/step", TAGS)
        task = f"{run}/steps/start/tasks/{self.send('POST', f'{run}/steps/start/task', TAGS)['task_id']}"
        self.send("POST", f"{task}/metadata", METADATA)
        began = time.perf_counter()
        self.send("POST", f"{task}/artifact", ARTIFACTS)
        self.artifacts_ms.append((time.perf_counter() - began) * 1000)
        for path in (run, task):
            self.send("POST", f"{path}/heartbeat", {}, also=(404,))  # the original's answer to one that comes early
        self.tasks += 1
        return task

    def read(self, task: str) -> None:
        """What a look at a task sends."""
        run = task.partition("/steps/")[0]
        for path in (run, f"{run}/steps", f"{run}/steps/start/tasks", task, f"{task}/artifacts", f"{task}/metadata"):
            self.send("GET", path)
        self.send("GET", f"{task}/artifacts/a0")

    def bulk(self) -> None:
        """Many tasks with all their rows in one request."""
        run = f"{self.flow}/runs/{self.send('POST', f'{self.flow}/run', TAGS)['run_number']}"
        refs = [{"step_name": "start", "task_id": f"t{n}"} for n in range(BATCH)]
        rows = {
            "steps": [{"step_name": "start"}], "tasks": refs,
            "artifacts": [{**ref, **row} for ref in refs for row in ARTIFACTS],
            "metadata": [{**ref, **row} for ref in refs for row in METADATA],
        }  # fmt: skip
        self.send("POST", f"{run}/bulk", rows)
        self.tasks += BATCH


def measured(url: str, what: Callable[[Client], None], clients: int) -> tuple[float, float, list[float]]:
    """Requests and tasks a second, and the times of the artifact posts."""
    everyone = [Client(url, "Bench") for _ in range(clients)]
    everyone[0].send("POST", "/flows/Bench", {}, also=(409,))
    everyone[0].sent = 0
    deadline = time.monotonic() + SECONDS

    def work(client: Client) -> None:
        while time.monotonic() < deadline:
            what(client)

    threads = [threading.Thread(target=work, args=(client,)) for client in everyone]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    times = [each for client in everyone for each in client.artifacts_ms]
    return sum(c.sent for c in everyone) / seconds, sum(c.tasks for c in everyone) / seconds, times


def report(name: str, url: str, pids: Callable[[], list[int]] | None) -> None:
    """Print the rows of one service."""
    task = [""]

    def write(client: Client) -> None:
        task[0] = client.write()

    def row(what: str, work: Callable[[Client], None], clients: int = CLIENTS) -> None:
        cpu = cpu_s(pids()) if pids else 0.0  # a process that comes later has used none yet
        per_second, tasks, times = measured(url, work, clients)
        used = f"{(cpu_s(pids()) - cpu) * 1000 / (per_second * SECONDS):.2f}" if pids else ""
        posted = f"p95 of 10 artifacts {statistics.quantiles(times, n=20)[-1]:.1f} ms" if len(times) > 1 else ""
        print(f"| {name} | {what} | {per_second:.0f} | {tasks:.0f} | {used} | {posted} |", flush=True)

    row("writes, one client", write, 1)
    row("writes", write)
    row("reads", lambda client: client.read(task[0]))
    if pids:
        row(f"bulk, {BATCH} tasks a request", Client.bulk)


def main() -> None:
    """Measure ours, then the other if there is one."""
    sys.setswitchinterval(0.0005)  # or the clients wait for each other, not for the service
    with tempfile.TemporaryDirectory(prefix="mix-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # started by root, Postgres is another user
        with running(folder / "data") as database:
            with closing(connect(database)) as connection:
                migrate(connection)
            with service(database, folder) as (url, worker):
                print("| service | mix | requests/s | tasks/s | CPU, ms a request | |\n|---|---|---|---|---|---|")
                report("ours", url, lambda: [worker, *_processes_of(folder / "data" / "postgres")])
    for other in sys.argv[1:]:
        report("other", other, None)


if __name__ == "__main__":
    main()
