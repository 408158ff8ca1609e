"""`Deployer`: put a flow file into production from Python, and start and watch its runs there, as its commands would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import attrs

from stepwell.config import load_settings
from stepwell.errors import DeployError, NotFound, StepwellError
from stepwell.running.arguments import command_options, top_options

if TYPE_CHECKING:
    from stepwell.client.objects import Run
    from stepwell.deploying.production_code import DeployedCode

FLAGS = frozenset({"generate_new_token"})
_POLL_SECONDS = 1.0


@attrs.frozen
class _Commands:
    """The `step-functions` commands of a flow file."""

    file: Path
    env: Mapping[str, str]
    cwd: Path | None
    options: Mapping[str, Any]
    show: bool
    folder: TemporaryDirectory[str] | None = None
    """Where the file lies, if it was fetched: it goes with the last object that needs it."""

    def call(self, command: str, *words: str) -> str:
        """Run a command; gives what it printed. Raises `DeployError` with what it said where it fails."""
        line = [sys.executable, str(self.file), *top_options(self.options), "step-functions", command, *words]
        done = subprocess.run(line, cwd=self.cwd, env=dict(self.env), capture_output=True, text=True, check=False)
        if done.returncode:
            raise DeployError(
                f"step-functions {command} of {self.file} failed:\n{(done.stderr or done.stdout).strip()}"
            )
        if self.show:
            print(done.stdout, end="")
        return done.stdout

    def data(self, command: str, *words: str) -> dict[str, Any]:
        """What a command prints as JSON."""
        return dict(json.loads(attrs.evolve(self, show=False).call(command, *words, "--json")))


def _environment(profile: str | None, env: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **({"STEPWELL_PROFILE": profile} if profile else {}), **(env or {})}


class Deployer:
    """Deploys a flow file.

        deployed = Deployer("flow.py").step_functions().create(max_workers=50)
        triggered = deployed.trigger(alpha=0.5)
        triggered.wait()
        print(triggered.status, triggered.run.data.total)

    `env` is added to the environment; `profile` names the settings file; other keywords are options that stand before the
    command (`production=True`, `branch="b"`). `show_output` passes on what the commands print.
    """

    def __init__(
        self,
        flow_file: str | os.PathLike[str],
        show_output: bool = True,
        profile: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        **options: Any,
    ) -> None:
        folder = Path(cwd).absolute() if cwd else None
        file = (folder or Path.cwd()) / flow_file
        if not file.is_file():
            raise DeployError(f"There is no flow file {file}")
        self._commands = _Commands(file, _environment(profile, env), folder, options, show_output)

    def step_functions(self) -> StepFunctionsDeployer:
        """AWS Step Functions as the place of production."""
        return StepFunctionsDeployer(self._commands)

    def __repr__(self) -> str:
        return f"Deployer('{self._commands.file}')"


@attrs.frozen(repr=False)
class StepFunctionsDeployer:
    """A flow file, to be deployed to AWS Step Functions."""

    _commands: _Commands

    def create(self, **options: Any) -> DeployedFlow:
        """Deploy this version of the flow; keywords are the options of `create`: `tags`, `max_workers`, `authorize`, ...

        Raises `DeployError`.
        """
        words = [f"--{name.replace('_', '-')}" for name in sorted(FLAGS & set(options)) if options[name]]
        others = {name.replace("_", "-"): value for name, value in options.items() if name not in {*FLAGS, "tags"}}
        self._commands.call("create", *words, *command_options({**others, "tags": options.get("tags")}))
        return self.deployed()

    def deployed(self) -> DeployedFlow:
        """What is deployed of the flow already. Raises `DeployError` where nothing is."""
        return DeployedFlow(self._commands, self._commands.data("describe"))


@attrs.frozen(repr=False)
class DeployedFlow:
    """A flow in production."""

    _commands: _Commands
    _facts: Mapping[str, Any]

    @classmethod
    def from_deployment(
        cls,
        name: str,
        *,
        show_output: bool = True,
        profile: str | None = None,
        env: Mapping[str, str] | None = None,
    ) -> DeployedFlow:
        """What is deployed as the state machine `name`, which `DeployedFlow.name` told its deployer; no flow file is needed.

        The code that was deployed is fetched: it says what parameters there are. A flow with configs that have no default finds
        them in `env`, as `STEPWELL_FLOW_CONFIG_VALUE`. Raises `DeployError`.
        """
        own = _environment(profile, env)
        code = _fetch(name, own)
        options = code.options
        given = {"decospecs": options.added, "branch": options.branch, "production": options.production}
        commands = _Commands(Path(code.folder.name, code.file), own, None, given, show_output, code.folder)
        return cls(commands, commands.data("describe"))

    @property
    def name(self) -> str:
        """The state machine's name."""
        return str(self._facts["state_machine"])

    @property
    def flow_name(self) -> str:
        """The flow's name."""
        return self.name.rpartition(".")[2]

    @property
    def production_token(self) -> str:
        """The production token; its runs are in the namespace `production:<token>`."""
        return str(self._facts["token"])

    def trigger(self, **parameters: Any) -> TriggeredRun:
        """Start a run with these parameters. Raises `DeployError`."""
        pathspec = self._commands.call("trigger", *command_options(parameters, with_parameters=True)).split()[-1]
        return TriggeredRun(self._commands, pathspec)

    def list_runs(self, status: str | None = None) -> list[TriggeredRun]:
        """The runs, the latest first; of one status, if it is given."""
        commands = attrs.evolve(self._commands, show=False)
        lines = commands.call("list-runs", "--json", *(["--status", status] if status else [])).splitlines()
        return [TriggeredRun(self._commands, json.loads(line)["pathspec"]) for line in lines]

    def delete(self) -> None:
        """Remove it, and what starts it; its runs stay."""
        self._commands.call("delete")

    def __repr__(self) -> str:
        return f"<DeployedFlow {self.name}>"


