"""A project directory per test, in which flows are run as their users run them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
from hypothesis import HealthCheck, settings
from warm import WarmPython, is_warm

HEADER = "from stepwell import *\n\n"
FOOTER = '\n\nif __name__ == "__main__":\n    {name}()\n'


TIMED = [HealthCheck.too_slow]
settings.register_profile("stepwell", deadline=None, suppress_health_check=TIMED)  # timings never gate a test


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("stepwell")


@attrs.frozen
class Project:
    """A directory with flows, a user's environment, and nothing else."""

    path: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a command run here sees."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("STEPWELL_", "METAFLOW_"))}
        return {**kept, "STEPWELL_CONFIG_DIR": str(self.path / "config"), "STEPWELL_USER": "tester"}

    def write(self, source: str, name: str = "flow.py") -> Path:
        """Write a file as it is."""
        file = self.path / name
        file.write_text(textwrap.dedent(source))
        return file

    def flow(self, body: str, name: str = "TestFlow", file: str = "flow.py") -> Path:
        """Write a flow file whose class has this body; what the body starts with unindented goes before the class."""
        lines = textwrap.indent(textwrap.dedent(body), "    ")
        return self.write(f"{HEADER}class {name}(FlowSpec):\n{lines}{FOOTER.format(name=name)}", file)

    def python(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`python ...`."""
        return self._run(arguments, environment)

    def stepwell(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`stepwell ...`."""
        return self._run(("-m", "stepwell", *arguments), environment)

    def run(self, *options: str, file: str = "flow.py", **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a flow and see it succeed."""
        done = self.python(file, "run", *options, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def client(self, program: str) -> str:
        """What a program prints that uses the Client API from here."""
        done = self.python("-c", f"from stepwell import *\n{textwrap.dedent(program)}")
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _run(self, arguments: tuple[str, ...], more: dict[str, str]) -> subprocess.CompletedProcess[str]:
        environment = {**self.environment, **more}
        if is_warm(arguments, more):
            return PYTHON.run(arguments, self.path, environment, timeout=120)
        return subprocess.run(
            [sys.executable, *arguments], cwd=self.path, env=environment, capture_output=True, text=True, timeout=120
        )  # fmt: skip


PYTHON = WarmPython()


@pytest.fixture(scope="session", autouse=True)
def _warm_python() -> Iterator[None]:
    yield
    PYTHON.close()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def in_project(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Project]]:
    """The Client API of this process looks into the project."""
    monkeypatch.chdir(project.path)
    for key, value in project.environment.items():
        monkeypatch.setenv(key, value)
    from stepwell.client import scope

    scope.default_namespace()
    yield lambda: project
    scope.default_namespace()


@pytest.fixture
def libraries_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """This suite runs without the libraries that only AWS needs."""
    from stepwell.deploying import runtime

    here = {name: runtime.LIBRARIES[name] for name in ("stepwell", "cas_store", "flow_graph", "meta_client")}
    monkeypatch.setattr(runtime, "LIBRARIES", here)


@pytest.fixture
def a_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for commands that run in forks of this process: what they see of the environment is a test's own."""
    for name in [name for name in os.environ if name.startswith(("STEPWELL_", "METAFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("STEPWELL_USER", "tester")
    monkeypatch.setenv("STEPWELL_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path
