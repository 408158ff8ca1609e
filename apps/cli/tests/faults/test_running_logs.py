"""What a task prints can be followed while it runs, and emptied afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Project

BODY = """
@retry(times=1, minutes_between_retries=0)
@step
def start(self):
    import os, sys, time
    print("attempt", current.retry_count, flush=True)
    print("to stderr", current.retry_count, file=sys.stderr, flush=True)
    while not os.path.exists(f"go{current.retry_count}"):
        time.sleep(0.05)
    print("went on", current.retry_count)
    if current.retry_count == 0:
        raise RuntimeError("once")
    self.next(self.end)

@step
def end(self):
    import os, time
    while not os.path.exists("leave"):
        time.sleep(0.05)
"""


def started(project: Project, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=project.path, env=project.environment, stdout=subprocess.PIPE, text=True
    )


def test_a_running_attempt_is_followed_to_the_end_of_its_task(project: Project) -> None:
    project.flow(BODY)
    run = started(project, "flow.py", "run", "--run-id-file", "id")
    assert run.stdout is not None
    while "to stderr" not in (line := run.stdout.readline()):
        assert line, "the run has ended"
    follow = started(project, "-m", "stepwell", "logs", "TestFlow/1/start/t0", "--follow")
    errors = started(project, "flow.py", "logs", "--stderr", "--follow", "1/start/t0")
    assert follow.stdout is not None
    first = {
        follow.stdout.readline() for _ in range(2)
    }  # it has not ended yet; the two streams may come in either order
    assert first == {"attempt 0\n", "to stderr 0\n"}
    (project.path / "go0").touch()
    before = []
    while (line := follow.stdout.readline()) != "attempt 1\n":
        assert line
        before.append(line.strip())
    (project.path / "go1").touch()
    rest = follow.stdout.read()  # not communicate, which leaves out what readline has in its buffer
    assert follow.wait(120) == 0
    assert {line for line in [*before, *rest.splitlines()] if line.endswith(" 1")} == {"to stderr 1", "went on 1"}
    assert run.poll() is None, "the task has ended, its run has not"
    said = errors.communicate(timeout=120)[0].splitlines()
    assert [line for line in said if line.startswith("to stderr")] == ["to stderr 0", "to stderr 1"]
    assert "attempt 0" not in said
    (project.path / "leave").touch()
    assert run.wait(120) == 0


@pytest.fixture(scope="module")
def talkative(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("talkative"))
    project.flow(BODY)
    for name in ("go0", "go1", "leave"):
        (project.path / name).touch()
    project.run()
    return project


def log(project: Project, attempt: int) -> str:
    path: Path = project.path / ".stepwell" / "flows" / "TestFlow" / "runs" / "1" / "start" / "t0" / f"{attempt}.log"
    return path.read_text()


def test_logs_are_scrubbed_when_that_is_confirmed(talkative: Project) -> None:
    scrub = ("flow.py", "logs", "scrub", "1/start/t0")
    refused = talkative.python(*scrub)  # nobody answers
    assert refused.returncode == 1
    assert "cannot be brought back" in refused.stderr
    assert "went on 1" in log(talkative, 1)

    assert talkative.python(*scrub, "--yes", "--stderr").returncode == 0
    assert "to stderr" not in log(talkative, 1)
    assert "went on 1" in log(talkative, 1)
    done = talkative.python(*scrub, "--yes", "--all")
    assert done.returncode == 0, done.stderr
    for attempt in (0, 1):
        assert "attempt" not in log(talkative, attempt)
        assert "stderr" not in log(talkative, attempt)
    shown = talkative.stepwell("logs", "TestFlow/1/start/t0")
    assert shown.stdout.splitlines() == ["[stepwell: scrubbed]"] * 2