def _fetch(name: str, environment: Mapping[str, str]) -> DeployedCode:
    """The code that is deployed under a name; raises `DeployError`."""
    from cas_store import CasStoreError
    from sched_sfn import SchedSfnError

    from stepwell.deploying.production_code import fetch_deployed

    try:
        return fetch_deployed(name, load_settings(environment))
    except (CasStoreError, SchedSfnError, StepwellError) as error:
        raise DeployError(f"The deployed flow {name!r} cannot be fetched: {error}") from error


@attrs.frozen(repr=False)
class TriggeredRun:
    """A run in production; `pathspec` is `Flow/run`."""

    _commands: _Commands
    pathspec: str

    @property
    def id(self) -> str:
        """The run's id."""
        return self.pathspec.partition("/")[2]

    def describe(self) -> dict[str, Any]:
        """What `step-functions describe` says of it: its status, and why it failed."""
        return self._commands.data("describe", self.id)

    @property
    def status(self) -> str:
        """One of running, succeeded, failed, timed-out, aborted."""
        return str(self.describe()["status"])

    @property
    def is_running(self) -> bool:
        """Whether its execution has not ended."""
        return self.status == "running"

    def wait(self, timeout: float | None = None) -> TriggeredRun:
        """Wait until it has ended, `timeout` seconds at most; gives itself. Raises `DeployError` when the time is over."""
        deadline = time.monotonic() + timeout if timeout is not None else float("inf")
        while self.is_running:
            if time.monotonic() > deadline:
                raise DeployError(
                    f"{self.pathspec} is still running after {timeout:g} seconds; wait again, or terminate() it"
                )
            time.sleep(_POLL_SECONDS)
        return self

    @property
    def run(self) -> Run | None:
        """The run as the Client API has it, whatever the namespace; None until its first task has begun."""
        from stepwell.client.objects import Run
        from stepwell.client.scope import namespace, use_settings

        use_settings(load_settings(self._commands.env))
        namespace(None)
        try:
            return Run(self.pathspec)
        except NotFound:
            return None

    def wait_for_run(self, timeout: float | None = None) -> Run:
        """The run, once its first task has begun. Raises `DeployError` when the time is over, or where it never began."""
        deadline = time.monotonic() + timeout if timeout is not None else float("inf")
        while (found := self.run) is None:
            is_over = time.monotonic() > deadline or not self.is_running
            if is_over and self.run is None:  # it may have begun, and ended, since the look before
                raise DeployError(
                    f"{self.pathspec} has not begun: {self.describe()['reason'] or 'it waits for AWS Batch'}"
                )
            time.sleep(_POLL_SECONDS)
        return found

    def terminate(self) -> None:
        """End it, with its jobs."""
        self._commands.call("terminate", self.id)

    def redrive(self) -> TriggeredRun:
        """Continue it where it failed; gives itself."""
        self._commands.call("redrive", self.id)
        return self

    def __repr__(self) -> str:
        return f"<TriggeredRun {self.pathspec}>"
