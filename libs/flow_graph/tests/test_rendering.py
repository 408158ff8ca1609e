"""How findings look: one line, many lines with a caret, plain data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from flow_graph import Finding, FlowGraph, GraphBuilder, GraphError, Span, Traversal, check, render

Read = Callable[[str], FlowGraph]

SOURCE = """
class Flow(FlowSpec):
    @step
    def start(self):
        self.next(self.trian)

    @step
    def train(self):
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_a_finding_in_one_line(read: Read) -> None:
    (finding,) = check(read(SOURCE))
    assert str(finding) == (
        f"{finding.file}:6:19: error: Step 'start' leads to 'trian', which is no step of the flow. "
        "Did you mean 'train'? [FG022 unknown-step]"
    )


def test_a_finding_as_a_compiler_shows_it(read: Read) -> None:
    (finding,) = check(read(SOURCE))
    assert render(finding).splitlines() == [
        f"{finding.file}:6:19: error: Step 'start' leads to 'trian', which is no step of the flow. [FG022 unknown-step]",
        "    6 |         self.next(self.trian)",
        "      |                   ^^^^^^^^^^",
        "      = help: Did you mean 'train'?",
    ]


@pytest.mark.parametrize(
    ("line", "marked", "shown"),
    [
        ("\tself.next(self.a)", "self.a", "\t          ^^^^^^"),
        ("x = '日本'; self.next()", "self.next()", "            ^^^^^^^^^^^"),
        ("x = 'e\u0301'; y", "y", "         ^"),
        ("日本", "日本", "^^^^"),
    ],
)
def test_the_caret_is_under_the_word(tmp_path: Path, line: str, marked: str, shown: str) -> None:
    file = tmp_path / "flow.py"
    file.write_text(f"{line}\n", encoding="utf-8")
    column = line.index(marked)
    finding = Finding("cycle", "What.", "How.", file=str(file), at=Span(1, column + 1, column + len(marked) + 1))
    assert render(finding).splitlines()[1:3] == [f"    1 | {line}", f"      | {shown}"]


def test_without_source_there_is_no_excerpt(tmp_path: Path) -> None:
    finding = Finding("cycle", "What.", "How.", file=str(tmp_path / "gone.py"), at=Span(3, 1, 4))
    assert render(finding).splitlines() == [
        f"{tmp_path / 'gone.py'}:3:1: error: What. [FG030 cycle]",
        "      = help: How.",
    ]
    assert render(Finding("cycle", "What.", "")) == "error: What. [FG030 cycle]"
    assert str(Finding("cycle", "What.", "How.")) == "error: What. How. [FG030 cycle]"


def test_a_file_that_has_changed_shows_no_wrong_place(tmp_path: Path) -> None:
    file = tmp_path / "flow.py"
    file.write_text("x\n")
    assert len(render(Finding("cycle", "What.", "How.", file=str(file), at=Span(1, 30, 40))).splitlines()) == 2


def test_a_finding_as_data(read: Read) -> None:
    (finding,) = check(read(SOURCE))
    assert json.loads(finding.to_json()) == finding.to_data()
    assert finding.to_data() == {
        "code": "FG022",
        "slug": "unknown-step",
        "severity": "error",
        "message": "Step 'start' leads to 'trian', which is no step of the flow.",
        "help": "Did you mean 'train'?",
        "step": "start",
        "file": finding.file,
        "line": 6,
        "column": 19,
        "end_column": 29,
    }
    assert Finding("cycle", "What.", "How.").to_data()["line"] is None


def test_an_error_shows_all_findings(read: Read) -> None:
    graph = read(SOURCE.replace("self.end)", "self.ende)"))
    with pytest.raises(GraphError) as caught:
        Traversal(graph)
    assert caught.value.name == "Flow"
    assert [finding.line for finding in caught.value.findings] == [6, 10]
    assert str(caught.value) == "The flow 'Flow' is not well formed:\n" + "\n".join(map(render, caught.value.findings))


def test_a_builders_error_has_no_places() -> None:
    with pytest.raises(GraphError) as caught:
        GraphBuilder("Flow").step("start", next="end").build()
    assert str(caught.value).splitlines()[1] == "error: The flow 'Flow' has no end step. [FG014 no-end]"
