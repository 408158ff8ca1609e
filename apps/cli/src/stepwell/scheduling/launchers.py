"""Where tasks run: what a launcher must do, and the two that run them on this machine."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol, TypeAlias

import attrs

from stepwell.errors import RecordError
from stepwell.execution.logs import LineSplitter
from stepwell.execution.records import TaskRecord, decode_task
from stepwell.execution.spec import TaskSpec
from stepwell.scheduling import forkserver
from stepwell.scheduling.loop import EventLoop

Facts: TypeAlias = Mapping[str, str]
"""What the metadata of a task says of where it runs."""
NOTHING: Facts = MappingProxyType({})


@attrs.frozen
class Exit:
    """How an attempt's process or job ended; `reason` is empty where it ended by itself with status 0.

    A launcher may know more: the task's `record`, one that the attempt has `handed_over` to be published, and how often the
    cluster `retried` the attempt by itself.
    """

    reason: str = ""
    record: TaskRecord | None = None
    handed_over: TaskRecord | None = None
    retried: int = 0
    facts: Facts = attrs.field(factory=dict)


class Listener(Protocol):
    """Who wants to know what attempts do."""

    def started(self, spec: TaskSpec, place: str, facts: Facts = NOTHING) -> None:
        """The attempt runs now, at `place` ("pid 17", "batch job ...")."""

    def printed(self, spec: TaskSpec, stream: str, line: bytes) -> None:
        """The attempt printed a line to a stream ("o" or "e")."""

    def exited(self, spec: TaskSpec, end: Exit) -> None:
        """The attempt is over, and everything it printed has been reported."""


class Launcher(Protocol):
    """Runs attempts somewhere and reports what they do to a listener."""

    writes_logs: bool
    limits_itself: bool
    """Whether it takes any number of attempts, and runs as many at once as is right."""

    def launch(self, spec: TaskSpec) -> None:
        """Start an attempt; returns at once."""

    def terminate(self, spec: TaskSpec, force: bool) -> None:
        """Ask an attempt to end, or (`force`) end it."""

    def close(self) -> None:
        """Let go of everything; attempts that still run are ended."""


@attrs.define(eq=False)
class Pipes:
    """The two output pipes of a local process, read by the loop from when it is `watch`ed."""

    loop: EventLoop
    printed: Callable[[str, bytes], None]
    open: dict[int, tuple[str, LineSplitter]] = attrs.field(factory=dict)
    _watched: bool = False

    def attach(self) -> tuple[int, int]:
        """Make both pipes; gives the descriptors to hand to the process, which the caller closes."""
        writers = []
        for stream in ("o", "e"):
            reader, writer = os.pipe()
            os.set_blocking(reader, False)
            self.open[reader] = (stream, LineSplitter())
            writers.append(writer)
        return writers[0], writers[1]

    def watch(self) -> None:
        """Begin to read: once it is known where the process runs, as each of its lines is shown with that."""
        self._watched = True
        for reader in self.open:
            self.loop.add_reader(reader, functools.partial(self._read, reader))

    def _read(self, reader: int) -> bool:
        try:
            data = os.read(reader, 1 << 16)
        except BlockingIOError:
            return False
        stream, splitter = self.open[reader]
        for line in splitter.feed(data) if data else splitter.end():
            self.printed(stream, line)
        if not data:
            self._close(reader)
        return bool(data)

    def drain(self) -> None:
        """Read what is there and close; a grandchild that still holds the pipe is not waited for."""
        for reader in list(self.open):
            while reader in self.open and self._read(reader):
                pass
            if reader in self.open:
                stream, splitter = self.open[reader]
                for line in splitter.end():
                    self.printed(stream, line)
                self._close(reader)

    def _close(self, reader: int) -> None:
        if self._watched:
            self.loop.remove_reader(reader)
        os.close(reader)
        del self.open[reader]


@attrs.define(eq=False)
class _Process:
    spec: TaskSpec
    pipes: Pipes
    pid: int = 0
    memory: int = -1

    def told(self) -> TaskRecord | None:
        """The record that a fork told, which thus need not be read; None where it told none, or was killed in the midst of it."""
        with os.fdopen(self.memory, "rb") as file:
            file.seek(0)
            told = file.read()
        try:
            return decode_task(told, f"of {self.spec.pathspec}")
        except RecordError:
            return None


class ForkLauncher:
    """Runs each attempt in a fork of a process that has imported the flow (see `forkserver`).

    With `hand_over` the forks tell records that are to be published yet, else those that they have published.
    """

    writes_logs = False
    limits_itself = False

    def __init__(
        self, loop: EventLoop, listener: Listener, channel: socket.socket, server_pid: int, *, hand_over: bool
    ) -> None:
        self._loop, self._listener, self._channel, self._server_pid = loop, listener, channel, server_pid
        self._hand_over = hand_over
        self._starting: deque[_Process] = deque()
        self._running: dict[int, _Process] = {}
        self._lost = ""
        loop.add_reader(channel.fileno(), self._receive)

    def launch(self, spec: TaskSpec) -> None:
        """Start an attempt."""
        if self._lost:
            self._loop.call_after(0, lambda: self._listener.exited(spec, Exit(self._lost)))
            return
        process = _Process(spec, Pipes(self._loop, lambda stream, line: self._listener.printed(spec, stream, line)))
        writers = process.pipes.attach()
        process.memory = os.memfd_create("task-spec")
        try:
            _write_all(process.memory, spec.to_json().encode())
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # that the server is gone is read, below
                socket.send_fds(self._channel, [forkserver.RUN], [process.memory, *writers])
        finally:
            for descriptor in writers:
                os.close(descriptor)
        self._starting.append(process)

    def _receive(self) -> None:
        try:
            kind, *numbers = self._channel.recv(64).split() or [b"gone"]
        except ConnectionResetError:
            kind, numbers = b"gone", []
        if kind == b"gone":
            self._lose_server()
        elif kind == b"started":
            process = self._starting.popleft()
            process.pid = int(numbers[0])
            self._running[process.pid] = process
            self._listener.started(process.spec, f"pid {process.pid}")
            process.pipes.watch()
        elif kind == b"exited":
            process = self._running.pop(int(numbers[0]))
            process.pipes.drain()
            end = describe_status(os.waitstatus_to_exitcode(int(numbers[1])))
            told = process.told()
            end = attrs.evolve(end, handed_over=told) if self._hand_over else attrs.evolve(end, record=told)
            self._listener.exited(process.spec, end)

    def _lose_server(self) -> None:
        """The server ended, and with it every attempt: nobody else knows how to fork the flow."""
        self._loop.remove_reader(self._channel.fileno())
        status = os.waitstatus_to_exitcode(os.waitpid(self._server_pid, 0)[1])
        why = describe_status(status).reason.replace("its process", "the process that forks the tasks")
        self._lost = why or "the process that forks the tasks ended"
        for pid in self._running:
            end_group(pid, force=True)
        lost = [*self._running.values(), *self._starting]
        self._running.clear()
        self._starting.clear()
        for process in lost:
            process.pipes.drain()
            os.close(process.memory)
            self._listener.exited(process.spec, Exit(self._lost))

    def terminate(self, spec: TaskSpec, force: bool) -> None:
        """End an attempt's process group."""
        for process in self._running.values():
            if process.spec is spec:
                end_group(process.pid, force)

    def close(self) -> None:
        """End the server, which ends its children."""
        if not self._lost:
            self._loop.remove_reader(self._channel.fileno())
            self._channel.close()
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._server_pid, 0)


