"""What becomes of a command whose output nobody reads, or for which there is no room."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from conftest import Project

BODY = """
@step
def start(self):
    print("a line")
    self.next(self.end)

@step
def end(self):
    import os
    if os.path.exists("broken"):
        raise ValueError("broken")
    print("the last line")
"""


@contextmanager
def unread() -> Iterator[int]:
    """A pipe whose reader has gone away."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@contextmanager
def full() -> Iterator[int]:
    """A device without room."""
    descriptor = os.open("/dev/full", os.O_WRONLY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def flow(project: Project) -> Project:
    project.flow(BODY)
    return project


def ended(project: Project, *arguments: str, out: int = subprocess.PIPE, err: int = subprocess.PIPE) -> tuple[int, str]:
    """The status of a command, and what it said where it could."""
    buffered = {key: value for key, value in project.environment.items() if key != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=project.path, env=buffered, stdout=out, stderr=err, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, f"{done.stdout or ''}{done.stderr or ''}"


@pytest.mark.parametrize(
    ("place", "streams"),
    [(unread, ("out",)), (unread, ("out", "err")), (full, ("out",)), (full, ("err",))],
    ids=["unread out", "unread out and err", "full out", "full err"],
)
def test_a_run_goes_on_when_nobody_can_see_it(flow: Project, place: type, streams: tuple[str, ...]) -> None:
    with place() as descriptor:
        status, said = ended(flow, "flow.py", "run", **dict.fromkeys(streams, descriptor))
    assert status == 0, said
    assert "Traceback" not in said
    assert said.count("nothing more can be shown on stdout") == (place is full and streams == ("out",))
    assert "the last line" in flow.stepwell("logs", "TestFlow/1").stdout


def test_the_status_of_a_run_that_nobody_sees_tells_its_result(flow: Project) -> None:
    (flow.path / "broken").touch()
    with unread() as descriptor:
        assert ended(flow, "flow.py", "run", out=descriptor, err=descriptor)[0] == 1
    assert flow.stepwell("ls", "TestFlow").stdout.split()[:2] == ["TestFlow/1", "failed"]


def test_a_run_needs_no_streams(flow: Project) -> None:
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "flow.py", "run"]
    done = subprocess.run(command, cwd=flow.path, env=flow.environment, timeout=120, check=False)
    assert done.returncode == 0
    assert "the last line" in flow.stepwell("logs", "TestFlow/1").stdout


LISTINGS = [("flow.py", "show"), ("-m", "stepwell", "--help")]


@pytest.mark.parametrize("arguments", LISTINGS, ids=" ".join)
def test_a_listing_ends_quietly_when_its_reader_goes_away(flow: Project, arguments: tuple[str, ...]) -> None:
    with unread() as descriptor:
        assert ended(flow, *arguments, out=descriptor) == (141, ""), "as programs do that SIGPIPE ends"


@pytest.mark.parametrize("arguments", LISTINGS, ids=" ".join)
def test_a_listing_for_which_there_is_no_room_says_so(flow: Project, arguments: tuple[str, ...]) -> None:
    with full() as descriptor:
        status, said = ended(flow, *arguments, out=descriptor)
    assert (status, said) == (1, "Not all of the output could be written: No space left on device\n")


@pytest.mark.parametrize("options", [(), ("--fresh",)], ids=["fork", "fresh"])
def test_text_that_the_terminal_cannot_show_is_escaped_and_kept_as_it_is(
    flow: Project, options: tuple[str, ...]
) -> None:
    flow.flow(BODY.replace("a line", "Ärger \N{SNOWMAN}"))
    done = flow.run(*options, PYTHONIOENCODING="ascii")
    assert "\\xc4rger \\u2603" in done.stdout
    assert "Ärger \N{SNOWMAN}" in flow.stepwell("logs", "TestFlow/1").stdout
