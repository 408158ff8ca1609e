"""A small event loop: descriptors that become readable, timers, and calls handed over by other threads."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import selectors
import time
from collections import deque
from collections.abc import Callable


class EventLoop:
    """Calls back when a descriptor is readable or a time has come, until told to stop."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._handed_over: deque[Callable[[], None]] = deque()
        self._wake, self._waker = os.pipe()
        for descriptor in (self._wake, self._waker):
            os.set_blocking(descriptor, False)
        self.add_reader(self._wake, self._take_over)

    def add_reader(self, descriptor: int, callback: Callable[[], object]) -> None:
        """Call back whenever the descriptor is readable, or at its end."""
        self._selector.register(descriptor, selectors.EVENT_READ, callback)

    def remove_reader(self, descriptor: int) -> None:
        """Stop watching a descriptor."""
        self._selector.unregister(descriptor)

    def call_after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call back once, so many seconds from now."""
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._order), callback))

    def call_from_thread(self, callback: Callable[[], None]) -> None:
        """Call back soon, on the loop's thread. The only method that other threads may use."""
        self._handed_over.append(callback)
        with contextlib.suppress(BlockingIOError):  # full: the loop is awake already
            os.write(self._waker, b".")

    def _take_over(self) -> None:
        os.read(self._wake, 4096)
        while self._handed_over:
            self._handed_over.popleft()()

    def run_once(self) -> None:
        """Wait for the next event or timer and handle what is due."""
        timeout = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
        watched = self._selector.get_map()
        for key, _ in self._selector.select(timeout):
            if watched.get(key.fd) is key:  # an earlier callback may have closed it
                key.data()
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()

    def close(self) -> None:
        """Let go of the selector and the pipe."""
        self._selector.close()
        os.close(self._wake)
        os.close(self._waker)
