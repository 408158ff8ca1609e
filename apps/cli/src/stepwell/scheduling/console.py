"""What a person sees of a run: prefixed log lines, what happens, and a progress line on a terminal."""

from __future__ import annotations

import sys
import time

from stepwell.execution.logs import timestamp
from stepwell.execution.spec import TaskSpec
from stepwell.terminal import DIM, GREEN, RED, ProgressLine, paint


class Console:
    """Writes a run's story to stdout; `quiet` leaves only what the tasks print."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._progress = ProgressLine(sys.stdout, enabled=not quiet)

    def event(self, text: str, colour: str = "") -> None:
        """Something that happened to the run."""
        if not self._quiet:
            self._write(f"{timestamp(time.time())} {paint(text, colour, sys.stdout) if colour else text}")

    def task_event(self, spec: TaskSpec, place: str, text: str, colour: str = "") -> None:
        """Something that happened to a task."""
        if not self._quiet:
            self.task_line(spec, place, paint(text, colour, sys.stdout) if colour else text)

    def task_line(self, spec: TaskSpec, place: str, text: str) -> None:
        """A line that a task printed."""
        prefix = f"{timestamp(time.time())} [{spec.pathspec} ({place})]"
        self._write(f"{paint(prefix, DIM, sys.stdout)} {text}")

    def warn(self, text: str) -> None:
        """Something a person should know, on stderr."""
        self._progress.clear()
        print(f"Warning: {text}", file=sys.stderr, flush=True)

    def succeeded(self, text: str) -> None:
        """The run's good end."""
        self.event(text, GREEN)

    def failed(self, text: str) -> None:
        """The run's bad end."""
        self.event(text, RED)

    def progress(self, text: str) -> None:
        """Refresh the progress line."""
        self._progress.show(text)

    def close(self) -> None:
        """Take the progress line away."""
        self._progress.clear()

    def _write(self, line: str) -> None:
        self._progress.clear()
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
