"""Commands of a flow in processes that are killed, and what the kernel says of those below them."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path


def start(directory: Path, file: Path, *arguments: str) -> int:
    """Run a command of a flow in a fork of this process and a session of its own; gives its pid, which is the session's."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        os.chdir(directory)
        output = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for descriptor in (1, 2):
            os.dup2(output, descriptor)
        sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        _command(file, arguments)
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)
    finally:
        os._exit(99)
    raise AssertionError("unreachable")


def _command(file: Path, arguments: tuple[str, ...]) -> None:
    from stepwell.api.loading import load_flow
    from stepwell.commands.flow_cli import main

    main(load_flow(file), file, arguments)


def warm_up() -> None:
    """Import what the commands import, so that each fork has it."""
    import meta_client.embedded  # noqa: F401
    import stepwell.commands.flow_cli
    import stepwell.scheduling.local_run  # noqa: F401


def ended(pid: int, seconds: float = 240.0) -> int:
    """Wait for a child of this process; gives its exit status, negative the signal that ended it."""
    give_up_at = time.monotonic() + seconds
    while time.monotonic() < give_up_at:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    raise AssertionError(f"the process {pid} did not end within {seconds:g} seconds")


def is_running(pid: int) -> bool:
    """Whether a child of this process has not ended yet."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def children(pid: int) -> list[int]:
    """The processes that a process started and that still run."""
    with contextlib.suppress(OSError):
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def alive_in_session(session: int) -> Iterator[int]:
    """The processes of a session that have not ended."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError, ValueError):
            state, _, _, of, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(of) == session and state not in "ZX":
                yield int(entry.name)


def left_running(session: int, seconds: float = 60.0) -> list[int]:
    """What of a session still runs after a while; nothing as soon as all of it has ended."""
    give_up_at = time.monotonic() + seconds
    while left := list(alive_in_session(session)):
        if time.monotonic() >= give_up_at:
            break
        time.sleep(0.01)
    return left
