"""Launchers: what they tell of an attempt, and in which order."""

from __future__ import annotations

import os
import socket
from typing import Any

from stepwell.execution.spec import TaskSpec
from stepwell.scheduling.launchers import ForkLauncher
from stepwell.scheduling.loop import EventLoop


class _Heard:
    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def started(self, spec: TaskSpec, place: str, **_: Any) -> None:
        self.told.append(("started", place))

    def printed(self, spec: TaskSpec, stream: str, line: bytes) -> None:
        self.told.append((stream, line))

    def exited(self, spec: TaskSpec, end: Any) -> None:
        self.told.append(("exited",))


def test_what_a_fork_prints_at_once_is_told_after_where_it_runs() -> None:
    ours, servers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    heard, loop = _Heard(), EventLoop()
    launcher = ForkLauncher(loop, heard, ours, server_pid=0, hand_over=False)
    launcher.launch(TaskSpec("F", "1", "start", "t0"))
    _, (memory, out, errors), *_ = socket.recv_fds(servers, 64, 3)
    os.write(out, b"at once\n")  # before the server had a chance to say that it forked
    loop.call_after(0, lambda: None)
    loop.run_once()
    servers.send(b"started 17")
    while len(heard.told) < 2:
        loop.run_once()
    assert heard.told == [("started", "pid 17"), ("o", b"at once")]
    for descriptor in (memory, out, errors):
        os.close(descriptor)
    ours.close()
    servers.close()
    loop.close()
