"""Metaflow itself, an old release and a new one, before and after each migration of one service's database.

Both gate themselves by the version that `/ping` tells: no heartbeats below 2.0.4, no tag mutation below 2.3.0.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest
import requests
from conftest import empty_database
from metadata_service.pool import connect
from metadata_service.schema import migrate
from support import Service, serving

FLOW = """
from metaflow import FlowSpec, step

class {name}(FlowSpec):
    @step
    def start(self):
        self.x = 41
        self.next(self.end)

    @step
    def end(self):
        self.x += 1

if __name__ == "__main__":
    {name}()
"""
BROWSE = """
import json, sys
from metaflow import Flow, namespace
namespace(None)
runs = list(Flow(sys.argv[1]).runs())
newest = runs[0]
found = {"runs": len(runs), "x": newest.data.x, "successful": newest.successful,
         "steps": sorted(step.id for step in newest.steps())}
if hasattr(newest, "add_tag"):
    try:
        newest.add_tag("good")
        found["tags"] = sorted(newest.user_tags)
    except Exception as error:
        found["refused"] = str(error)
print(json.dumps(found))
"""


@attrs.frozen
class Metaflow:
    """A release in an environment of its own."""

    version: str
    python: Path
    folder: Path

    @property
    def flow(self) -> str:
        return f"Flow{self.version.replace('.', '_')}"

    def python_with(self, url: str, *arguments: str) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("METAFLOW", "PYTHON"))}
        mine = {
            "METAFLOW_SERVICE_URL": url, "METAFLOW_DEFAULT_METADATA": "service", "METAFLOW_DEFAULT_DATASTORE": "local",
            "METAFLOW_USER": "ann", "USERNAME": "ann", "HOME": str(self.folder), "PYTHONWARNINGS": "ignore",
            "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(self.folder),
        }  # fmt: skip
        done = subprocess.run(
            [str(self.python), *arguments], capture_output=True, text=True, timeout=240, check=False,
            cwd=self.folder, env={**environment, **mine},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, url: str) -> Any:
        """Run the flow, then read it back; what was found."""
        file = self.folder / "flow.py"
        file.write_text(FLOW.format(name=self.flow))
        self.python_with(url, str(file), "--no-pylint", "run")
        return json.loads(self.python_with(url, "-c", BROWSE, self.flow).splitlines()[-1])


def install(version: str, folder: Path) -> Metaflow:
    environment = folder / "environment"
    python = environment / "bin" / "python"
    packages = [f"metaflow=={version}", "setuptools<81"]
    if uv := shutil.which("uv"):
        subprocess.run([uv, "venv", "-q", "-p", sys.executable, str(environment)], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--no-config", "-p", str(python), *packages], check=True)
    else:
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)
    return Metaflow(version, python, folder)


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> tuple[Metaflow, Metaflow]:
    old, new = (install(version, tmp_path_factory.mktemp("metaflow")) for version in ("2.2.13", "2.19.39"))
    return old, new


@pytest.fixture(scope="module")
def on_version_1(postgres: str) -> Iterator[tuple[str, Service]]:
    """A database at schema version 1, and a service upon it that is never restarted."""
    with empty_database(postgres) as url:
        with closing(connect(url)) as connection:
            migrate(connection, target=1)
        with serving("--database-url", url, "--workers", "1") as service:
            yield url, service


def test_both_work_on_every_schema_and_gate_themselves(
    clients: tuple[Metaflow, Metaflow], on_version_1: tuple[str, Service]
) -> None:
    url, service = on_version_1
    for version in (1, 2, 3):
        with closing(connect(url)) as connection:
            migrate(connection, target=version)
        with ThreadPoolExecutor(2) as pool:
            old, new = pool.map(lambda client: client.run(service.url), clients)
        common = {"runs": version, "x": 42, "successful": True, "steps": ["end", "start"]}
        assert old == common
        if version == 3:
            assert new == {**common, "tags": ["good"]}
        else:
            refused = new.pop("refused")
            assert new == common
            assert "2.3.0" in refused, refused
        for client in clients:
            newest = requests.get(f"{service.url}/flows/{client.flow}/runs?_limit=1", timeout=30).json()[0]
            assert (newest["last_heartbeat_ts"] is not None) == (version > 1)
    asked = [(line["message"], line["status"]) for line in service.log if "milliseconds" in line]
    assert [each for each in asked if each[1] >= 500] == []
