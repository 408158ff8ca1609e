"""The fork server: a process that has imported the flow, starts no thread, and forks a child for each task.

It is forked from the command itself, before that starts any thread or opens any connection, so the flow is imported
once. The scheduler talks to it over one SOCK_SEQPACKET socket:

    scheduler -> server   b"run"  with three descriptors: the task spec (a memory file), stdout, stderr
    server -> scheduler   b"started <pid>" for each of them, in order
    server -> scheduler   b"exited <pid> <wait status>"

When the scheduler's end closes, the server ends its children and itself.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import io
import os
import random
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

RUN = b"run"
_SECONDS_TO_END = 2.0


def start(run_task: Callable[[str], int]) -> tuple[socket.socket, int]:
    """Fork the server; returns the scheduler's end of the socket and the server's pid.

    `run_task` runs in a child of its own, with the text of a task spec, and gives the child's exit status.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        theirs.close()
        return ours, pid
    ours.close()
    status = 1
    try:
        _serve(theirs, run_task)
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)
    raise AssertionError("unreachable")


def _serve(channel: socket.socket, run_task: Callable[[str], int]) -> None:
    wake = _wake_on_child_exit()
    _libc()
    gc.collect()
    gc.freeze()  # what is imported is shared with every child: keep the collector from touching its pages
    children: set[int] = set()
    while True:
        readable, _, _ = select.select([channel.fileno(), wake], [], [])
        if wake in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(wake, 4096)
            _report_exits(channel, children)
        if channel.fileno() in readable:
            message, descriptors, _, _ = socket.recv_fds(channel, len(RUN), 3)
            if not message:
                break
            pid = _fork_task(descriptors, (channel.fileno(), wake), run_task)
            children.add(pid)
            channel.send(b"started %d" % pid)
    _end(children)


def _wake_on_child_exit() -> int:
    """A descriptor that becomes readable when a child exits; the scheduler, not the terminal, says when to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return wake


def _report_exits(channel: socket.socket, children: set[int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        children.discard(pid)
        with contextlib.suppress(BrokenPipeError):
            channel.send(b"exited %d %d" % (pid, status))


def _fork_task(descriptors: list[int], inherited: tuple[int, ...], run_task: Callable[[str], int]) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = _be_task(descriptors, inherited, run_task)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)
    for descriptor in descriptors:
        os.close(descriptor)
    return pid


def _be_task(descriptors: list[int], inherited: tuple[int, ...], run_task: Callable[[str], int]) -> int:
    """In the child: become indistinguishable from a fresh process, then run the task."""
    spec, stdout, stderr = descriptors
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    die_with_parent()
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    for descriptor in (stdout, stderr, null, *inherited):
        os.close(descriptor)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)  # a line is shown when it is written, not when the task ends
    _reseed()
    with os.fdopen(spec, "rb") as file:
        file.seek(0)
        return run_task(file.read().decode())


def _reseed() -> None:
    """Give the child random states of its own, as a fresh process has (the random module reseeds itself at fork)."""
    random.seed()
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(None)


@functools.cache
def _libc() -> Any:
    import ctypes

    return ctypes.CDLL(None)


def die_with_parent() -> None:
    """Ask the kernel (Linux) to end this process when its parent ends, however that happens."""
    pr_set_pdeathsig = 1
    _libc().prctl(pr_set_pdeathsig, signal.SIGTERM)


def _end(children: set[int]) -> None:
    for number, seconds in ((signal.SIGTERM, _SECONDS_TO_END), (signal.SIGKILL, 0.5)):
        for pid in children:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, number)
        deadline = time.monotonic() + seconds
        while children and time.monotonic() < deadline:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            children.discard(pid)
            time.sleep(0.01)
