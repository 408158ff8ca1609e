"""The fork server: a process that has imported the flow, starts no thread, and forks a child for each task.

One child is forked ahead and waits for the next task, as forking takes longer than handing a task over. The server is
forked from the command itself, before that starts any thread or opens any connection, so the flow is imported once. The
scheduler talks to it over one SOCK_SEQPACKET socket:

    scheduler -> server   b"run"  with three descriptors: the task spec (a memory file), stdout, stderr
    server -> scheduler   b"started <pid>" for each of them, in order
    server -> scheduler   b"exited <pid> <wait status>"

What the child has to tell is in the memory file then.

When the scheduler's end closes, the server ends its children and itself.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import attrs

from stepwell.execution.leaving import begin_anew, leave
from stepwell.execution.logs import print_as_logs_are_kept
from stepwell.scheduling.reseeding import reseed, unseeded_generators

RUN = b"run"
_SECONDS_TO_END = 2.0
_PR_SET_PDEATHSIG = 1
_SIGTERM = int(signal.SIGTERM)

RunTask = Callable[[str], tuple[int, bytes]]


def start(run_task: RunTask, warm_up: Callable[[], None] = lambda: None) -> tuple[socket.socket, int]:
    """Fork the server; returns the scheduler's end of the socket and the server's pid.

    `run_task` runs in a child of its own, with the text of a task spec. It gives the child's exit status and what it tells.
    `warm_up` runs in the server, while the scheduler goes on: what all children find imported and set up.
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
        warm_up()
        _serve(theirs, run_task)
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)
    raise AssertionError("unreachable")


def _serve(channel: socket.socket, run_task: RunTask) -> None:
    wake = _wake_on_child_exit()
    _prctl()
    print_as_logs_are_kept()  # children find it so; they put pipes in the place of files, whose position it would ask for
    fork = functools.partial(_fork_child, (channel.fileno(), wake), _reseeded(run_task))
    gc.collect()
    gc.freeze()  # what is imported is shared with every child: keep the collector from touching its pages
    children: set[int] = set()
    waiting = fork()
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
            while not waiting.take(descriptors):  # somebody ended it
                waiting = fork()
            children.add(waiting.pid)
            channel.send(b"started %d" % waiting.pid)
            waiting = fork()
    _end(children)


def _reseeded(run_task: RunTask) -> RunTask:
    generators = unseeded_generators()

    def run(text: str) -> tuple[int, bytes]:
        reseed(generators)
        return run_task(text)

    return run


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
    for pid, status in _exits(children):
        with contextlib.suppress(BrokenPipeError):
            channel.send(b"exited %d %d" % (pid, status))


def _exits(children: set[int]) -> Iterator[tuple[int, int]]:
    """The children of these that have ended, with what they started and left behind: it ends, too."""
    while children:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return
        _end_group(ended.si_pid, signal.SIGKILL)  # before it is reaped: until then nobody else has its number
        pid, status = os.waitpid(ended.si_pid, 0)
        if pid in children:  # and not one that still waited for a task
            children.remove(pid)
            yield pid, status


@attrs.frozen
class _Child:
    """A child that waits for its task on the other end of a socket."""

    pid: int
    socket: socket.socket

    def take(self, descriptors: list[int]) -> bool:
        """Hand it a task; False where it is no longer there. The descriptors are closed once it has them."""
        with self.socket:
            try:
                socket.send_fds(self.socket, [RUN], descriptors)
            except (BrokenPipeError, ConnectionResetError):
                return False
        for descriptor in descriptors:
            os.close(descriptor)
        return True


def _fork_child(inherited: tuple[int, ...], run_task: RunTask) -> _Child:
    server = os.getpid()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # it waits until the child can end of it
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            _begin(server, (ours.detach(), *inherited), mask)
            status = _be_task(theirs, run_task)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            leave(status)
    os.setpgid(pid, pid)  # the child does the same: whoever is first, its group is there when it has a task
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    theirs.close()
    return _Child(pid, ours)


def _begin(server: int, inherited: tuple[int, ...], mask: set[int]) -> None:
    """In the child: become indistinguishable from a fresh process; `mask` is what is blocked in one."""
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    die_with_parent(server)
    begin_anew()
    for descriptor in inherited:
        os.close(descriptor)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def _be_task(server: socket.socket, run_task: RunTask) -> int:
    """In the child: wait for a task, and run it."""
    with server:
        message, descriptors, _, _ = socket.recv_fds(server, len(RUN), 3)
    if not message:  # the server ends
        os._exit(0)
    spec, stdout, stderr = descriptors
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    for descriptor in (stdout, stderr):
        os.close(descriptor)
    with os.fdopen(spec, "r+b") as file:
        file.seek(0)
        text = file.read().decode()
        file.truncate(0)
        status, told = run_task(text)
        file.seek(0)
        file.write(told)
        return status


@functools.cache
def _prctl() -> Any:
    import ctypes

    return ctypes.CDLL(None).prctl


def die_with_parent(parent: int) -> None:
    """Ask the kernel (Linux) to end this process when its parent ends, however that happens."""
    _prctl()(_PR_SET_PDEATHSIG, _SIGTERM)
    if os.getppid() != parent:  # it ended before it was asked for
        os._exit(1)


def _end(children: set[int]) -> None:
    for number, seconds in ((signal.SIGTERM, _SECONDS_TO_END), (signal.SIGKILL, 0.5)):
        for pid in children:
            _end_group(pid, number)
        deadline = time.monotonic() + seconds
        while children and time.monotonic() < deadline:
            list(_exits(children))
            time.sleep(0.01)


def _end_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
