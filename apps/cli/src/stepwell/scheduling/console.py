"""What a person sees of a run: prefixed log lines, what happens, and a progress line on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from stepwell.execution.logs import timestamp
from stepwell.execution.spec import TaskSpec
from stepwell.terminal import DIM, GREEN, RED, ProgressLine, has_colours, painted, say

_FIRST_PAUSE, _LONGEST_PAUSE = 30.0, 600.0
"""Seconds between two lines that say how far a run is, in a file or a pipe; they double."""


class Console:
    """Writes a run's story to stdout, as long as somebody reads it; `quiet` leaves only what the tasks print."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet, self._has_colours = quiet, has_colours(sys.stdout)
        self._progress = ProgressLine(sys.stdout, enabled=not quiet)
        self._pause = _FIRST_PAUSE
        self._next_line = time.monotonic() + self._pause

    def event(self, text: str, colour: str = "") -> None:
        """Something that happened to the run."""
        if not self._quiet:
            self._write(f"{timestamp(time.time())} {self._painted(text, colour)}")

    def task_event(self, spec: TaskSpec, place: str, text: str, colour: str = "") -> None:
        """Something that happened to a task."""
        if not self._quiet:
            self.task_line(spec, place, self._painted(text, colour))

    def task_line(self, spec: TaskSpec, place: str, text: str) -> None:
        """A line that a task printed."""
        prefix = f"{timestamp(time.time())} [{spec.pathspec} ({place})]"
        self._write(f"{self._painted(prefix, DIM)} {text}")

    def warn(self, text: str) -> None:
        """Something a person should know, on stderr."""
        self._progress.clear()
        say(f"Warning: {text}", sys.stderr)

    def succeeded(self, text: str) -> None:
        """The run's good end."""
        self.event(text, GREEN)

    def failed(self, text: str) -> None:
        """The run's bad end."""
        self.event(text, RED)

    def progress(self, describe: Callable[[], str]) -> None:
        """Show how far the run is: below the lines on a terminal, as a line now and then elsewhere."""
        if self._progress.is_shown:
            self._progress.show(describe)
        elif not self._quiet and time.monotonic() >= self._next_line:
            self.event(describe())
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
            self._next_line = time.monotonic() + self._pause

    def close(self) -> None:
        """Take the progress line away."""
        self._progress.clear()

    def _painted(self, text: str, colour: str) -> str:
        return painted(text, colour) if colour and self._has_colours else text

    def _write(self, line: str) -> None:
        self._progress.clear()
        say(line, sys.stdout)
