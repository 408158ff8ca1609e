"""A flow's process, and what it prints, as it prints it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TextIO

_SECONDS_TO_END = 10.0


class FlowProcess:
    """A process whose output is kept, and shown on the caller's streams where they are given."""

    def __init__(
        self, command: Sequence[str], cwd: Path | None, env: Mapping[str, str], shown: tuple[TextIO, TextIO] | None
    ) -> None:
        self._popen = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self.lines: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._pumps = [
            self._pump(name, stream, shown[place] if shown else None)
            for place, (name, stream) in enumerate((("stdout", self._popen.stdout), ("stderr", self._popen.stderr)))
            if stream is not None
        ]

    def _pump(self, name: str, stream: IO[str], shown: TextIO | None) -> threading.Thread:
        def read() -> None:
            with stream:
                for line in stream:
                    self.lines[name].append(line)
                    if shown is not None:
                        shown.write(line)
                        shown.flush()

        thread = threading.Thread(target=read, name=f"stepwell-runner-{name}", daemon=True)
        thread.start()
        return thread

    @property
    def returncode(self) -> int | None:
        """The exit status; None while it runs, or while its output is still being read."""
        status = self._popen.poll()
        return None if any(pump.is_alive() for pump in self._pumps) else status

    def wait(self) -> int:
        """Wait for the end; gives the exit status."""
        for pump in self._pumps:
            pump.join()
        return self._popen.wait()

    def end(self) -> None:
        """End the process, as Ctrl-C would: the run is marked failed and its tasks are ended; then by force."""
        if self._popen.poll() is None:
            self._popen.send_signal(signal.SIGTERM)
            try:
                self._popen.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                os.killpg(self._popen.pid, signal.SIGKILL)
        self.wait()
