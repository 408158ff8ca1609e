"""Signals that end a run: none may fall between its claim and the record of its end."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

from stepwell.scheduling.loop import EventLoop

_ENDING = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def held_signals() -> Iterator[None]:
    """While inside, SIGINT and SIGTERM wait, but for where `handled_signals` takes them."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """While inside, SIGINT raises `KeyboardInterrupt`, though signals are held."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])  # raises at once where one was held
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@contextlib.contextmanager
def handled_signals(loop: EventLoop, handle: Callable[[int], None]) -> Iterator[None]:
    """While inside, SIGINT and SIGTERM are events of the loop; what came while they were held comes now."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)

    def read() -> None:
        for number in os.read(reader, 16):
            handle(number)

    loop.add_reader(reader, read)
    old_wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    old = {number: signal.signal(number, lambda *_: None) for number in _ENDING}
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in old.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(old_wakeup)
        loop.remove_reader(reader)
        os.close(reader)
        os.close(writer)
