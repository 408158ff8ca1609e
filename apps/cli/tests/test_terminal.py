"""What a person at a terminal sees, and what a pipe is spared."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest
from conftest import Project

BODY = """
@step
def start(self):
    import time
    time.sleep(0.5)
    print("a line")
    self.next(self.end)

@step
def end(self):
    pass
"""


def on_a_terminal(project: Project, *arguments: str, **environment: str) -> str:
    """What a command writes to a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=project.path, env={**project.environment, "TERM": "xterm", **environment},
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert process.wait(60) == 0, said
    return said.decode()


def test_a_terminal_gets_colours_and_a_progress_line_that_is_taken_away(project: Project) -> None:
    project.flow(BODY)
    said = on_a_terminal(project, "flow.py", "run")
    assert "\x1b[32m" in said
    assert "1 running · 0 done   start" in said
    assert said.rstrip().endswith("s)\x1b[0m")
    assert "running" not in said.rsplit("\x1b[K", 1)[-1]


@pytest.mark.parametrize(
    ("environment", "colours", "progress"), [({"NO_COLOR": "1"}, False, True), ({"TERM": "dumb"}, False, False)]
)
def test_people_can_do_without(project: Project, environment: dict[str, str], colours: bool, progress: bool) -> None:
    project.flow(BODY)
    said = on_a_terminal(project, "flow.py", "run", **environment)
    assert ("\x1b[32m" in said) == colours
    assert ("1 running" in said) == progress


def test_a_reader_that_goes_away_is_no_error(project: Project) -> None:
    project.flow(BODY)
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} flow.py show | true"],
        cwd=project.path, env=project.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""
