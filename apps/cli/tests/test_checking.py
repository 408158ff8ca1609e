"""`check`, `show` and `graph`: what is said of a flow that is not run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Project

BODY = """
@step
def start(self):
    \"\"\"Make items.\"\"\"
    self.items = [1, 2]
    self.next(self.each, foreach="items")

@step
def each(self):
    self.next(self.join)

@step
def join(self, inputs):
    self.count = len(inputs)
    self.next(self.end)

@step
def end(self):
    pass
"""


def test_a_valid_flow_is_said_to_be_one(project: Project) -> None:
    project.flow(BODY)
    for command, next_step in (
        (["check"], ""),
        ([], "Run it: python flow.py run; all it can do: python flow.py --help\n"),
    ):
        done = project.python("flow.py", *command)
        assert (done.returncode, done.stdout) == (0, "TestFlow is a valid flow of 4 steps.\n")
        assert done.stderr == next_step
    assert not (project.path / ".stepwell").exists()


def test_every_finding_is_shown_at_once_for_people_and_for_scripts(project: Project) -> None:
    project.flow(BODY.replace("self.next(self.join)", "self.next(self.jion)").replace("self.next(self.end)", "pass"))
    done = project.python("flow.py", "check", "--json")
    assert done.returncode == 1
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"unknown-step", "missing-transition"} <= {one["slug"] for one in found}
    assert all(one["line"] and one["help"] and one["code"].startswith("FG") for one in found)
    shown = project.python("flow.py", "check")
    assert shown.returncode == 1
    assert "self.next(self.jion)" in shown.stdout
    assert "^^^^" in shown.stdout


def test_show_tells_what_the_steps_do(project: Project) -> None:
    project.flow(BODY)
    assert "Step start => each\n    Make items." in project.python("flow.py", "show").stdout


@pytest.mark.parametrize(
    ("form", "holds"), [("text", "each"), ("mermaid", "flowchart TD"), ("dot", "digraph"), ("json", '"TestFlow"')]
)
def test_the_graph_is_drawn(project: Project, form: str, holds: str) -> None:
    project.flow(BODY)
    done = project.python("flow.py", "graph", "--format", form)
    assert done.returncode == 0, done.stderr
    assert holds in done.stdout


def test_an_svg_is_drawn_by_graphviz_where_it_is(project: Project, tmp_path: Path) -> None:
    project.flow(BODY)
    programs = tmp_path / "programs"
    programs.mkdir()
    absent = project.python("flow.py", "graph", "--format", "svg", PATH=str(programs))
    assert absent.returncode == 1
    assert "'dot' is not on the PATH" in absent.stderr
    (programs / "dot").write_text('#!/bin/sh\necho "<svg>"\nexec /bin/cat\n')
    (programs / "dot").chmod(0o755)
    drawn = project.python("flow.py", "graph", "--format", "svg", PATH=str(programs))
    assert drawn.stdout.startswith("<svg>\ndigraph"), drawn.stderr
