"""A real Postgres for the whole session, a database of its own for whoever needs one, and the service upon it."""

from __future__ import annotations

import itertools
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from flask import Flask
from flask.testing import FlaskClient
from metadata_service import Settings, create_app
from metadata_service.embedded import running
from metadata_service.pool import connect
from metadata_service.schema import migrate

_numbers = itertools.count(1)


@contextmanager
def short_directory() -> Iterator[Path]:
    """A directory that the server's user can enter, with a path short enough for a Unix socket."""
    path = Path(tempfile.mkdtemp(prefix="pg-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a running server's first database."""
    with short_directory() as directory, running(directory / "data") as url:
        yield url


@pytest.fixture(scope="session")
def make_database(postgres: str) -> Callable[[], str]:
    """Makes an empty database and gives its URL."""

    def make() -> str:
        name = f"database_{next(_numbers)}"
        with closing(connect(postgres)) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        return postgres.replace("/postgres?", f"/{name}?")

    return make


@pytest.fixture
def database(make_database: Callable[[], str]) -> str:
    """The URL of an empty database."""
    return make_database()


@pytest.fixture(scope="session")
def migrated(make_database: Callable[[], str]) -> str:
    """The URL of a database at the latest schema, shared by tests that each use a flow of their own."""
    url = make_database()
    with closing(connect(url)) as connection:
        migrate(connection)
    return url


@pytest.fixture(scope="session")
def app(migrated: str) -> Flask:
    return create_app(Settings(database_url=migrated, pool_size=16))


@attrs.frozen
class Answer:
    """What the service answered; ``body`` is the JSON value, or the text of what is no JSON."""

    status: int
    body: Any
    headers: Any


@attrs.frozen
class Api:
    """Sends requests as clients do."""

    client: FlaskClient

    def get(self, path: str, **query: Any) -> Answer:
        return self.send("GET", path, query_string=query)

    def post(self, path: str, body: Any = None) -> Answer:
        return self.send("POST", path, data=json.dumps({} if body is None else body))

    def patch(self, path: str, body: Any) -> Answer:
        return self.send("PATCH", path, data=json.dumps(body))

    def send(self, method: str, path: str, **arguments: Any) -> Answer:
        response = self.client.open(path, method=method, **arguments)
        text = response.get_data(as_text=True)
        body = json.loads(text) if response.mimetype == "application/json" else text
        return Answer(response.status_code, body, response.headers)

    def made(self, path: str, body: Any = None) -> Any:
        """Create something, and give its record."""
        answer = self.post(path, body)
        assert answer.status == 200, answer
        return answer.body


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