class FreshLauncher:
    """Runs each attempt in a fresh interpreter: where forking is not safe, or not wanted."""

    writes_logs = False
    limits_itself = False

    def __init__(
        self, loop: EventLoop, listener: Listener, command: list[str], variables: Callable[[str], Mapping[str, str]]
    ) -> None:
        """`variables` gives what the tasks of a step find in their environment, besides what is in this one's."""
        self._loop, self._listener, self._command, self._variables = loop, listener, command, variables
        self._running: dict[int, tuple[_Process, subprocess.Popen[bytes]]] = {}

    def launch(self, spec: TaskSpec) -> None:
        """Start an attempt; its spec goes to the worker's standard input."""
        pipes = Pipes(self._loop, lambda stream, line: self._listener.printed(spec, stream, line))
        writers = pipes.attach()
        try:
            popen = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=writers[0],
                stderr=writers[1],
                start_new_session=True,
                env={**os.environ, **self._variables(spec.step)},
            )
        finally:
            for descriptor in writers:
                os.close(descriptor)
        assert popen.stdin is not None
        with contextlib.suppress(BrokenPipeError), popen.stdin:
            popen.stdin.write(spec.to_json().encode())
        self._running[popen.pid] = (_Process(spec, pipes, popen.pid), popen)
        self._listener.started(spec, f"pid {popen.pid}")
        pipes.watch()
        self._loop.call_after(0.005, lambda: self._poll(popen.pid, 0.01))

    def _poll(self, pid: int, pause: float) -> None:
        process, popen = self._running[pid]
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            self._loop.call_after(pause, lambda: self._poll(pid, min(pause * 1.5, 0.1)))
            return
        end_group(pid, force=True)  # what it left running; before it is reaped, as its number is its own until then
        del self._running[pid]
        process.pipes.drain()
        self._listener.exited(process.spec, describe_status(popen.wait()))

    def terminate(self, spec: TaskSpec, force: bool) -> None:
        """End an attempt's process group."""
        for process, _ in self._running.values():
            if process.spec is spec:
                end_group(process.pid, force)

    def close(self) -> None:
        """End what still runs."""
        for process, popen in self._running.values():
            end_group(process.pid, force=True)
            popen.wait()


def describe_status(code: int) -> Exit:
    """An exit from a process's exit code (negative: the signal that ended it)."""
    if code == 0:
        return Exit()
    if code > 0:
        return Exit(f"its process exited with status {code}")
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = " (out of memory?)" if -code == signal.SIGKILL else ""
    return Exit(f"its process was ended by {name}{hint}")


def end_group(pid: int, force: bool) -> None:
    """End a process and what it started: with SIGTERM, or (`force`) SIGKILL."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL if force else signal.SIGTERM)


def worker_command(flow_file: str, options: list[str]) -> list[str]:
    """The command that runs one task, given on standard input, in a fresh interpreter."""
    return [sys.executable, "-m", "stepwell.execution.worker", flow_file, *options]


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
