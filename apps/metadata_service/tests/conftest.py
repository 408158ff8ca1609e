"""A real Postgres for the whole session, a database of its own for whoever needs one, and the service upon it."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from metadata_service import Settings, create_app
from metadata_service.embedded import running
from metadata_service.pool import connect
from metadata_service.schema import migrate
from support import Api, Service, serving, short_directory

TIMED = [HealthCheck.too_slow]
settings.register_profile("metadata_service", deadline=None, suppress_health_check=TIMED)  # timings never gate a test


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("metadata_service")


_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def made() -> Iterator[Path]:
    """A new server's data directory; to make one takes longer than to copy it."""
    with short_directory() as directory:
        with running(directory / "data"):
            pass
        yield directory / "data"


@contextmanager
def copied(made: Path) -> Iterator[Path]:
    with short_directory() as directory:
        subprocess.run(["cp", "-a", str(made), str(directory / "data")], check=True)  # with its owner
        yield directory / "data"


@pytest.fixture
def data(made: Path) -> Iterator[Path]:
    """The data directory of a server that has not started yet, for one test."""
    with copied(made) as data:
        yield data


@pytest.fixture(scope="session")
def postgres(made: Path) -> Iterator[str]:
    """The URL of a running server's first database; it need not survive the machine's power failing."""
    with copied(made) as data, running(data) as url:
        with closing(connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute("ALTER SYSTEM SET fsync = off")
            cursor.execute("SELECT pg_reload_conf()")
        yield url


@contextmanager
def empty_database(postgres: str) -> Iterator[str]:
    """The URL of a new database, which is dropped in the end."""
    name = f"database_{next(_numbers)}"
    with closing(connect(postgres)) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        yield postgres.replace("/postgres?", f"/{name}?")
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """The URL of an empty database."""
    with empty_database(postgres) as url:
        yield url


@pytest.fixture(scope="session")
def migrated(postgres: str) -> Iterator[str]:
    """The URL of a database at the latest schema, shared by tests that each use a flow of their own."""
    with empty_database(postgres) as url:
        with closing(connect(url)) as connection:
            migrate(connection)
        yield url


@pytest.fixture(scope="session")
def app(migrated: str) -> Flask:
    return create_app(Settings(database_url=migrated, pool_size=16))


@pytest.fixture(scope="session")
def service(migrated: str) -> Iterator[Service]:
    """The service as a process of its own, on a database shared as `migrated` is."""
    with serving("--database-url", migrated) as running_service:
        yield running_service


@pytest.fixture
def api(app: Flask) -> Api:
    return Api(app.test_client())


@pytest.fixture
def flow(api: Api) -> str:
    """The path of a new flow."""
    path = f"/flows/Flow{next(_numbers)}"
    api.made(path)
    return path


@pytest.fixture
def run(api: Api, flow: str) -> str:
    """The path of a new run."""
    return f"{flow}/runs/{api.made(f'{flow}/run')['run_number']}"


@pytest.fixture
def step(api: Api, run: str) -> str:
    """The path of a new step."""
    api.made(f"{run}/steps/start/step")
    return f"{run}/steps/start"


@pytest.fixture
def task(api: Api, step: str) -> str:
    """The path of a new task."""
    return f"{step}/tasks/{api.made(f'{step}/task')['task_id']}"
