"""What tests share: requests as clients send them, places for databases, and the service as a process."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
from flask.testing import FlaskClient


@contextmanager
def short_directory() -> Iterator[Path]:
    """A directory that the database's user can enter, with a path short enough for a Unix socket."""
    path = Path(tempfile.mkdtemp(prefix="pg-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def wait_until(condition: Callable[[], bool], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)


@attrs.frozen
class Answer:
    """What the service answered; ``body`` is the JSON value, or the text of what is no JSON."""

    status: int
    body: Any
    headers: Any


@attrs.frozen
class Api:
    """Sends requests as clients do."""

    client: FlaskClient

    def get(self, path: str, **query: Any) -> Answer:
        return self.send("GET", path, query_string=query)

    def post(self, path: str, body: Any = None) -> Answer:
        return self.send("POST", path, data=json.dumps({} if body is None else body))

    def patch(self, path: str, body: Any) -> Answer:
        return self.send("PATCH", path, data=json.dumps(body))

    def send(self, method: str, path: str, **arguments: Any) -> Answer:
        response = self.client.open(path, method=method, **arguments)
        text = response.get_data(as_text=True)
        body = json.loads(text) if response.mimetype == "application/json" else text
        return Answer(response.status_code, body, response.headers)

    def made(self, path: str, body: Any = None) -> Any:
        """Create something, and give its record."""
        answer = self.post(path, body)
        assert answer.status == 200, answer
        return answer.body


@attrs.define
class Service:
    """`metadata-service serve` as a process."""

    process: subprocess.Popen[str]
    folder: Path
    url: str = ""

    @property
    def said(self) -> str:
        """Its stderr so far."""
        return (self.folder / "stderr").read_text()

    @property
    def log(self) -> list[dict[str, Any]]:
        """Its log so far."""
        whole, _, _ = (self.folder / "stdout").read_text().rpartition("\n")  # the last line may still be written
        return [json.loads(line) for line in whole.splitlines()]

    def wait_until_ready(self) -> None:
        serving_on = re.compile(r"Serving on (http://\S+)\s")
        wait_until(lambda: serving_on.search(self.said) is not None or self.process.poll() is not None)
        found = serving_on.search(self.said)
        assert found, self.said
        self.url = found.group(1)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal; the exit status."""
        self.process.send_signal(how)
        return self.process.wait(240)

    def kill(self) -> None:
        """Kill it with all its workers, as the end of a container does."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(240)


@contextmanager
def serving(*arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Service]:
    """The service on a free port, until the end of the block."""
    with short_directory() as folder:
        with (folder / "stdout").open("w") as stdout, (folder / "stderr").open("w") as stderr:
            process = subprocess.Popen(
                [*COMMAND, "serve", "--port", "0", *arguments],
                stdout=stdout, stderr=stderr, text=True, env=clean_environment(environment),
                start_new_session=True,
            )  # fmt: skip
        service = Service(process, folder)
        try:
            service.wait_until_ready()
            yield service
        finally:
            if process.poll() is None:
                service.stop()


COMMAND = [sys.executable, "-m", "metadata_service"]


def command(*arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `metadata-service` to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=clean_environment(environment),
    )


def clean_environment(more: Mapping[str, str] | None) -> dict[str, str]:
    mine = {
        name: value for name, value in os.environ.items() if not name.startswith(("METADATA_SERVICE", "MF_METADATA"))
    }
    return {**mine, **(more or {})}


@contextmanager
def relayed(port: int, path: Path) -> Iterator[None]:
    """A Unix socket reachable through a port of 127.0.0.1, for who is in a container."""
    listener = socket.create_server(("127.0.0.1", port))

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(path))
            for pair in ((client, server), (server, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
