"""A run that a `Runner` started: what it prints, how it ends, and the `Run` itself."""

from __future__ import annotations

import asyncio
import functools
import json
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import attrs

from stepwell.config import Settings
from stepwell.errors import RunnerError
from stepwell.running.process import FlowProcess

if TYPE_CHECKING:
    from typing_extensions import Self

    from stepwell.client.objects import Run

_POLL_SECONDS = 0.05


@attrs.frozen
class FactsFile:
    """The file in which a process says which run it is; its folder is there as long as somebody may read it."""

    folder: tempfile.TemporaryDirectory[str]
    name: str

    @property
    def path(self) -> Path:
        """Where it is, or will be."""
        return Path(self.folder.name) / self.name


class ExecutingRun:
    """A run while and after it executes.

    `status` is "running", "successful" or "failed"; `stdout` and `stderr` are what its process printed so far.
    """

    def __init__(self, process: FlowProcess, facts: FactsFile, settings: Settings, timeout: float) -> None:
        self._process, self._facts, self._settings, self._timeout = process, facts, settings, timeout
        self._known: str | None = None

    @property
    def returncode(self) -> int | None:
        """The exit status of its process; None while it runs."""
        return self._process.returncode

    @property
    def status(self) -> str:
        """Whether it runs, succeeded or failed."""
        if self.returncode is None:
            return "running"
        return "failed" if self.returncode else "successful"

    @property
    def stdout(self) -> str:
        """What it printed to standard output so far."""
        return "".join(self._process.lines["stdout"])

    @property
    def stderr(self) -> str:
        """What it printed to standard error so far."""
        return "".join(self._process.lines["stderr"])

    @functools.cached_property
    def run(self) -> Run:
        """The run, as the Client API has it; waits until it has begun.

        Raises `RunnerError` where it never begins. From here on the Client API of this process looks into the stores of the
        run, which may be others than its own where the `Runner` was given settings or another folder.
        """
        from stepwell.client.objects import Run
        from stepwell.client.scope import use_settings

        deadline = time.monotonic() + self._timeout
        over = False
        while (pathspec := self._pathspec()) is None:
            if over:
                raise RunnerError(
                    f"The run never began, its process ended with {self.returncode}:\n{self.stderr[-2000:]}"
                )
            if time.monotonic() > deadline:
                raise RunnerError(f"The run did not begin within {self._timeout:g} seconds:\n{self.stderr[-2000:]}")
            over = self.returncode is not None  # and then look once more
            time.sleep(0 if over else _POLL_SECONDS)
        use_settings(self._settings)
        return Run(pathspec)

    def await_end(self) -> None:
        """Wait for its end, and note which run it was."""
        self._process.wait()
        self._known = self._pathspec()

    def end(self) -> None:
        """End it if it still runs, and note which run it was."""
        self._process.end()
        self._known = self._pathspec()

    def _pathspec(self) -> str | None:
        if self._known is not None:
            return self._known
        try:
            text = self._facts.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        if not text.endswith("\n"):  # it is being written
            return None
        facts = json.loads(text)
        return f"{facts['flow_name']}/{facts['run_id']}"

    async def wait(self, timeout: float | None = None, stream: str | None = None) -> Self:
        """Wait for the end, at most `timeout` seconds; with `stream` ("stdout", "stderr") print that meanwhile.

        Raises `TimeoutError`; the run goes on then.
        """
        await asyncio.wait_for(self._wait(stream), timeout)
        return self

    async def _wait(self, stream: str | None) -> None:
        if stream is not None:
            async for _, line in self.stream_log(stream):
                print(line)
        while self.returncode is None:
            await asyncio.sleep(_POLL_SECONDS)

    async def stream_log(self, stream: str, position: int = 0) -> AsyncIterator[tuple[int, str]]:
        """The lines of "stdout" or "stderr", those that are there and those to come, until the end.

        Each comes with the position to go on from another time.
        """
        while True:
            over = self.returncode is not None
            lines = self._process.lines[stream]
            while position < len(lines):
                line = lines[position].rstrip("\n")
                position += 1
                yield position, line
            if over:
                return
            await asyncio.sleep(_POLL_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def __repr__(self) -> str:
        return f"<ExecutingRun {self._pathspec() or 'that has not begun'}: {self.status}>"
