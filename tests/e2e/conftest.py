"""The services that an organisation would run, for real: an S3 server, the metadata service on its Postgres, an AWS rig."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from forking import Forking
from policies import begin_recording, not_allowed, recorded, spare
from stepwell_testing.aws_rig import Rig, engines_here
from stepwell_testing.s3 import S3Server

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
SECONDS_TO_START = 240
LONGEST_COMMAND_S, LONGEST_TEST_S = 900, 1200  # how slow a machine may be, not what is expected
CALLS = pytest.StashKey[dict[str, set[str]]]()
"""What all tests called on their rigs, by role."""

# What the steps of the examples import, and what the libraries do: a container has these, a process job runs in this environment.
IMAGE = ("boto3", "attrs", "cattrs", "click", "requests", "backports.zstd", "pyfastcdc")


@attrs.frozen
class Place:
    """A directory to run flows from, and the settings in force there."""

    path: Path
    settings: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a command."""
        kept = {
            key: value for key, value in os.environ.items() if not key.startswith(("STEPWELL_", "METAFLOW_", "AWS_"))
        }
        return {
            **kept,
            "STEPWELL_CONFIG_DIR": str(self.path / "config"),
            "STEPWELL_USER": "tester",
            **self.settings,
        }

    def command(self, *arguments: str, timeout: float = LONGEST_COMMAND_S) -> subprocess.CompletedProcess[str]:
        """Run `python ...`."""
        return subprocess.run(
            [sys.executable, *arguments], cwd=self.path, env=self.environment, capture_output=True, text=True, timeout=timeout
        )  # fmt: skip

    def succeed(self, *arguments: str, timeout: float = LONGEST_COMMAND_S) -> str:
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
            stderr=log, stdout=log,
        )  # fmt: skip
        try:
            yield _url_of(process, folder / "service.log")
        finally:
            process.terminate()
            process.wait(240)
    shutil.rmtree(folder, ignore_errors=True)


def _url_of(process: subprocess.Popen[bytes], log: Path) -> str:
    give_up_at = time.monotonic() + SECONDS_TO_START
    while process.poll() is None and time.monotonic() < give_up_at:
        if found := re.search(r"(http://127\.0\.0\.1:\d+)\s", log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"the metadata service did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def forking() -> Iterator[Forking]:
    with Forking() as running:
        yield running


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
    running = Rig(engine=request.param, packages=IMAGE, job_environment=s3.environment, bucket=s3.bucket)
    with running, recording(running, request.config):
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


# ---- what is called in any of the tests is compared with the policies after the last of them


@contextlib.contextmanager
def recording(rig: Rig, config: pytest.Config) -> Iterator[None]:
    """Note what is called on a rig."""
    begin_recording(rig)
    yield
    for role, actions in recorded(rig).items():
        config.stash[CALLS].setdefault(role, set()).update(actions)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[CALLS] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(LONGEST_TEST_S))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    for role, actions in getattr(node, "workeroutput", {}).get("calls", {}).items():
        node.config.stash[CALLS].setdefault(role, set()).update(actions)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    calls = session.config.stash[CALLS]
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["calls"] = {role: sorted(actions) for role, actions in calls.items()}
    elif session.exitstatus == pytest.ExitCode.OK and policy_problems(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if problems := policy_problems(config):
        terminalreporter.section("deploy/aws/stepwell.yaml", red=True)
        terminalreporter.line("\n".join(problems))


def policy_problems(config: pytest.Config) -> list[str]:
    """What policies lack; where all tests ran, also what they need not allow."""
    calls, folder = config.stash[CALLS], Path(__file__).parent
    is_all = [Path(config.invocation_params.dir, path).resolve() for path in config.args] == [folder]
    return [*not_allowed(calls), *(spare(calls) if is_all and calls and not config.option.keyword else [])]
