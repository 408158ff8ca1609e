"""What a person at a terminal sees, and what a pipe is spared."""

from __future__ import annotations

import fcntl
import io
import itertools
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest
from conftest import Project
from stepwell.scheduling.console import Console
from stepwell.terminal import guarded

BODY = """
@step
def start(self):
    import os, time
    while not os.path.exists("seen"):
        time.sleep(0.01)
    print("a line")
    self.next(self.end)

@step
def end(self):
    pass
"""


WIDE = """
@step
def start(self):
    self.items = list(range(30))
    self.next(self.each, foreach="items")

@step
def each(self):
    import time
    time.sleep(0.05)
    self.next(self.join)

@step
def join(self, inputs):
    import os
    if os.path.exists("broken"):
        raise ValueError("broken")
    self.next(self.end)

@step
def end(self):
    pass
"""


def test_a_library_of_an_extra_that_is_not_installed_names_the_extra(capsys: pytest.CaptureFixture[str]) -> None:
    def deploy() -> None:
        raise ModuleNotFoundError("No module named 'sched_sfn'", name="sched_sfn")

    with pytest.raises(SystemExit) as stop:
        guarded(deploy)
    assert stop.value.code == 1
    assert capsys.readouterr().err.splitlines() == [
        "This needs the package 'sched_sfn', which works with AWS: pip install 'stepwell[aws]'"
    ]


def test_ctrl_c_ends_any_command_as_other_programs_end(capsys: pytest.CaptureFixture[str]) -> None:
    def list_runs() -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stop:
        guarded(list_runs)
    assert stop.value.code == 130
    assert capsys.readouterr().err == "Aborted!\n"


def on_a_terminal(project: Project, *arguments: str, columns: int = 80, status: int = 0, **environment: str) -> str:
    """What a command writes to a terminal. The file `seen` is there once it has shown how far it is."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
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
        if b"start, running" in said:
            (project.path / "seen").touch()
    os.close(ours)
    assert process.wait(120) == status, said
    return said.decode()


def test_a_terminal_gets_colours_and_a_progress_line_that_is_taken_away(project: Project) -> None:
    project.flow(BODY)
    said = on_a_terminal(project, "flow.py", "run")
    assert "\x1b[32m" in said
    assert "\x1b[Kstart, running" in said
    assert said.rstrip().endswith("s)\x1b[0m")
    assert "running" not in said.rsplit("\x1b[K", 1)[-1]


@pytest.mark.parametrize(
    ("environment", "colours", "progress"), [({"NO_COLOR": "1"}, False, True), ({"TERM": "dumb"}, False, False)]
)
def test_people_can_do_without(project: Project, environment: dict[str, str], colours: bool, progress: bool) -> None:
    project.flow(BODY)
    if not progress:
        (project.path / "seen").touch()
    said = on_a_terminal(project, "flow.py", "run", **environment)
    assert ("\x1b[32m" in said) == colours
    assert ("start, running" in said) == progress


def shown(said: str) -> list[str]:
    """The texts of the progress line, one after the other."""
    return re.findall(r"\r\x1b\[K([^\r\n\x1b]+)(?=\r\x1b\[K)", said)


def test_a_foreach_is_counted_below_the_lines_and_never_wider_than_the_terminal(project: Project) -> None:
    project.flow(WIDE)
    wide = on_a_terminal(project, "flow.py", "run", "--max-workers", "2", NO_COLOR="1")
    counts = [int(match[1]) for text in shown(wide) if (match := re.match(r"each (\d+)/30, [12] running", text))]
    assert counts == sorted(counts)
    assert len(set(counts)) > 3
    assert "33 tasks of 4 steps done. To look closer: stepwell show TestFlow/1" in wide
    narrow = on_a_terminal(project, "flow.py", "run", "--max-workers", "2", columns=14, NO_COLOR="1")
    assert {len(text) for text in shown(narrow)} <= set(range(14))
    assert any(re.fullmatch(r"each \d+/30, ?[^,]*…", text) for text in shown(narrow))


def test_the_end_says_what_became_of_the_tasks_and_how_to_go_on(project: Project) -> None:
    project.flow(WIDE)
    (project.path / "broken").touch()
    said = on_a_terminal(project, "flow.py", "run", status=1, NO_COLOR="1").replace("\r\n", "\n")
    assert "31 tasks of 2 steps done; 1 attempt failed (join), in " in said
    assert "Workflow failed." in said
    assert "stepwell logs TestFlow/1/join/t0" in said
    assert "python flow.py resume --origin-run-id 1" in said


def test_quiet_leaves_what_tasks_print(project: Project) -> None:
    project.flow(BODY)
    (project.path / "seen").touch()
    said = on_a_terminal(project, "flow.py", "--quiet", "run", NO_COLOR="1").splitlines()
    assert [line.rpartition(")] ")[2] for line in said] == ["a line"]


def test_a_pipe_gets_a_line_now_and_then_and_ever_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, out = itertools.count(), io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    console, quiet = Console(), Console(quiet=True)
    for _ in range(3600):
        console.progress(lambda: "so far")
    quiet.progress(lambda: "never")
    lines = out.getvalue().splitlines()
    assert 5 <= len(lines) <= 12
    assert {line[24:] for line in lines} == {"so far"}


def test_a_reader_that_goes_away_is_no_error(project: Project) -> None:
    project.flow(BODY)
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} flow.py show | true"],
        cwd=project.path, env=project.environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.stderr == ""
