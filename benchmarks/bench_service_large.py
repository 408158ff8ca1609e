"""The metadata service upon a long history: the requests of people and clients, with a million runs and five million tasks.

python benchmarks/bench_service_large.py [RUNS]        default 1000000; seeding takes minutes and about 6 GB

One worker process and its embedded Postgres on this machine, requests one after the other through one connection. The 95th
percentile is the client's; the CPU time is that of the service and all of Postgres, which other work on the machine changes less.
The unpaged listing of 100,000 runs is what clients without pages send.
"""

from __future__ import annotations

import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import requests
from metadata_service.embedded import _processes_of, running
from metadata_service.pool import Connection, connect
from metadata_service.schema import migrate

GOAL_MS = 20
ASKED = 200
LISTED = 100_000
WIDE = 10_000

# Rows come set by set, without triggers and foreign keys, which would check one row at a time what is true of all.
SEED = """
SET session_replication_role = replica;
SET synchronous_commit = off;
INSERT INTO flows (flow_id, ts_epoch) VALUES ('Big', 1), ('Listed', 2), ('Wide', 3);
INSERT INTO runs (flow_id, user_name, ts_epoch, tags, system_tags, last_heartbeat_ts, ended)
SELECT CASE WHEN i <= %(listed)s THEN 'Listed' ELSE 'Big' END, 'user' || i %% 50, %(start_ms)s + i * 1000,
    jsonb_build_array('project:' || i %% 7, CASE WHEN i %% 2 = 0 THEN 'nightly' ELSE 'daily' END, 'build' || i / 100),
    jsonb_build_array('user:user' || i %% 50, 'stepwell_version:0.1.0', 'runtime:dev'),
    CASE WHEN i > %(runs)s - 40 THEN extract(epoch FROM now())::bigint ELSE (%(start_ms)s + i * 1000) / 1000 END,
    CASE WHEN i > %(runs)s - 40 OR i %% 50 = 7 THEN NULL WHEN i %% 12 = 5 THEN 'failed' ELSE 'completed' END
FROM generate_series(1, %(runs)s) i;
INSERT INTO run_tags (flow_id, tag, ts_epoch, run_number)
SELECT r.flow_id, tag, r.ts_epoch, r.run_number FROM runs r CROSS JOIN LATERAL tags_of(r.tags, r.system_tags) AS tag;
INSERT INTO steps (run_number, step_name, ts_epoch)
SELECT run_number, name, ts_epoch FROM runs CROSS JOIN unnest(ARRAY['start', 'train', 'end']) AS name;
INSERT INTO tasks (run_number, step_name, ts_epoch)
SELECT run_number, name, ts_epoch FROM runs CROSS JOIN unnest(ARRAY['start', 'train', 'train', 'train', 'end']) AS name;
INSERT INTO artifacts (task_id, attempt_id, name, location, ts_epoch)
SELECT task_id, 0, 'artifact' || i, 's3://bucket/' || task_id || '/' || i, ts_epoch
FROM tasks CROSS JOIN generate_series(1, 10) i WHERE task_id %% 25 = 0;
INSERT INTO runs (flow_id, ts_epoch) VALUES ('Wide', 1);
INSERT INTO steps (run_number, step_name, ts_epoch) SELECT max(run_number), 'train', 1 FROM runs;
INSERT INTO tasks (run_number, step_name, ts_epoch)
SELECT (SELECT max(run_number) FROM runs), 'train', i FROM generate_series(1, %(wide)s) i;
SET session_replication_role = DEFAULT;
"""


