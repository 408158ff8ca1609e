"""`metadata-service serve`: from nothing to a service, and back without a trace."""

from __future__ import annotations

import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from metadata_service.embedded import running
from metadata_service.pool import connect
from metadata_service.schema import migrate, read_state
from support import command, serving, short_directory, wait_until


def tables(url: str) -> int:
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        (count,) = cursor.fetchone() or (None,)
        return int(count)


class TestEmbedded:
    """Without any database at hand."""

    def test_starts_on_a_database_of_its_own_and_stops_with_it(self) -> None:
        with short_directory() as directory:
            data = directory / "new" / "data"
            with serving("--data-dir", str(data)) as service:
                assert service.said == f"Serving on {service.url} from the embedded Postgres in {data}\n"
                assert requests.post(f"{service.url}/flows/Kept", json={}, timeout=120).status_code == 200
                assert requests.get(f"{service.url}/readyz", timeout=120).json()["status"] == "ready"
                assert service.stop() == 0
            assert not (data / "postgres" / "postmaster.pid").exists()
            with serving("--data-dir", str(data)) as service:
                assert [flow["flow_id"] for flow in requests.get(f"{service.url}/flows", timeout=120).json()] == [
                    "Kept"
                ]
                assert service.stop(signal.SIGINT) == 0
            assert not (data / "postgres" / "postmaster.pid").exists()

    def test_two_services_share_a_directory_and_the_last_one_stops_the_database(self, data: Path) -> None:
        with serving("--data-dir", str(data)) as first:
            with serving("--data-dir", str(data)) as second:
                requests.post(f"{first.url}/flows/Shared", json={}, timeout=120)
                assert len(requests.get(f"{second.url}/flows", timeout=120).json()) == 1
                first.stop()
                assert len(requests.get(f"{second.url}/flows", timeout=120).json()) == 1
            assert not (data / "postgres" / "postmaster.pid").exists()

    def test_a_database_that_crashes_is_started_again(self, data: Path) -> None:
        with serving("--data-dir", str(data)) as service:
            requests.post(f"{service.url}/flows/Kept", json={}, timeout=120)
            lock = data / "postgres" / "postmaster.pid"
            os.kill(int(lock.read_text().splitlines()[0]), signal.SIGKILL)
            wait_until(lambda: any("started again" in line["message"] for line in service.log))
            assert [flow["flow_id"] for flow in requests.get(f"{service.url}/flows", timeout=120).json()] == ["Kept"]
            assert requests.post(f"{service.url}/flows/After", json={}, timeout=120).status_code == 200
            assert service.stop() == 0
            assert not lock.exists()

    def test_what_was_acknowledged_outlives_a_kill(self, data: Path) -> None:
        arguments = ("--data-dir", str(data))
        with serving(*arguments) as service:
            requests.post(f"{service.url}/flows/Kept", json={}, timeout=120)
            service.stop(signal.SIGKILL)
        with serving(*arguments) as service:
            assert len(requests.get(f"{service.url}/flows", timeout=120).json()) == 1
        assert not (data / "postgres" / "postmaster.pid").exists()


class TestOnAnEmptyDatabase:
    """Only `--init-if-empty` sets one up; else the operator is told, and nothing is changed."""

    def test_is_told_what_to_do(self, database: str) -> None:
        with serving("--database-url", database) as service:
            assert "run `metadata-service migrate`" in service.said
            ready = requests.get(f"{service.url}/readyz", timeout=120)
            assert (ready.status_code, ready.json()["command"]) == (503, "metadata-service migrate")
        assert tables(database) == 0

    def test_is_set_up_if_asked_for(self, database: str) -> None:
        with serving("--database-url", database, "--init-if-empty") as service:
            assert requests.get(f"{service.url}/readyz", timeout=120).status_code == 200
            assert service.said.startswith("Serving on")

    def test_one_in_use_is_never_migrated(self, database: str) -> None:
        with closing(connect(database)) as connection:
            migrate(connection, target=1)
            with serving("--database-url", database, "--init-if-empty") as service:
                assert "at schema version 1, this service wants 3" in service.said
                assert requests.get(f"{service.url}/readyz", timeout=120).json()["schema"] == 1
            assert read_state(connection).version == 1


