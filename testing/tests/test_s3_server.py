"""What tests may rely on in the S3 server."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from stepwell_testing import s3
from stepwell_testing.s3 import S3Server


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with S3Server() as running:
        yield running


@pytest.fixture
def client(server: S3Server) -> Any:
    return server.client()


def test_what_is_put_is_got_whole_and_by_range(server: S3Server, client: Any) -> None:
    client.put_object(Bucket=server.bucket, Key="a/b", Body=b"0123456789")
    assert client.get_object(Bucket=server.bucket, Key="a/b")["Body"].read() == b"0123456789"
    assert client.get_object(Bucket=server.bucket, Key="a/b", Range="bytes=3-5")["Body"].read() == b"345"


def test_of_conditional_writers_one_makes_the_name(server: S3Server, client: Any) -> None:
    def create(value: bytes) -> bool:
        try:
            client.put_object(Bucket=server.bucket, Key="raced", Body=value, IfNoneMatch="*")
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 412:
                raise
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, (b"%d" % number for number in range(8)))) == 1


def test_a_wrong_key_is_refused(server: S3Server, client: Any) -> None:
    server_with_wrong_key = S3Server()
    server_with_wrong_key.url, server_with_wrong_key.secret_key = server.url, "wrong"
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        server_with_wrong_key.client().list_objects_v2(Bucket=server.bucket)


def test_the_environment_is_enough_for_another_process(server: S3Server) -> None:
    program = f"import boto3; boto3.client('s3').put_object(Bucket={server.bucket!r}, Key='from-outside', Body=b'x')"
    others = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    subprocess.run([sys.executable, "-c", program], env={**others, **server.environment}, check=True)
    assert server.client().head_object(Bucket=server.bucket, Key="from-outside")["ContentLength"] == 1


def test_a_second_server_has_data_of_its_own_and_takes_it_along(server: S3Server) -> None:
    with S3Server(bucket="another") as second:
        second.client().put_object(Bucket="another", Key="x", Body=b"x")
        assert [bucket["Name"] for bucket in server.client().list_buckets()["Buckets"]] == [server.bucket]
        directory, port = Path(second._directory), int(second.url.rpartition(":")[2])
    assert not directory.exists()
    assert not _answers(port)


def test_nothing_is_left_when_the_starting_process_is_killed() -> None:
    program = (
        "from stepwell_testing.s3 import S3Server\nimport time\n"
        "with S3Server() as server: print(server.url, server._directory, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        url, directory = parent.stdout.readline().split()
        port = int(url.rpartition(":")[2])
        assert _answers(port)
        parent.send_signal(signal.SIGKILL)
    give_up_at = time.monotonic() + 240
    while time.monotonic() < give_up_at:
        if not _answers(port) and not Path(directory).exists():
            break
        time.sleep(0.02)
    assert not _answers(port)
    assert not Path(directory).exists()


def test_a_server_that_does_not_start_shows_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "echo this goes wrong >&2; exit 3"
    monkeypatch.setattr(s3, "_command", lambda *_: ["sh", "-c", said])
    with pytest.raises(RuntimeError, match="this goes wrong"):
        S3Server().__enter__()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
