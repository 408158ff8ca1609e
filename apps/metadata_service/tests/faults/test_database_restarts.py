"""A service whose database crashes or restarts under it answers 503 meanwhile, and then goes on by itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from metadata_service import Settings, create_app
from metadata_service.embedded import running
from metadata_service.pool import connect
from metadata_service.schema import migrate
from support import Api, wait_until


@pytest.fixture
def own_server(data: Path) -> Iterator[tuple[Path, Api]]:
    """The data directory of a server that the test may stop, and a service upon it."""
    with running(data) as url:
        with closing(connect(url)) as connection:
            migrate(connection)
        yield data, Api(create_app(Settings(database_url=url)).test_client())


def test_a_service_outlives_the_crash_of_its_database(own_server: tuple[Path, Api]) -> None:
    data, api = own_server
    api.made("/flows/Before")
    os.kill(int((data / "postgres" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
    wait_until(lambda: api.get("/readyz").status == 503)  # until its processes have noticed
    answer = api.get("/flows")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert api.get("/healthcheck").body == '{"status": "DOWN"}'
    assert api.get("/healthz").status == 200
    with running(data):
        assert [flow["flow_id"] for flow in api.get("/flows").body] == ["Before"]
        api.made("/flows/After")


def test_a_service_outlives_a_restart_between_requests(own_server: tuple[Path, Api]) -> None:
    data, api = own_server
    api.made("/flows/Before")
    os.kill(int((data / "postgres" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGINT)
    wait_until(lambda: not (data / "postgres" / "postmaster.pid").exists())
    with running(data):
        assert [flow["flow_id"] for flow in api.get("/flows").body] == ["Before"]
