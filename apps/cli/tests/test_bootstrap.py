"""The first program of a job, in an image that has nothing of ours, against a server that says what it is told to."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import attrs
import botocore
import pytest
from stepwell.deploying.bootstrap import bootstrap_command

PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
MAIN = """
import os, sys
def main(folder):
    print("main in", os.path.samefile(folder, os.getcwd()), open("table.csv").read())
    print(os.environ["STEPWELL_DEPENDENCIES"], os.environ["AWS_DATA_PATH"], os.environ["PYTHONPATH"])
    return 7
"""


def package(python: str = PYTHON, machine: str = platform.machine()) -> bytes:
    """A code package of another stepwell than the one that is installed here."""
    info = {"python": python, "machine": machine, "versions": {"stepwell": "0.0.0.other"}}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("package.json", json.dumps(info))
        archive.writestr("flow/table.csv", "1,2")
        for folder in ("stepwell", "stepwell/deploying", "stepwell/execution"):
            archive.writestr(f"lib/{folder}/__init__.py", "")
        archive.writestr("lib/stepwell/execution/leaving.py", "import sys\nleave = sys.exit\n")
        archive.writestr("lib/stepwell/deploying/job.py", MAIN)
    return buffer.getvalue()


@attrs.define
class Server:
    """Gives `answers` in turn, the last one for ever, and keeps what it was asked."""

    url: str
    answers: list[tuple[int, bytes]]
    bucket_region: str = ""
    asked: list[tuple[str, str]] = attrs.field(factory=list)


@pytest.fixture
def server() -> Iterator[Server]:
    told = Server("", [])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append((self.path, self.headers.get("authorization", "")))
            if self.path == "/credentials":
                status, body = 200, b'{"AccessKeyId": "of-the-role", "SecretAccessKey": "s", "Token": "t"}'
            else:
                status, body = told.answers.pop(0) if len(told.answers) > 1 else told.answers[0]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            if told.bucket_region:
                self.send_header("x-amz-bucket-region", told.bucket_region)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        told.url = f"http://127.0.0.1:{running.server_port}"
        yield told
        running.shutdown()


def boot(server: Server, folder: Path, data: bytes, **environment: str) -> subprocess.CompletedProcess[str]:
    keys = {"AWS_ACCESS_KEY_ID": "of-the-job", "AWS_SECRET_ACCESS_KEY": "s"}
    return subprocess.run(
        [sys.executable, *bootstrap_command()[1:]], capture_output=True, text=True, timeout=120,
        env={
            "PATH": "/usr/bin:/bin", "TMPDIR": str(folder), "NO_PROXY": "127.0.0.1", "STEPWELL_S3_ENDPOINT_URL": server.url,
            "STEPWELL_PACKAGE": f"sha256:{hashlib.sha256(data).hexdigest()}", "STEPWELL_PACKAGE_URL": "s3://bucket/some key",
            **({} if "AWS_CONTAINER_CREDENTIALS_FULL_URI" in environment else keys), **environment,
        },
    )  # fmt: skip


def test_it_fetches_the_package_though_s3_stumbles_and_runs_what_is_in_it(server: Server, tmp_path: Path) -> None:
    data = package()
    server.answers = [(503, b"slow down"), (200, data)]
    done = boot(server, tmp_path, data)
    assert done.returncode == 7, done.stderr
    models = Path(botocore.__file__).parent / "data"
    assert f"main in True 1,2\nstepwell 0.0.0.other {models} " in done.stdout, (
        "what the image's botocore describes is described still"
    )
    assert done.stdout.strip().endswith("/package.zip/lib"), "imported from the archive itself"
    assert [path for path, _ in server.asked] == ["/bucket/some%20key"] * 2
    assert "Credential=of-the-job/" in server.asked[0][1]


def test_the_credentials_of_a_role_come_from_the_containers_endpoint(server: Server, tmp_path: Path) -> None:
    data = package()
    server.answers = [(200, data)]
    done = boot(server, tmp_path, data, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{server.url}/credentials")
    assert done.returncode == 7, done.stderr
    assert "Credential=of-the-role/" in server.asked[1][1]
    assert "x-amz-security-token" in server.asked[1][1]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((200, b"rubbish"), "the code package bucket/some key is damaged: its sha256 is"),
        ((403, b"<Code>AccessDenied</Code>"), "cannot be read: HTTP Error 403: Forbidden: <Code>AccessDenied</Code>"),
    ],
)
def test_what_is_wrong_is_one_sentence(server: Server, tmp_path: Path, answer: tuple[int, bytes], says: str) -> None:
    server.answers = [answer]
    done = boot(server, tmp_path, b"what should be there")
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("status", [301, 400])
def test_a_bucket_of_another_region_is_asked_again_with_that_regions_signature(
    server: Server, tmp_path: Path, status: int
) -> None:
    data = package()
    server.answers, server.bucket_region = [(status, b"<Code>the wrong region</Code>"), (200, data)], "eu-west-1"
    done = boot(server, tmp_path, data, AWS_REGION="us-east-2")
    assert done.returncode == 7, done.stderr
    assert [signature.split("/")[2] for _, signature in server.asked] == ["us-east-2", "eu-west-1"]


def test_an_image_for_another_machine_is_told_which_it_should_be_for(server: Server, tmp_path: Path) -> None:
    data = package(machine="a-machine")
    server.answers = [(200, data)]
    done = boot(server, tmp_path, data, STEPWELL_JOB_IMAGE="team/image:3")
    assert done.returncode == 1
    assert f"has Python {PYTHON} on {platform.machine()} glibc" in done.stderr
    assert f"the code package is for Python {PYTHON} on a-machine glibc" in done.stderr


def test_an_image_with_another_python_is_told_which_it_should_have(server: Server, tmp_path: Path) -> None:
    data = package(python="3.99")
    server.answers = [(200, data)]
    done = boot(server, tmp_path, data, STEPWELL_JOB_IMAGE="team/image:3")
    assert done.returncode == 1
    assert f"the image team/image:3 has Python {PYTHON} on" in done.stderr
    assert "the code package is for Python 3.99" in done.stderr
    assert "docs/your-image.md" in done.stderr
