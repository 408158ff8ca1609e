"""Children of the fork server, at the instant in which they come to be."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
from stepwell.scheduling import forkserver


@pytest.fixture
def ignoring() -> Iterator[None]:
    """As the server does: it is the scheduler that says when to end."""
    old = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGTERM, old)


@pytest.mark.usefixtures("ignoring")
def test_a_child_that_is_ended_before_it_has_begun_does_end(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = forkserver._begin

    def slow(*arguments: object) -> None:
        time.sleep(0.3)
        begin(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(forkserver, "_begin", slow)
    child = forkserver._fork_child((), lambda _: (0, b""))
    with child.socket:
        os.killpg(child.pid, signal.SIGTERM)
        deadline = time.monotonic() + 60
        while (ended := os.waitpid(child.pid, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
            time.sleep(0.01)
    assert os.waitstatus_to_exitcode(ended[1]) == -signal.SIGTERM
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.usefixtures("ignoring")
def test_a_task_has_no_signal_blocked_or_ignored() -> None:
    def tell(_: str) -> tuple[int, bytes]:
        blocked = sorted(signal.pthread_sigmask(signal.SIG_BLOCK, []))
        return 0, f"{blocked} {signal.getsignal(signal.SIGTERM).name}".encode()  # type: ignore[union-attr]

    child = forkserver._fork_child((), tell)
    memory, null = os.memfd_create("task-spec"), os.open(os.devnull, os.O_WRONLY)
    assert child.take([os.dup(memory), null, os.dup(null)])
    os.waitpid(child.pid, 0)
    assert os.pread(memory, 100, 0) == b"[] SIG_DFL"
    os.close(memory)
