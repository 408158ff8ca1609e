"""Work that waits for a datastore, done aside by threads where that is far, so that the run loop never waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import attrs
from cas_store import Backend

from stepwell.scheduling.loop import EventLoop

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

T = TypeVar("T")

_MOST = 64


@attrs.define(eq=False)
class Aside:
    """Does work on a datastore: by threads where each request is a wait, at once where it is a directory."""

    loop: EventLoop
    records: Backend
    _undone: int = 0
    _pool: ThreadPoolExecutor | None = None

    @property
    def is_full(self) -> bool:
        """Whether so much is undone, as the datastore is slow or away, that nothing should be started which leads to more."""
        return self._undone >= _MOST

    def do(self, work: Callable[[], T], then: Callable[[Callable[[], T]], None]) -> None:
        """Do the work, then call back on the loop's thread, with a function that gives its result or raises its error."""
        if self.records.has_files:
            then(work)
            return

        def finish(future: Future[T]) -> None:
            self._undone -= 1
            then(future.result)

        self._undone += 1
        future = self._threads().submit(work)
        future.add_done_callback(lambda done: self.loop.call_from_thread(lambda: finish(done)))

    def close(self) -> None:
        """Wait for what is being done."""
        if self._pool:
            self._pool.shutdown()

    def _threads(self) -> ThreadPoolExecutor:
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(self.records.parallel, "stepwell-aside")
        return self._pool
