"""The Dockerfile, as far as it can be held to account without a container engine: what it copies exists, what it runs works."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click import Command
from metadata_service.main import main
from support import Service

PACKAGE = Path(__file__).parent.parent
ROOT = PACKAGE.parent.parent


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (PACKAGE / "Dockerfile").read_text().replace("\\\n", " ")


def test_what_it_copies_is_in_the_repository(dockerfile: str) -> None:
    sources = [line.split()[1] for line in dockerfile.splitlines() if line.startswith("COPY ") and "--from" not in line]
    assert len(sources) == 2
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_it_runs_a_command_that_exists_as_nobody_special(dockerfile: str) -> None:
    (entry,) = re.findall(r"^ENTRYPOINT (.*)$", dockerfile, re.MULTILINE)
    (arguments,) = re.findall(r"^CMD (.*)$", dockerfile, re.MULTILINE)
    assert json.loads(entry) == ["metadata-service"]
    assert isinstance(main.get_command(None, json.loads(arguments)[0]), Command)  # type: ignore[arg-type]
    assert re.search(r"^USER [1-9]", dockerfile, re.MULTILINE)


def test_its_health_check_tells_a_live_service_from_none(dockerfile: str, service: Service) -> None:
    (check,) = re.findall(r"^HEALTHCHECK .*? CMD (.*)$", dockerfile, re.MULTILINE)
    program, *arguments = json.loads(check)
    assert program == "python"

    def healthy(port: int) -> bool:
        environment = {**os.environ, "METADATA_SERVICE_PORT": str(port)}
        return (
            subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=False).returncode
            == 0
        )

    assert healthy(urlsplit(service.url).port or 0)
    assert not healthy(1)


def test_the_embedded_postgres_is_not_in_it(dockerfile: str) -> None:
    assert "embedded" not in dockerfile
