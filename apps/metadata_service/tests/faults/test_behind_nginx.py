"""Two instances behind a real nginx, as docs/ tells administrators to set it up: killed, started again, replaced, migrated.

All under load of several clients. Nobody gets an error, and what was acknowledged is there in the end, once.
"""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import attrs
import metadata_service
import pytest
import requests
from meta_client import Artifact, Metadatum, ServiceStore, Step, Task
from metadata_service.pool import connect
from metadata_service.schema import migrate
from stepwell_testing.nginx import documented_site, nginx, nginx_available
from stepwell_testing.ports import kept_ports
from support import Service, serving, short_directory, wait_until

pytestmark = pytest.mark.skipif(not nginx_available(), reason="needs nginx")

SITE = documented_site(Path(__file__).parents[4] / "docs" / "how-to" / "shared-mode.md")
PORTS_OF_SITE = (8081, 8082)
CLIENTS = 4
TASKS = 5
PATIENCE_S = (
    240  # on a machine that stalls nginx may take the one instance that can answer for away, for as long as it stalls
)
PAUSE_S = 0.05  # between the runs of a client, so that there are not too many to look for in the end


@attrs.define
class Instances:
    """Two services on one database, each on a port that it keeps over its lives, and nginx before them."""

    database: str
    url: str
    ports: tuple[int, ...]
    lives: ExitStack
    running: dict[int, Service]

    def start(self, number: int, environment: Mapping[str, str] | None = None) -> Service:
        """Start an instance, of the code that the environment names."""
        arguments = ("--database-url", self.database, "--workers", "1", "--port", str(self.ports[number]))
        self.running[number] = self.lives.enter_context(serving(*arguments, environment=environment))
        return self.running[number]


@contextmanager
def behind_nginx(database: str) -> Iterator[Instances]:
    with kept_ports(3) as (*ports, of_nginx), short_directory() as folder, ExitStack() as lives:
        placed = {**dict(zip(PORTS_OF_SITE, ports, strict=True)), 8080: of_nginx}
        # nginx ends first: a service that stops gives open connections two seconds
        with nginx(SITE, placed, folder) as url:
            yield Instances(database, url, tuple(ports), lives, {})


class Load:
    """Clients that make runs of five tasks, one after the other, until it is left; knows what was acknowledged."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(CLIENTS)
        self._clients: list[Future[None]] = []
        self.acknowledged: Counter[str] = Counter()

    def __enter__(self) -> Load:
        with ServiceStore(self._url) as store:
            store.create_flow("Kept")
        self._clients = [self._pool.submit(self._work, number) for number in range(CLIENTS)]
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._pool.shutdown()

    def go_on(self, count: int = 12) -> None:
        """Until so many more runs are acknowledged; what a client was refused is raised here."""
        target = self.acknowledged.total() + count
        wait_until(lambda: self.acknowledged.total() >= target or any(one.done() for one in self._clients))
        for client in self._clients:
            if client.done():
                client.result()

    def ended(self) -> None:
        """Raise what a client was refused."""
        for client in self._clients:
            client.result()

    def _work(self, number: int) -> None:
        with ServiceStore(self._url, retry_for=PATIENCE_S) as store:
            while not self._over.wait(PAUSE_S):
                run = f"run{number}-{self.acknowledged[str(number)]}"
                store.create_run("Kept", run_id=run)
                store.register_many(records(run))
                store.heartbeat(store.get_run("Kept", run))
                self.acknowledged[str(number)] += 1

    def lost_or_doubled(self) -> list[str]:
        """Names of runs that are not there as they were acknowledged."""
        runs = [f"run{number}-{which}" for number, count in self.acknowledged.items() for which in range(count)]
        with requests.Session() as session:
            return [run for run in runs if not self._is_whole(session, run)]

    def _is_whole(self, session: requests.Session, run: str) -> bool:
        path, tasks = f"{self._url}/flows/Kept/runs/{run}", [f"t{number}" for number in range(TASKS)]
        noted, found = (session.get(f"{path}/{kind}", timeout=120).json() for kind in ("metadata", "artifacts"))
        return (
            sorted(one["value"] for one in noted) == tasks
            and sorted((one["task_id"], one["location"]) for one in found) == [(task, task) for task in tasks]
        )  # fmt: skip


def records(run: str) -> list[Any]:
    step = {"flow_id": "Kept", "run_id": run, "step_name": "s"}
    found: list[Any] = [Step(**step)]
    for number in range(TASKS):
        path = {**step, "task_id": (task := f"t{number}")}
        found += [
            Task(**path),
            Artifact(name="x", location=task, **path),
            Metadatum(field_name="n", value=task, **path),
        ]
    return found


def was_asked(service: Service) -> bool:
    return any("milliseconds" in line for line in service.log)


def test_an_instance_may_be_killed_and_started_again_under_load(migrated: str) -> None:
    with behind_nginx(migrated) as instances:
        first, second = instances.start(0), instances.start(1)
        with Load(instances.url) as load:
            load.go_on()
            first.kill()
            load.go_on()
            again = instances.start(0)
            wait_until(lambda: was_asked(again))
            load.go_on()
        load.ended()
        assert load.lost_or_doubled() == []
        assert was_asked(first)
        assert was_asked(second)


@pytest.fixture(scope="module")
def before_the_last_migration(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a service as this one, that knows the migrations up to the last but one: what a release before was.

    It shows what an older service does about a schema that it does not know, not that this code is compatible with older code.
    """
    folder = tmp_path_factory.mktemp("older")
    package = shutil.copytree(Path(metadata_service.__file__).parent, folder / "metadata_service")
    *_, last = sorted((package / "migrations").glob("*.sql"))
    last.unlink()
    return {"PYTHONPATH": str(folder)}


def test_a_rolling_deployment_serves_throughout(database: str, before_the_last_migration: dict[str, str]) -> None:
    """Old and new on the older schema, the migration while one of the old is left, and the new alone."""
    with closing(connect(database)) as connection, behind_nginx(database) as instances:
        migrate(connection, target=2)
        older = [instances.start(number, before_the_last_migration) for number in (0, 1)]
        with Load(instances.url) as load:
            load.go_on()
            assert older[0].stop() == 0
            newer = instances.start(0)
            wait_until(lambda: was_asked(newer))
            assert [ready(service) for service in (newer, older[1])] == [
                {"status": "ready", "schema": 2, "latest": 3, "command": "metadata-service migrate"},
                {"status": "ready", "schema": 2},
            ]
            migrate(connection)
            wait_until(lambda: requests.get(f"{older[1].url}/flows", timeout=120).status_code == 503)
            assert "install a later metadata-service" in ready(older[1])["message"]
            load.go_on()
            assert older[1].stop() == 0
            instances.start(1)
            load.go_on()
        load.ended()
        assert [ready(service) for service in instances.running.values()] == [{"status": "ready", "schema": 3}] * 2
        assert load.lost_or_doubled() == []


def ready(service: Service) -> Any:
    return requests.get(f"{service.url}/readyz", timeout=120).json()
