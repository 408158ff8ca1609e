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

HEADER = "from stepwell import *\n\n"
FOOTER = '\n\nif __name__ == "__main__":\n    {name}()\n'


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
        return self._run([sys.executable, *arguments], environment)

    def stepwell(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """`stepwell ...`."""
        return self._run([sys.executable, "-m", "stepwell", *arguments], environment)

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

    def _run(self, command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.path, env={**self.environment, **environment}, capture_output=True, text=True, timeout=120
        )  # fmt: skip


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
    from stepwell.deploying import package

    monkeypatch.setattr(package, "LIBRARIES", ("stepwell", "cas_store", "flow_graph", "meta_client"))
