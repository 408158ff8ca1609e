"""Attempts as Batch jobs, for the local scheduler: its loop here, and a thread that talks to AWS."""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from stepwell.scheduling.launchers import NOTHING, Exit, Facts, Listener

if TYPE_CHECKING:
    from stepwell.deploying.keeping import JobKeeper
    from stepwell.execution.spec import TaskSpec
    from stepwell.scheduling.loop import EventLoop

_SECONDS_TO_CLOSE = 30.0


class BatchLauncher:
    """Runs attempts as Batch jobs: those of one foreach that start together as one array.

    `keep` makes the keeper of the jobs, of a listener and of who is told what a person should know: it works in the thread.
    """

    writes_logs = True
    limits_itself = True

    def __init__(
        self,
        loop: EventLoop,
        listener: Listener,
        say: Callable[[str], None],
        keep: Callable[[Listener, Callable[[str], None]], JobKeeper],
    ) -> None:
        self._loop = loop
        told = _FromThread(loop, listener)
        self._keeper = keep(told, functools.partial(told.tell, say))
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._new: list[TaskSpec] = []
        self._doomed: list[tuple[TaskSpec, bool]] = []
        self._thread = threading.Thread(target=self._work, name="stepwell-batch", daemon=True)
        self._thread.start()

    def launch(self, spec: TaskSpec) -> None:
        """Submit an attempt, together with the others that are launched before the loop turns."""
        self._gather(self._new, spec)

    def terminate(self, spec: TaskSpec, force: bool) -> None:
        """Have AWS end an attempt's job; it knows no gentle way. With `force`, its end is not waited for."""
        self._gather(self._doomed, (spec, force))

    def close(self) -> None:
        """End the jobs that still run, and the thread."""
        self._orders.put(None)
        self._thread.join(_SECONDS_TO_CLOSE)
        self._keeper.close()

    def _gather(self, waiting: list, one: object) -> None:  # type: ignore[type-arg]
        if not self._new and not self._doomed:
            self._loop.call_after(0, self._pass_on)
        waiting.append(one)

    def _pass_on(self) -> None:
        new, self._new = self._new, []
        doomed, self._doomed = self._doomed, []
        if new:
            self._orders.put(functools.partial(self._keeper.submit, new))
        if doomed:
            self._orders.put(functools.partial(self._keeper.terminate, doomed))

    def _work(self) -> None:
        try:
            self._take_orders()
        except Exception as error:  # the run must not wait for a thread that is gone
            self._loop.call_from_thread(functools.partial(_raise, error))

    def _take_orders(self) -> None:
        while True:
            try:
                order = self._orders.get(timeout=self._keeper.seconds_to_next_look)
            except queue.Empty:
                self._keeper.look()
                continue
            if order is None:
                return
            order()
            self._keeper.look()


class _FromThread:
    """A listener for the thread: what it hears, the loop's listener hears, on the loop."""

    def __init__(self, loop: EventLoop, listener: Listener) -> None:
        self._loop, self._listener = loop, listener

    def tell(self, report: Callable[..., None], *arguments: object) -> None:
        """Have the loop call something soon."""
        self._loop.call_from_thread(functools.partial(report, *arguments))

    def started(self, spec: TaskSpec, place: str, facts: Facts = NOTHING) -> None:
        """See `Listener`."""
        self.tell(self._listener.started, spec, place, facts)

    def printed(self, spec: TaskSpec, stream: str, line: bytes) -> None:
        """See `Listener`."""
        self.tell(self._listener.printed, spec, stream, line)

    def exited(self, spec: TaskSpec, end: Exit) -> None:
        """See `Listener`."""
        self.tell(self._listener.exited, spec, end)


def _raise(error: Exception) -> None:
    raise error
