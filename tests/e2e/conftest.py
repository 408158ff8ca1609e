"""The services that an organisation would run, for real: an S3 server, the metadata service on its Postgres, an AWS rig."""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from stepwell_testing.aws_rig import Rig, engines_here
from stepwell_testing.s3 import S3Server

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SECONDS_TO_START = 60

# What the steps of the examples import, and what the libraries do: a container has these, a process job runs in this environment.
IMAGE = ("boto3", "attrs", "cattrs", "click", "requests", "backports.zstd", "pyfastcdc")


@attrs.frozen
class Place:
    """A directory to run flows from, and the settings in force there."""

    path: Path
    settings: dict[str, str]

    def command(self, *arguments: str, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        """Run `python ...`."""
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("STEPWELL_", "METAFLOW_", "AWS_"))
        }
        environment = {
            **kept,
            "STEPWELL_CONFIG_DIR": str(self.path / "config"),
            "STEPWELL_USER": "tester",
            **self.settings,
        }
        return subprocess.run(
            [sys.executable, *arguments], cwd=self.path, env=environment, capture_output=True, text=True, timeout=timeout
        )  # fmt: skip

    def succeed(self, *arguments: str, timeout: float = 240) -> str:
        """Run `python ...` and see it succeed; gives what it printed."""
        done = self.command(*arguments, timeout=timeout)
        assert done.returncode == 0, f"{' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def client(self, program: str) -> str:
        """What a program prints that uses the Client API."""
        return self.succeed("-c", f"from stepwell import *\n{program}").strip()


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """A copy of the examples, so that runs leave nothing behind."""
    return Path(
        shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns(".stepwell", "__pycache__"))
    )


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    with S3Server() as server:
        yield server


@pytest.fixture(scope="session")
def service() -> Iterator[str]:
    """The URL of a metadata service on its embedded Postgres."""
    folder = Path(tempfile.mkdtemp(prefix="meta-"))
    folder.chmod(0o755)  # as root, the database runs as another user
    with (folder / "service.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "metadata_service", "serve", "--port", "0", "--data-dir", str(folder / "data")],
            stderr=subprocess.PIPE, stdout=log, text=True,
        )  # fmt: skip
        try:
            yield _url_of(process)
        finally:
            process.terminate()
            process.communicate(timeout=60)
    shutil.rmtree(folder, ignore_errors=True)


def _url_of(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    said = ""
    while select.select([process.stderr], [], [], SECONDS_TO_START)[0] and (line := process.stderr.readline()):
        said += line
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found.group()
    raise RuntimeError(f"the metadata service did not start:\n{said}")


@pytest.fixture
def shared(examples: Path, s3: S3Server, service: str) -> Place:
    """Shared mode: the datastore on S3, the metadata in the service."""
    return Place(examples, {**shared_settings(s3, service), **s3.environment})


def shared_settings(s3: S3Server, service: str) -> dict[str, str]:
    return {
        "STEPWELL_METADATA": "service",
        "STEPWELL_SERVICE_URL": service,
        "STEPWELL_DATASTORE": "s3",
        "STEPWELL_DATASTORE_ROOT": f"s3://{s3.bucket}/stepwell",
        "STEPWELL_S3_ENDPOINT_URL": s3.url,
    }


@pytest.fixture(scope="session", params=engines_here())
def rig(request: pytest.FixtureRequest, s3: S3Server) -> Iterator[Rig]:
    """Batch and Step Functions; its jobs use the S3 server."""
    with Rig(engine=request.param, packages=IMAGE, job_environment=s3.environment, bucket=s3.bucket) as running:
        yield running


@pytest.fixture
def cluster(shared: Place, rig: Rig, s3: S3Server) -> Place:
    """Shared mode with a cluster and the production scheduler."""
    settings = {
        **shared.settings,
        **rig.aws_env(),
        "STEPWELL_AWS_ENDPOINT_URL": rig.url,
        "STEPWELL_BATCH_QUEUE": rig.queue,
        "STEPWELL_BATCH_IMAGE": rig.image,
        "STEPWELL_SFN_ROLE": rig.role,
    }
    return Place(shared.path, settings)