class TestRefusals:
    """One message, no service, exit status 1."""

    def refused(self, *arguments: str, environment: dict[str, str] | None = None) -> str:
        done = command("serve", "--port", "0", *arguments, environment=environment)
        assert done.returncode == 1, done
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        return done.stderr

    def test_of_a_foreign_database(self, database: str) -> None:
        with closing(connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE flows_v3 (flow_id text)")
        said = self.refused("--database-url", database, "--init-if-empty")
        assert said.startswith("Error: this database is not ours: it holds tables of something else (flows_v3)")
        assert tables(database) == 1

    def test_of_an_address_that_is_taken(self, database: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            said = self.refused("--port", str(port), "--database-url", database)
        assert said.startswith(f"Error: cannot listen on 127.0.0.1:{port}: Address already in use")

    def test_of_what_is_no_address_of_a_database(self) -> None:
        assert "not a database address" in self.refused("--database-url", "nonsense")

    def test_of_a_database_and_a_directory(self, tmp_path: Path) -> None:
        assert "both given" in self.refused("--database-url", "host=h", "--data-dir", str(tmp_path))

    def test_of_a_directory_with_too_long_a_path(self, tmp_path: Path) -> None:
        assert "too long for a Unix socket" in self.refused("--data-dir", str(tmp_path / ("x" * 100)))

    def test_of_a_directory_that_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert "cannot write to the data directory" in self.refused("--data-dir", str(tmp_path / "file" / "data"))


def test_waits_a_while_for_a_database_that_starts_beside_it(data: Path) -> None:
    with running(data) as url:
        pass
    found: list[int] = []

    def serve() -> None:
        with serving("--database-url", url, "--init-if-empty") as service:
            found.append(requests.get(f"{service.url}/readyz", timeout=120).status_code)

    thread = threading.Thread(target=serve)
    thread.start()
    with running(data):
        thread.join(240)
    assert found == [200]


def test_finishes_what_it_is_answering_when_it_stops(database: str) -> None:
    """A mutation that waits for another's lock is answered, although the service was told to stop meanwhile."""
    with serving("--database-url", database, "--init-if-empty") as service, closing(connect(database)) as other:
        requests.post(f"{service.url}/flows/F", json={}, timeout=120)
        requests.post(f"{service.url}/flows/F/run", json={"run_number": "r"}, timeout=120)
        path, answers = f"{service.url}/flows/F/runs/r/tag/mutate", list[Any]()

        def mutate() -> None:
            answers.append(requests.patch(path, json={"tags_to_add": ["late"]}, timeout=240).json())

        with other.cursor() as cursor:
            cursor.execute("BEGIN; SELECT 1 FROM runs FOR UPDATE")
            thread = threading.Thread(target=mutate)
            thread.start()
            wait_until(lambda: is_waiting(database))
            service.process.send_signal(signal.SIGTERM)
            wait_until(lambda: not accepts(service.url))
            cursor.execute("COMMIT")
        thread.join(240)
        assert answers == [{"tags": ["late"]}]
        assert service.process.wait(240) == 0


def test_stops_at_once_although_it_has_only_just_begun(migrated: str, tmp_path: Path) -> None:
    """Told to stop while its workers are still starting, it does not wait out their grace, which is longer here than a test."""
    (tmp_path / "sitecustomize.py").write_text("import metadata_service.serving as one; one.GRACE_S = 100_000")
    for _ in range(4):
        arguments = ("--database-url", migrated, "--workers", "8")
        with serving(*arguments, environment={"PYTHONPATH": str(tmp_path)}) as service:
            assert service.stop() == 0


def is_waiting(url: str) -> bool:
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return cursor.fetchone() != (0,)


def accepts(url: str) -> bool:
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5).close()
    except OSError:
        return False
    return True


def test_all_routes_may_be_mounted_below_a_path(migrated: str) -> None:
    with serving("--database-url", migrated, "--prefix", "meta/data/") as service:
        assert service.url.endswith("/meta/data")
        assert requests.get(f"{service.url}/ping", timeout=120).text == "pong"
        assert requests.get(f"{service.url.removesuffix('/meta/data')}/ping", timeout=120).status_code == 404


def test_the_variables_of_existing_deployments_set_it_up(migrated: str) -> None:
    """When runs are taken for dead, and how many connections there are at most."""
    theirs = {"MF_METADATA_DB_DSN": migrated, "RUN_INACTIVE_CUTOFF_TIME": "1", "MF_METADATA_DB_POOL_MAX": "1"}
    with closing(connect(migrated)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        began = cursor.fetchone()
    with serving("--workers", "1", environment=theirs) as service:
        requests.post(f"{service.url}/flows/Theirs", json={}, timeout=120)
        requests.post(f"{service.url}/flows/Theirs/run", json={}, timeout=120)
        runs = f"{service.url}/flows/Theirs/runs?status="
        wait_until(lambda: len(requests.get(f"{runs}failed", timeout=120).json()) == 1)
        assert requests.get(f"{runs}running", timeout=120).json() == []
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: requests.get(f"{service.url}/flows", timeout=120), range(40)))
        with closing(connect(migrated)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND query LIKE 'EXECUTE%%' AND backend_start > %s",
                began,
            )
            assert cursor.fetchone() == (1,)


def test_says_so_where_others_can_reach_it(migrated: str) -> None:
    with serving("--database-url", migrated, "--host", "0.0.0.0") as service:
        assert service.said.startswith("Warning: whoever reaches http://0.0.0.0:")
