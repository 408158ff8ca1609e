"""`Runner`: run a flow file from Python, as its command line would."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from stepwell.config import Settings, load_settings, local_root
from stepwell.errors import RunnerError
from stepwell.running.arguments import command_options, top_options
from stepwell.running.executing import ExecutingRun, FactsFile
from stepwell.running.process import FlowProcess

if TYPE_CHECKING:
    from typing_extensions import Self


class Runner:
    """Runs a flow file, each run in a process of its own.

        with Runner("flow.py") as runner:
            result = runner.run(alpha=0.5, tags=["test"])
            print(result.status, result.run.data.total)

    `show_output` passes on what runs print; `env` is added to the environment; `profile` names the settings file;
    `file_read_timeout` is how many seconds `.run` waits for a run to begin; other keywords are options that stand before the
    command (`datastore="s3"`, `decospecs=["retry"]`). Leaving the `with` block ends what still runs.
    """

    def __init__(
        self,
        flow_file: str | os.PathLike[str],
        show_output: bool = True,
        profile: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        file_read_timeout: float = 3600,
        **options: Any,
    ) -> None:
        self._cwd = Path(cwd).absolute() if cwd else None
        self._file = (self._cwd or Path.cwd()) / flow_file
        if not self._file.is_file():
            raise RunnerError(f"There is no flow file {self._file}")
        own = {"STEPWELL_PROFILE": profile} if profile else {}
        self._env = {**os.environ, **own, **(env or {})}
        self._show, self._timeout, self._options = show_output, file_read_timeout, options
        self._folder = tempfile.TemporaryDirectory(prefix="stepwell-runner-")
        self._runs: list[ExecutingRun] = []

    def run(self, **options: Any) -> ExecutingRun:
        """Run the flow to its end; keywords are its parameters and the options of `run`: `tags`, `max_workers`, ...

        A run that fails raises nothing: its `status` says so.
        """
        return self._to_its_end(self._start("run", [], options))

    def resume(self, step_to_rerun: str | None = None, **options: Any) -> ExecutingRun:
        """Resume a run to its end; keywords are the options of `resume`: `origin_run_id`, `tags`, ..."""
        return self._to_its_end(self._start("resume", [step_to_rerun] if step_to_rerun else [], options))

    async def async_run(self, **options: Any) -> ExecutingRun:
        """Start a run, and go on."""
        return self._start("run", [], options)

    async def async_resume(self, step_to_rerun: str | None = None, **options: Any) -> ExecutingRun:
        """Start to resume a run, and go on."""
        return self._start("resume", [step_to_rerun] if step_to_rerun else [], options)

    def _start(self, command: str, words: list[str], options: Mapping[str, Any]) -> ExecutingRun:
        facts = FactsFile(self._folder, f"{len(self._runs)}.json")
        line = [
            sys.executable,
            str(self._file),
            *top_options(self._options),
            command,
            *words,
            *command_options(options, with_parameters=command == "run"),
            "--runner-attribute-file",
            str(facts.path),
        ]
        process = FlowProcess(line, self._cwd, self._env, (sys.stdout, sys.stderr) if self._show else None)
        self._runs.append(ExecutingRun(process, facts, self._settings(), self._timeout))
        return self._runs[-1]

    @staticmethod
    def _to_its_end(executing: ExecutingRun) -> ExecutingRun:
        try:
            executing.await_end()
        except BaseException:  # Ctrl-C: nobody would be left to end it
            executing.end()
            raise
        return executing

    def _settings(self) -> Settings:
        """The settings under which its runs are found from here: those of their process, places made absolute."""
        given = {
            "STEPWELL_DATASTORE": self._options.get("datastore"),
            "STEPWELL_DATASTORE_ROOT": self._options.get("datastore_root"),
            "STEPWELL_METADATA": self._options.get("metadata"),
        }
        settings = load_settings(self._env).override(**given)
        root = settings.get("STEPWELL_DATASTORE_ROOT")
        if root is None:
            return settings.override(STEPWELL_DATASTORE_ROOT=str(local_root(self._cwd)))
        if root.startswith("s3://"):
            return settings
        return settings.override(STEPWELL_DATASTORE_ROOT=str((self._cwd or Path.cwd()) / Path(root).expanduser()))

    def cleanup(self) -> None:
        """End what still runs, and remove temporary files."""
        for executing in self._runs:
            executing.end()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cleanup()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cleanup()

    def __repr__(self) -> str:
        return f"Runner('{self._file}')"
