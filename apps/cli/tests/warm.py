"""Commands without the half second of imports that each begins with: forks of a process that has imported what they need.

Run as a program, this file is that process. For each request it forks; the fork becomes what `python ...` would be: its own
`__main__`, arguments, environment, directory, output and end. What depends on how an interpreter starts is run by a new one.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

_MOST_BYTES = 1 << 18
_OF_INTERPRETERS = ("PYTHON", "LANG", "LC_")


def is_warm(arguments: tuple[str, ...], environment: Mapping[str, str]) -> bool:
    """Whether a command can be a fork: a file, a program after `-c`, or `-m stepwell`, whose variables no interpreter reads."""
    command = arguments[0].endswith(".py") or arguments[0] == "-c" or arguments[:2] == ("-m", "stepwell")
    return command and hasattr(os, "fork") and not any(name.startswith(_OF_INTERPRETERS) for name in environment)


@attrs.define(eq=False)
class WarmPython:
    """Runs `python ...` as `subprocess.run` does, one command at a time; the process behind it starts with the first."""

    _process: subprocess.Popen[bytes] | None = None
    _socket: socket.socket | None = None
    _lock: Any = attrs.field(factory=threading.Lock)

    def run(
        self, arguments: tuple[str, ...], cwd: Path, environment: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; raises `subprocess.TimeoutExpired`."""
        request = json.dumps({"arguments": arguments, "cwd": str(cwd), "environment": dict(environment)}).encode()
        with self._lock, contextlib.ExitStack() as stack:
            keeper = self._start() if self._socket is None else self._socket
            readers, writers = zip(os.pipe(), os.pipe(), strict=True)
            outputs = [stack.enter_context(os.fdopen(reader, "rb", buffering=0)) for reader in readers]
            socket.send_fds(keeper, [request], list(writers))
            for writer in writers:
                os.close(writer)
            pid = int(keeper.recv(64))
            try:
                printed = _read_all(outputs, time.monotonic() + timeout)
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                keeper.recv(64)
                raise subprocess.TimeoutExpired(arguments, timeout) from None
            status = int(keeper.recv(64))
        words = [sys.executable, *arguments]
        return subprocess.CompletedProcess(words, status, *(_text(output) for output in printed))

    def close(self) -> None:
        """End the process."""
        if self._socket is not None and self._process is not None:
            self._socket.close()
            self._process.wait(120)

    def _start(self) -> socket.socket:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, __file__, str(theirs.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        return self._socket


def _text(output: bytes) -> str:
    return output.decode().replace("\r\n", "\n").replace("\r", "\n")


def _read_all(outputs: list[Any], give_up_at: float) -> list[bytes]:
    """What comes until everybody who holds the other ends has closed them; raises `TimeoutError`."""
    printed = {output: bytearray() for output in outputs}
    with selectors.DefaultSelector() as selector:
        for output in outputs:
            selector.register(output, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, give_up_at - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                printed[key.fileobj].extend(data)
                if not data:
                    selector.unregister(key.fileobj)
    return [bytes(data) for data in printed.values()]


# --- in the process that forks, and in its forks


def serve(keeper: socket.socket) -> dict[str, Any]:
    """Fork for each request and tell how the fork ended; returns in the forks only, with what each is to run."""
    while True:
        data, descriptors, *_ = socket.recv_fds(keeper, _MOST_BYTES, 2)
        if not data:
            os._exit(0)
        if (pid := os.fork()) == 0:
            keeper.close()
            for stream, descriptor in enumerate(descriptors, start=1):
                os.dup2(descriptor, stream)
                os.close(descriptor)
            request: dict[str, Any] = json.loads(data)
            return request
        for descriptor in descriptors:
            os.close(descriptor)
        keeper.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        keeper.send(str(os.waitstatus_to_exitcode(status)).encode())


def become(arguments: list[str], cwd: str, environment: dict[str, str]) -> None:
    """Be `python ARGUMENTS`, to its end."""
    import random

    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    random.seed()
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", buffering=1, closefd=False, errors="backslashreplace")  # noqa: SIM115
    first, *rest = arguments
    if first == "-m":
        import runpy

        sys.argv, sys.path[0] = ["-m", *rest[1:]], cwd
        _run(lambda: runpy.run_module(rest[0], run_name="__main__", alter_sys=True))
    elif first == "-c":
        sys.argv, sys.path[0] = ["-c", *rest[1:]], ""
        _run(lambda: exec(compile(rest[0], "<string>", "exec", dont_inherit=True), _main(None)))
    else:
        file = os.path.abspath(first)  # noqa: PTH100
        sys.argv, sys.path[0] = arguments, os.path.dirname(file)  # noqa: PTH120
        _run(lambda: exec(compile(_source(first), file, "exec", dont_inherit=True), _main(file)))


def _source(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        print(f"{sys.executable}: can't open file '{file}': {error}", file=sys.stderr)
        raise SystemExit(2) from None


def _main(file: str | None) -> dict[str, Any]:
    import types

    main = types.ModuleType("__main__")
    if file is not None:
        main.__file__ = file
    sys.modules["__main__"] = main
    return vars(main)


def _run(program: Any) -> None:
    """Run a program; what it raises is shown as an interpreter shows it, without what is above it here."""
    try:
        program()
    except SystemExit:
        raise
    except BaseException as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename in (__file__, "<frozen runpy>"):
            trace = trace.tb_next
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        raise SystemExit(1) from None


def import_what_commands_import() -> None:
    """All of stepwell but what only AWS needs, and what changes the process that imports it."""
    import importlib
    import pkgutil

    import cas_store
    import stepwell

    for module in pkgutil.walk_packages(stepwell.__path__, "stepwell."):
        if not module.name.startswith(("stepwell.deploying", "stepwell.compat", "stepwell.__main__")):
            importlib.import_module(module.name)
    importlib.import_module("meta_client.embedded")
    cas_store.ContentStore(cas_store.LocalBackend("nowhere")).warm_up()


if __name__ == "__main__":
    import gc

    import_what_commands_import()
    gc.freeze()
    asked = serve(socket.socket(fileno=int(sys.argv[1])))
    become(asked["arguments"], asked["cwd"], asked["environment"])
