"""A user's mistakes: one message that says what, where and what to do; an exit status; no run that looks successful."""

# ruff: noqa: E501 - a mistake is a row
from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest
from conftest import Project
from stepwell import flows

END = """
@step
def end(self):
    pass
"""


@attrs.frozen
class Mistake:
    """A flow's body, what the message must say, and the line (of the file) that it must name."""

    body: str
    says: tuple[str, ...]
    line: int | None = None
    options: tuple[str, ...] = ()
    status: int = 1


START = "@step\ndef start(self):\n"
RAISES = START + "    items = {}\n    self.x = items['absent']\n    self.next(self.end)\n" + END

MISTAKES = {
    "no start": Mistake("@step\ndef begin(self):\n    self.next(self.end)\n" + END, ("no start step",)),
    "no end": Mistake(START + "    self.next(self.last)\n\n@step\ndef last(self):\n    pass\n", ("no end step",)),
    "unknown step": Mistake(START + "    self.next(self.ende)\n" + END, ("ende", "end"), line=6),
    "no transition": Mistake(START + "    pass\n" + END, ("start", "self.next"), line=5),
    "a join without split": Mistake(
        START + "    self.next(self.j)\n\n@step\ndef j(self, inputs):\n    self.next(self.end)\n" + END, ("join",), line=9
    ),
    "two parameters of one name": Mistake(
        "a = Parameter('x')\nb = Parameter('X')\n" + START + "    self.next(self.end)\n" + END, ("share the name",), status=2
    ),
    "a reserved parameter": Mistake("tag = Parameter('tag')\n" + START + "    self.next(self.end)\n" + END, ("reserved",), line=4),
    "an unknown decorator attribute": Mistake(
        "@retry(tines=3)\n" + START + "    self.next(self.end)\n" + END, ("@retry", "tines", "times")
    ),
    "a decorator twice": Mistake("@retry\n@retry\n" + START + "    self.next(self.end)\n" + END, ("twice",)),
    "a required parameter missing": Mistake(
        "alpha = Parameter('alpha', required=True)\n" + START + "    self.next(self.end)\n" + END, ("--alpha",), status=2
    ),
    "an ill-typed parameter": Mistake(
        "alpha = Parameter('alpha', default=1)\n" + START + "    self.next(self.end)\n" + END,
        ("--alpha", "many"), options=("--alpha", "many"), status=2,
    ),
    "a parameter that is no JSON": Mistake(
        "conf = Parameter('conf', type=JSONType)\n" + START + "    self.next(self.end)\n" + END,
        ("conf", "JSON"), options=("--conf", "{no"), status=2,
    ),
    "a tag too long": Mistake(
        START + "    self.next(self.end)\n" + END, ("--tag", "500"), options=("--tag", "x" * 501), status=2
    ),
    "too many tags": Mistake(
        START + "    self.next(self.end)\n" + END, ("--tag", "50"), options=tuple(f"--tag={n}" for n in range(51)), status=2
    ),
    "an empty tag": Mistake(START + "    self.next(self.end)\n" + END, ("--tag", "empty"), options=("--tag", ""), status=2),
    "an unknown option": Mistake(START + "    self.next(self.end)\n" + END, ("--beta",), options=("--beta", "1"), status=2),
    "no workers": Mistake(START + "    self.next(self.end)\n" + END, ("--max-workers",), options=("--max-workers", "0"), status=2),
    "a step that raises": Mistake(RAISES, ("KeyError: 'absent'", "start"), line=7),
    "a step that exits": Mistake(START + "    raise SystemExit(3)\n    self.next(self.end)\n" + END, ("start",)),
    "a step that dies": Mistake(
        START + "    import os; os.kill(os.getpid(), 9)\n    self.next(self.end)\n" + END, ("start", "SIGKILL"), line=5
    ),
    "a foreach over nothing": Mistake(
        START + "    self.xs = []\n    self.next(self.one, foreach='xs')\n\n@step\ndef one(self):\n    self.next(self.j)\n\n"
        "@step\ndef j(self, inputs):\n    self.next(self.end)\n" + END, ("foreach='xs'", "empty"), line=7,
    ),
    "too many items": Mistake(
        START + "    self.xs = list(range(101))\n    self.next(self.one, foreach='xs')\n\n@step\ndef one(self):\n"
        "    self.next(self.j)\n\n@step\ndef j(self, inputs):\n    self.next(self.end)\n" + END,
        ("101", "--max-num-splits"),
    ),
    "a gang": Mistake(
        START + "    self.next(self.one, num_parallel=2)\n\n@step\ndef one(self):\n    self.next(self.j)\n\n"
        "@step\ndef j(self, inputs):\n    len(inputs)\n    self.next(self.end)\n" + END, ("parallel",),
    ),
    "an artifact that cannot be kept": Mistake(
        START + "    import threading\n    self.lock = [threading.Lock()]\n    self.next(self.end)\n" + END, ("cannot keep self.lock[0] (a _thread.lock): ", "two leading underscores"),
    ),
    "an artifact called as what all flows have": Mistake(
        START + "    self.input = 1\n    self.next(self.end)\n" + END, ("'input' is an attribute of every flow", "another name"), line=6,
    ),
    "a missing artifact": Mistake(
        START + "    print(self.absent)\n    self.next(self.end)\n" + END, ("no attribute 'absent'",), line=6
    ),
    "changing a parameter": Mistake(
        "alpha = Parameter('alpha', default=1)\n" + START + "    self.alpha = 2\n    self.next(self.end)\n" + END, ("alpha", "another name"), line=7,
    ),
    "conflicting artifacts in a join": Mistake(
        START + "    self.next(self.a, self.b)\n\n@step\ndef a(self):\n    self.x = 1\n    self.next(self.j)\n\n@step\ndef b(self):\n"
        "    self.x = 2\n    self.next(self.j)\n\n@step\ndef j(self, inputs):\n    self.merge_artifacts(inputs)\n    self.next(self.end)\n"
        + END, ("'x'", "merge_artifacts"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_in_a_flow(in_project: Callable[[], Project], mistake: Mistake) -> None:
    project = in_project()
    project.flow(mistake.body)
    done = project.python("flow.py", "run", *mistake.options)
    assert done.returncode == mistake.status, done.stdout + done.stderr
    for words in mistake.says:
        assert words in done.stderr
    if mistake.line is not None:
        assert f"flow.py:{mistake.line}" in done.stderr
    assert "site-packages/stepwell" not in done.stderr
    assert "/src/stepwell" not in done.stderr
    assert "bug in stepwell" not in done.stderr
    assert all(run.finished and not run.successful for flow in flows() for run in flow)


def test_the_traceback_of_a_step_is_the_users_part_only(project: Project) -> None:
    project.flow(
        START
        + "    self.next(self.end)\n\n"
        + END.replace("    pass", "    self.helper()\n\ndef helper(self):\n    1 / 0")
    )
    done = project.python("flow.py", "run")
    frames = [line for line in done.stdout.splitlines() if "File " in line]
    assert len(frames) == 2
    assert "1 / 0" in done.stdout
    assert all("flow.py" in frame for frame in frames)


def test_a_file_that_never_constructs_its_flow_says_what_is_missing(project: Project) -> None:
    project.write("from stepwell import FlowSpec\n\nclass Idle(FlowSpec):\n    pass\n")
    done = project.python("flow.py", "run")
    assert "flow.py defines the flow Idle and ended without running it" in done.stderr
    assert "Idle()" in done.stderr


FILES = {
    "no file": (None, "Did you mean 'flows.py'?"),
    "no Python": ("def (:\n", "flow.py:1"),
    "no flow": ("x = 1\n", "no flow"),
    "fails on import": ("import absent_module\n", "absent_module"),
    "binary": ("\0\0", "Python"),
}


@pytest.mark.parametrize(("source", "says"), FILES.values(), ids=FILES.keys())
def test_a_file_that_is_no_flow(project: Project, source: str | None, says: str) -> None:
    project.write("", "flows.py")
    if source is not None:
        project.write(source)
    done = project.stepwell("run", "flow.py")
    assert done.returncode == 1
    assert says in done.stderr
    assert "flow.py" in done.stderr
    assert "/src/stepwell" not in done.stderr
    assert not (project.path / ".stepwell").exists()


def test_what_is_not_built_yet_says_so(project: Project) -> None:
    project.flow(START + "    self.next(self.end)\n" + END)
    for command in (["spin"], ["card", "list"]):
        done = project.python("flow.py", *command)
        assert done.returncode == 1
        assert command[0] in done.stderr
        assert "yet" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says", "status"),
    [
        (("show", "Absent/1"), "no run 'Absent/1'", 1),
        (("ls", "Absent"), "no flow 'Absent' in local@", 1),
        (("ls",), "Nothing to list: local@", 0),
        (("ls", "Absent/"), "no flow 'Absent' in local@", 1),
        (("show", "a/b/c/d/e"), "path", 1),
        (("nonsense",), "nonsense", 2),
        (("run",), "Name a flow file", 2),
        (("configure", "import", "absent.json"), "absent.json", 1),
    ],
)
def test_a_mistake_on_the_command_line(project: Project, arguments: tuple[str, ...], says: str, status: int) -> None:
    done = project.stepwell(*arguments)
    assert done.returncode == status, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project.path / ".stepwell").exists()  # runs of folders below would go there


def test_a_setting_that_cannot_be_names_its_source(project: Project) -> None:
    project.flow(START + "    self.next(self.end)\n" + END)
    done = project.python("flow.py", "run", STEPWELL_METADATA="cloud")
    assert done.returncode != 0
    assert "STEPWELL_METADATA" in done.stderr
    assert "local, service" in done.stderr
