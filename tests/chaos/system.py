"""What an organisation runs, made to be hurt: Postgres, two service instances behind a balancer, S3 behind a proxy."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import attrs
from metadata_service.embedded import running
from stepwell_testing.balancer import Balancer
from stepwell_testing.faulty_proxy import Answer, Proxy, Request, Reset
from stepwell_testing.ports import kept_ports
from stepwell_testing.s3 import S3Server

SECONDS_TO_START = 240


class Instances:
    """Instances of the metadata service, each on a port that it keeps over its lives."""

    def __init__(self, database_url: str, log: Path, count: int = 2) -> None:
        self._database_url, self._log = database_url, log
        self._kept = ExitStack()
        self.ports = self._kept.enter_context(kept_ports(count))
        self._processes: list[subprocess.Popen[bytes]] = [self._start(port) for port in self.ports]
        for port in self.ports:
            wait_for_port(port)

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "metadata_service", "serve", "--workers", "1", "--port", str(port)]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [*command, "--database-url", self._database_url], stdout=log, stderr=log, start_new_session=True
            )

    def kill(self, number: int) -> None:
        """Kill an instance with all its workers."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._processes[number].pid, signal.SIGKILL)
        self._processes[number].wait()

    def restart(self, number: int) -> None:
        """Start an instance again that was killed; returns before it answers."""
        self._processes[number] = self._start(self.ports[number])

    def close(self) -> None:
        """End them all."""
        for number in range(len(self.ports)):
            self.kill(number)
        self._kept.close()


class Database:
    """A Postgres that can be killed and comes back with its data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lives = ExitStack()
        self.url = self._lives.enter_context(running(folder))

    def kill(self) -> None:
        """SIGKILL its first process; the others end of it."""
        pid = int((self._folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)

    def restart(self) -> None:
        """Start it again, with recovery."""
        self._lives.enter_context(running(self._folder))

    def close(self) -> None:
        """Stop it."""
        self._lives.close()


@attrs.frozen
class System:
    """All services, and the settings with which a flow uses them."""

    folder: Path
    s3: S3Server
    proxy: Proxy
    database: Database
    instances: Instances
    settings: dict[str, str]

    def start(self, *arguments: str, journal: Path | None = None, log: Path) -> subprocess.Popen[bytes]:
        """Start `python ...` with these settings, in a process group of its own, its output in a file."""
        with log.open("ab") as output:
            return subprocess.Popen(
                [sys.executable, *arguments], cwd=self.folder, env=self._environment(journal), stdout=output,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def run(self, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run `python ...` with these settings."""
        return subprocess.run(
            [sys.executable, *arguments], cwd=self.folder, env=self._environment(None), capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip

    def _environment(self, journal: Path | None) -> dict[str, str]:
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("STEPWELL_", "METAFLOW_", "AWS_"))
        }
        return {**kept, **self.settings, "CHAOS_JOURNAL": str(journal or os.devnull), "CHAOS_PAUSE": "0.03"}


@contextlib.contextmanager
def whole_system(folder: Path) -> Iterator[System]:
    """Start everything; end everything."""
    with ExitStack() as stack:
        s3 = stack.enter_context(S3Server())
        proxy = stack.enter_context(Proxy(s3.url))
        database = Database(folder / "db")
        stack.callback(database.close)
        migrated = [sys.executable, "-m", "metadata_service", "migrate", "--database-url", database.url]
        subprocess.run(migrated, check=True, capture_output=True)
        instances = Instances(database.url, folder / "service.log")
        stack.callback(instances.close)
        balancer = stack.enter_context(Balancer(instances.ports))
        settings = {
            "STEPWELL_CONFIG_DIR": str(folder / "config"),
            "STEPWELL_USER": "chaos",
            "STEPWELL_METADATA": "service",
            "STEPWELL_SERVICE_URL": balancer.url,
            "STEPWELL_DATASTORE": "s3",
            "STEPWELL_DATASTORE_ROOT": f"s3://{s3.bucket}/stepwell",
            **s3.environment,
            "STEPWELL_S3_ENDPOINT_URL": proxy.url,
            "AWS_ENDPOINT_URL_S3": proxy.url,
        }
        yield System(folder, s3, proxy, database, instances, settings)


class Weather:
    """A thread that hurts one service after the other, and mends it again, until it is left; counts what it did."""

    def __init__(self, system: System, seed: int) -> None:
        self._system, self._random = system, random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._blow)
        self.done: Counter[str] = Counter()
        self.error: Exception | None = None

    def __enter__(self) -> Weather:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _blow(self) -> None:
        faults = [self._kill_instance, self._kill_postgres, self._throttle_s3, self._cut_s3]
        try:
            while not self._over.wait(self._random.uniform(0.3, 1.0)):
                self._random.choice(faults)()
        except Exception as error:  # told by the test, which waits for nobody else
            self.error = error

    def _kill_instance(self) -> None:
        number = self._random.randrange(len(self._system.instances.ports))
        self._system.instances.kill(number)
        self.done["service instances killed"] += 1
        time.sleep(self._random.uniform(0, 0.5))
        self._system.instances.restart(number)
        wait_for_port(self._system.instances.ports[number])

    def _kill_postgres(self) -> None:
        self._system.database.kill()
        self.done["Postgres killed"] += 1
        time.sleep(self._random.uniform(0, 0.5))
        self._system.database.restart()

    def _throttle_s3(self) -> None:
        draw = random.Random(self._random.random())
        self._for_a_while(
            "S3 requests throttled", lambda: Answer("503 Slow Down", "SlowDown") if draw.random() < 0.3 else None
        )

    def _cut_s3(self) -> None:
        draw = random.Random(self._random.random())
        self._for_a_while(
            "S3 connections cut", lambda: Reset(done=draw.random() < 0.5) if draw.random() < 0.2 else None
        )

    def _for_a_while(self, kind: str, fault: object) -> None:
        def schedule(_: Request) -> Answer | Reset | None:
            chosen = fault()  # type: ignore[operator]
            self.done[kind] += chosen is not None
            return chosen  # type: ignore[no-any-return]

        self._system.proxy.schedule = schedule
        self._over.wait(self._random.uniform(0.5, 1.0))
        self._system.proxy.schedule = lambda _: None


def wait_for_port(port: int) -> None:
    """Until something listens there."""
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on port {port}")


def descendants(pid: int) -> list[int]:
    """All processes below one, from /proc."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents.setdefault(int(path.read_text().rpartition(")")[2].split()[1]), []).append(int(path.parent.name))
    found, todo = [], [pid]
    while todo:
        below = parents.get(todo.pop(), [])
        found += below
        todo += below
    return found
