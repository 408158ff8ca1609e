"""What stands beside the one task of a job: its output goes to the job's own, and into the datastore while it runs."""

from __future__ import annotations

import sys

from cas_store import CasStoreError

from stepwell.execution.keeping_logs import LOOK_SECONDS, log_of
from stepwell.execution.spec import TaskSpec
from stepwell.execution.stores import Stores
from stepwell.scheduling.launchers import NOTHING, Exit, Facts, Launcher
from stepwell.scheduling.loop import EventLoop
from stepwell.scheduling.signals import handled_signals

_SECONDS_TO_END = 10.0
"""Of the 30 that Batch leaves a job between its signal and its kill."""


class Supervisor:
    """The listener of one attempt."""

    def __init__(self, stores: Stores, spec: TaskSpec) -> None:
        self.loop = EventLoop()
        self._stores, self._spec = stores, spec
        self._log = log_of(spec, stores)
        self._end: Exit | None = None

    def see_through(self, launcher: Launcher) -> Exit:
        """Run the attempt to its end, and keep its log."""
        with handled_signals(self.loop, lambda _: self._stop(launcher)):
            launcher.launch(self._spec)
            self._look_at_log()
            while self._end is None:
                self.loop.run_once()
        launcher.close()
        self._close_log()
        return self._end

    def _stop(self, launcher: Launcher) -> None:
        launcher.terminate(self._spec, force=False)
        self.loop.call_after(_SECONDS_TO_END, lambda: launcher.terminate(self._spec, force=True))

    def _look_at_log(self) -> None:
        self._log.keep_if_due()
        self.loop.call_after(LOOK_SECONDS, self._look_at_log)

    def _close_log(self) -> None:
        try:
            self._log.close()
        except CasStoreError as error:  # the task is none the worse
            print(f"stepwell: the log could not be kept: {error}", file=sys.stderr, flush=True)

    def started(self, spec: TaskSpec, place: str, facts: Facts = NOTHING) -> None:
        """See `Listener`."""

    def printed(self, spec: TaskSpec, stream: str, line: bytes) -> None:
        """See `Listener`."""
        self._log.add(stream, line)
        out = sys.stdout.buffer if stream == "o" else sys.stderr.buffer
        out.write(line + b"\n")
        out.flush()

    def exited(self, spec: TaskSpec, end: Exit) -> None:
        """See `Listener`."""
        self._end = end
