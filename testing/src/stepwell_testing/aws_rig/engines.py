"""One attempt of one Batch job: start a command, give its output line by line, kill it, wait for its exit code."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from .podman import OWNER_LABEL, die_with_parent


@dataclasses.dataclass(frozen=True)
class Attempt:
    """What Batch hands to its container agent; ``mounts`` are (host path, container path, read only)."""

    name: str
    image: str
    command: Sequence[str]
    environment: Mapping[str, str]
    mounts: Sequence[tuple[str, str, bool]] = ()


class Engine(Protocol):
    """Runs one attempt."""

    def start(self, attempt: Attempt) -> None:
        """Start it, or raise :class:`StartError`."""

    def lines(self) -> Iterator[str]:
        """Its output, both streams, live, until it ends."""

    def kill(self) -> None:
        """SIGKILL, whatever its state."""

    def wait(self) -> int:
        """Its exit code, 128 + signal if a signal ended it."""

    def clean(self) -> None:
        """Remove what it left behind."""


class StartError(Exception):
    """The attempt did not start; the message is what Batch puts into the container's ``reason``."""


class ProcessEngine:
    """The command as a process of this machine, in an empty directory, with the job's environment only."""

    def __init__(self, path: str) -> None:
        self._path = path

    def start(self, attempt: Attempt) -> None:
        """Start it."""
        self._directory = tempfile.mkdtemp(prefix="batch-job-")
        environment = {"PATH": self._path, "HOME": self._directory, "TMPDIR": self._directory, "LANG": "C.UTF-8"}
        environment.update(attempt.environment)
        program = shutil.which(attempt.command[0], path=environment["PATH"])
        if program is None:
            raise StartError(f"CannotStartContainerError: executable file {attempt.command[0]!r} not found in $PATH")
        self._process = subprocess.Popen(
            attempt.command, executable=program, cwd=self._directory, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=die_with_parent,
        )  # fmt: skip

    def lines(self) -> Iterator[str]:
        """Its output."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            yield line.decode("utf-8", "replace").rstrip("\r\n")

    def kill(self) -> None:
        """Kill it, with what it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Its exit code."""
        code = self._process.wait()
        return code if code >= 0 else 128 - code

    def clean(self) -> None:
        """Remove its directory and what it left running."""
        if process := getattr(self, "_process", None):
            self.kill()  # what the command left running in its session: a container takes everything with it
            process.stdout.close()
        shutil.rmtree(self._directory, ignore_errors=True)


FOLLOWING_SECONDS = 2.0
"""How long a log that is followed says nothing before one asks whether its container has ended."""


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")


def _lines_of(log: bytes) -> list[str]:
    return [_text(line) for line in log.removesuffix(b"\n").split(b"\n")] if log else []


class PodmanEngine:
    """The job definition's image in a container on the host's network, so that it reaches the rig on 127.0.0.1."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def start(self, attempt: Attempt) -> None:
        """Start it."""
        import docker
        import docker.errors
        import docker.types

        try:
            # create and start, not run: run would go to a registry for an image that is missing
            self._container = self._client.containers.create(
                attempt.image, list(attempt.command), environment=dict(attempt.environment), name=attempt.name,
                mounts=[docker.types.Mount(inside, host, type="bind", read_only=ro) for host, inside, ro in attempt.mounts],
                network_mode="host", log_config=docker.types.LogConfig(type="json-file"), labels={OWNER_LABEL: str(os.getpid())},
            )  # fmt: skip
            self._container.start()
        except docker.errors.ImageNotFound as error:
            raise StartError(f"CannotPullContainerError: pull image manifest: {attempt.image}: not found") from error
        except docker.errors.DockerException as error:
            raise StartError(f"CannotStartContainerError: {error}"[:255]) from error

    def lines(self) -> Iterator[str]:
        """Its output, followed; of a container that ended and whose log goes on being followed, what is left is read."""
        followed: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._follow, args=(followed,), daemon=True).start()
        given, had_ended = 0, False
        while True:
            try:
                line = followed.get(timeout=FOLLOWING_SECONDS)
            except queue.Empty:
                # podman, now and then, does not end the log of a container that ends as one begins to follow it
                if had_ended:
                    yield from _lines_of(self._container.logs(stdout=True, stderr=True))[given:]
                    return
                had_ended = self._exit_code() is not None
                continue
            if line is None:
                return
            given += 1
            yield line

    def _follow(self, lines: queue.SimpleQueue[str | None]) -> None:
        rest = b""
        try:
            for chunk in self._container.logs(stream=True, follow=True, stdout=True, stderr=True):
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    lines.put(_text(line))
            if rest:
                lines.put(_text(rest))
        finally:
            lines.put(None)

    def kill(self) -> None:
        """Kill it."""
        with contextlib.suppress(Exception):  # it may have ended, or not have begun
            self._container.kill()

    def _exit_code(self) -> int | None:
        self._container.reload()
        state = self._container.attrs["State"]
        return int(state["ExitCode"]) if state["Status"] in ("exited", "stopped", "dead") else None

    def wait(self) -> int:
        """Its exit code."""
        while (code := self._exit_code()) is None:
            time.sleep(0.05)
        return code

    def clean(self) -> None:
        """Remove the container."""
        if container := getattr(self, "_container", None):
            with contextlib.suppress(Exception):
                container.remove(force=True)


def process_engines(python: str, directory: Path) -> Callable[[], Engine]:
    """Engines whose ``python`` and ``python3`` are the interpreter ``python``.

    A script calls it, not a link: an interpreter that is called through a link loses its virtual environment.
    """
    programs = directory / "bin"
    programs.mkdir()
    for name in ("python", "python3"):
        script = programs / name
        script.write_text(f'#!/bin/sh\nexec "{python}" "$@"\n')
        script.chmod(0o755)
    return lambda: ProcessEngine(f"{programs}:/usr/local/bin:/usr/bin:/bin")


def podman_engines(address: str) -> Callable[[], Engine]:
    """Engines that share one client of podman's Docker API at ``address``."""
    import docker  # type: ignore[import-untyped,unused-ignore]

    client = docker.DockerClient(base_url=address, timeout=300)
    return lambda: PodmanEngine(client)
