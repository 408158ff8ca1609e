"""The side of the rig that tests hold."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from .image import ensure_image, image_name
from .podman import Podman, podman_available
from .settings import ACCOUNT, REGION, TEST_MARK, VARIABLE, Settings

ENGINES = ("process", "podman")
SECONDS_TO_START = 240


def engines_here() -> tuple[str, ...]:
    """The engines to run a test suite with: ``process``, and ``podman`` where it is installed, as it must be in CI."""
    if podman_available():
        return ENGINES
    if os.environ.get("CI", "").lower() in ("1", "true"):
        raise RuntimeError(
            "CI must run the containers, too, and podman is not installed: apt-get install -y podman crun"
        )
    return ("process",)


class Rig:
    """AWS on 127.0.0.1: Batch with real jobs, Step Functions, EventBridge, CloudWatch Logs, S3, IAM. A context manager.

    - ``engine`` -- what runs a Batch job: ``process`` (the command as a process of this machine, no image), or ``podman``
      (a container of the job definition's image; needs root, podman and crun);
    - ``home`` -- where podman's images are kept between sessions (default: a directory in the user's cache);
    - ``packages`` -- pip requirements inside :attr:`image` (podman); the image is built once per set of them;
    - ``python`` -- the interpreter that ``python`` and ``python3`` mean in a process job (default: the running one);
    - ``job_environment`` -- variables added to every job's, or put in place of the rig's. ``AWS_ENDPOINT_URL_S3`` and
      credentials among them send jobs *and* state machines to another S3 server;
    - ``parallel`` -- how many jobs run at once;
    - ``timeout_speed`` -- how many seconds of a job's timeout pass in a real one (Batch refuses timeouts below 60 s).

    While it is entered: :attr:`url`, :attr:`queue` (ARN), :attr:`role` (ARN), :attr:`bucket`, :attr:`image`,
    :meth:`aws_env`, :meth:`client`.
    """

    def __init__(
        self,
        engine: str = "process",
        *,
        home: str | os.PathLike[str] | None = None,
        packages: Sequence[str] = ("boto3",),
        python: str = sys.executable,
        job_environment: Mapping[str, str] | None = None,
        parallel: int = 4,
        timeout_speed: float = 1.0,
        bucket: str = "rig-bucket",
    ) -> None:
        if engine not in ENGINES:
            raise ValueError(f"engine {engine!r}: choose one of {', '.join(ENGINES)}")
        if engine == "podman" and not podman_available():
            raise RuntimeError("podman is not installed here: apt-get install -y podman crun")
        self.engine = engine
        self.bucket = bucket
        self.image = image_name(packages)
        self.url = ""
        self.queue = ""
        self.role = f"arn:aws:iam::{ACCOUNT}:role/rig"
        self._packages = tuple(packages)
        self._home = Path(home) if home is not None else _default_home()
        self._job_environment = dict(job_environment or {})
        self._python, self._parallel, self._timeout_speed = python, parallel, timeout_speed
        self._scratch = ""
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Rig:
        try:
            # not below home: the path of a socket must stay under 108 characters
            self._scratch = tempfile.mkdtemp(prefix="aws-rig-")
            if self.engine == "podman":
                ensure_image(Podman(self._home / "podman"), self._packages)
            self._start_server()
            self._create_resources()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the server, its jobs and its containers."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            assert process.stdout is not None
            with contextlib.suppress(OSError):
                process.stdin.close()
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            process.stdout.close()
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)

    def aws_env(self) -> dict[str, str]:
        """What a process needs in its environment to reach the rig (boto3 reads ``AWS_ENDPOINT_URL``); jobs get the same."""
        return {**self._base_environment(), "AWS_ENDPOINT_URL": self.url, **self._job_environment}

    def client(self, name: str) -> Any:
        """A boto3 client of the rig; of S3, the server that jobs use."""
        import boto3
        from botocore.config import Config

        variables = self.aws_env()
        return boto3.client(
            name,  # type: ignore[call-overload]
            region_name=REGION,
            endpoint_url=variables.get(f"AWS_ENDPOINT_URL_{name.upper()}", variables["AWS_ENDPOINT_URL"]),
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            config=Config(user_agent_appid=TEST_MARK),
        )

    def log(self) -> str:
        """What the server process has written so far, for the message of a failing test."""
        path = Path(self._scratch, "server.log")
        return path.read_text(errors="replace") if path.exists() else ""

    @staticmethod
    def _base_environment() -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def _start_server(self) -> None:
        settings = Settings(
            engine=self.engine,
            python=self._python,
            parallel=self._parallel,
            timeout_speed=self._timeout_speed,
            job_environment={**self._base_environment(), **self._job_environment},
            scratch=self._scratch,
            storage=str(self._home / "podman"),
        )
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "MOTO_"))}
        with Path(self._scratch, "server.log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stepwell_testing.aws_rig.server"], text=True, start_new_session=True,
                env={**kept, **self._base_environment(), VARIABLE: settings.to_json(),
                     "MOTO_RECORDER_FILEPATH": str(Path(self._scratch, "calls"))},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        self.url = f"http://127.0.0.1:{self._read_port()}"
        # moto runs state machines only if told to
        self._post("/moto-api/config", {"stepfunctions": {"execute_state_machine": True}})

    def _read_port(self) -> int:
        assert self._process is not None
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], SECONDS_TO_START)
        line = self._process.stdout.readline() if ready else ""
        if not line.strip().isdigit():
            raise RuntimeError(f"the AWS rig did not start:\n{self.log()[-4000:]}")
        return int(line)

    def _post(self, path: str, value: object) -> None:
        request = urllib.request.Request(
            self.url + path, json.dumps(value).encode(), {"Content-Type": "application/json"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=240) as response:
            response.read()

    def _create_resources(self) -> None:
        """One bucket (on the server that jobs use), one role, one compute environment, one queue."""
        s3, iam, batch = (self.client(name) for name in ("s3", "iam", "batch"))
        with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou, s3.exceptions.BucketAlreadyExists):
            s3.create_bucket(Bucket=self.bucket)
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        iam.create_role(RoleName="rig", AssumeRolePolicyDocument=trust)
        # no instances of EC2, whose models take seconds to load, here and in the server
        environment = batch.create_compute_environment(
            computeEnvironmentName="rig-ce", type="UNMANAGED", state="ENABLED", serviceRole=self.role
        )
        self.queue = batch.create_job_queue(
            jobQueueName="rig-queue", state="ENABLED", priority=1,
            computeEnvironmentOrder=[{"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}],
        )["jobQueueArn"]  # fmt: skip


def _default_home() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "stepwell-testing"