@contextlib.contextmanager
def service(url: str, folder: Path) -> Iterator[tuple[str, int]]:
    """One worker process; its URL and the worker's pid."""
    command = [
        sys.executable,
        "-m",
        "metadata_service",
        "serve",
        "--port",
        "0",
        "--workers",
        "1",
        "--database-url",
        url,
    ]
    log = folder / "service.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=output)
    try:
        while not (found := re.search(r"Serving on (\S+)", log.read_text())):
            if process.poll() is not None:
                raise RuntimeError(log.read_text())
            time.sleep(0.05)
        requests.get(f"{found.group(1)}/flows/Big", timeout=60)
        (worker,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield found.group(1), int(worker)
    finally:
        process.terminate()
        process.wait()


def seed(connection: Connection, runs: int) -> None:
    """A history in which most runs ended well, some failed, some were killed and a few still run."""
    start_ms = int(time.time() * 1000) - runs * 1000 - 10_000_000
    values = {"runs": runs, "listed": min(LISTED, runs // 2), "wide": WIDE, "start_ms": start_ms}
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        for statement in SEED.split(";\n"):
            if statement.strip():
                began = time.monotonic()
                cursor.execute(statement, values)
                print(f"  {time.monotonic() - began:6.1f} s  {' '.join(statement.split())[:70]}", file=sys.stderr)
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


def cpu_s(pids: Sequence[int]) -> float:
    """User and system time that processes have taken, in seconds."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def milliseconds(ask: Callable[[int], None], pids: Sequence[int], times: int = ASKED) -> tuple[float, float, float]:
    """Median and 95th percentile, and the CPU time of these processes, a request."""
    for number in range(5):
        ask(number)
    taken, cpu = [], cpu_s(pids)
    for number in range(times):
        began = time.perf_counter()
        ask(number)
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken), statistics.quantiles(taken, n=20)[-1], (cpu_s(pids) - cpu) * 1000 / times


def tasks_with_artifacts(connection: Connection) -> list[str]:
    """Paths of some."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT flow_id, run_number, step_name, task_id FROM tasks JOIN runs USING (run_number) "
            "WHERE task_id %% 25 = 0 AND task_id > %s LIMIT %s", [WIDE, ASKED]
        )  # fmt: skip
        return [f"/flows/{flow}/runs/{run}/steps/{step}/tasks/{task}" for flow, run, step, task in cursor.fetchall()]


def questions(runs: int, tasks: Sequence[str]) -> dict[str, Callable[[int], str]]:
    """What is asked, by what it is called: the path of the nth request."""
    first, spread = min(LISTED, runs // 2) + 1, runs // 2
    start = "/flows/Big/runs?_limit=100"
    return {
        "latest 100 runs of a flow": lambda n: start,
        "by a tag of every other run": lambda n: f"{start}&_tags=nightly",
        "by a tag of 100 runs": lambda n: f"{start}&_tags=build{(runs - n * 1000) // 100 - 5}",
        "by a common and a rare tag": lambda n: f"{start}&_tags=nightly,build{(runs - n * 1000) // 100 - 5}",
        "by any of three tags": lambda n: f"{start}&_tags:any=build{runs // 100 - n},build{runs // 200},nightly",
        "by status completed": lambda n: f"{start}&status=completed",
        "by status failed": lambda n: f"{start}&status=failed",
        "by status running": lambda n: f"{start}&status=running",
        "by user": lambda n: f"{start}&user=user{n % 50}",
        "by time": lambda n: f"{start}&ts_epoch:le={int(time.time() * 1000) - 20_000_000 - n * 100_000}",
        "one run": lambda n: f"/flows/Big/runs/{first + n * 997 % spread}",
        "its steps": lambda n: f"/flows/Big/runs/{first + n * 997 % spread}/steps",
        "a page of a step of 10,000 tasks": lambda n: f"/flows/Wide/runs/{runs + 1}/steps/train/tasks?_limit=500",
        "artifacts of a task": lambda n: f"{tasks[n]}/artifacts",
    }


def listing(url: str, worker: int) -> None:
    """The unpaged listing: its time, what it adds to memory, and how long others wait."""
    waits, done = list[float](), threading.Event()

    def ask_meanwhile() -> None:
        with requests.Session() as session:
            while not done.is_set():
                began = time.perf_counter()
                session.get(f"{url}/flows/Listed", timeout=60)
                waits.append((time.perf_counter() - began) * 1000)

    before, peak = _resident_mib(worker), 0.0
    other = threading.Thread(target=ask_meanwhile)
    other.start()
    began, size = time.perf_counter(), 0
    with requests.get(f"{url}/flows/Listed/runs", stream=True, timeout=600) as answer:
        for piece in answer.iter_content(1 << 20):
            size += len(piece)
            peak = max(peak, _resident_mib(worker))
    seconds = time.perf_counter() - began
    done.set()
    other.join()
    print(
        f"| unpaged listing of {LISTED:,} runs | {seconds:.1f} s, {size / 1e6:.0f} MB; grows {peak - before:.0f} MiB (goal: 50) |"
        f" another client waits {max(waits):.0f} ms at most, {statistics.median(waits):.0f} in the median |"
    )


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def report(database: str, folder: Path, runs: int) -> None:
    """Ask a service upon the database, and print a table."""
    with closing(connect(database)) as connection:
        asked = questions(runs, tasks_with_artifacts(connection))
    with service(database, folder) as (url, worker), requests.Session() as session:
        pids = [worker, *_processes_of(folder / "data" / "postgres")]
        print(f"\n{runs:,} runs, {5 * runs:,} tasks; goal: p95 of each at most {GOAL_MS} ms\n")
        print("| request | median, ms | p95, ms | CPU, ms |\n|---|---|---|---|")
        for what, path in asked.items():
            sizes = list[int]()

            def ask(number: int, path: Callable[[int], str] = path, sizes: list[int] = sizes) -> None:
                answer = session.get(url + path(number), timeout=60)
                if answer.status_code != 200:
                    raise RuntimeError(f"{answer.status_code} {answer.text[:500]}")
                found = answer.json()
                sizes.append(len(found) if isinstance(found, list) else 1)

            median, p95, cpu = milliseconds(ask, pids)
            missed = "" if p95 <= GOAL_MS else ", **missed**"
            print(
                f"| {what} ({statistics.median(sizes):.0f} rows) | {median:.1f} | {p95:.1f}{missed} | {cpu:.1f} |",
                flush=True,
            )
        listing(url, worker)


def main() -> None:
    """Seed, ask, print a table."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory(prefix="big-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # started by root, Postgres is another user
        with running(folder / "data") as database:
            with closing(connect(database)) as connection:
                migrate(connection)
                seed(connection, runs)
            report(database, folder, runs)


if __name__ == "__main__":
    main()
