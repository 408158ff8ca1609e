"""`Parameter` and `IncludeFile`: how values are declared, given, checked and kept."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Project
from hypothesis import given
from hypothesis import strategies as st
from stepwell import IncludeFile, JSONType, Parameter
from stepwell.api.definition import FlowDefinition, read_flow
from stepwell.api.loading import load_flow
from stepwell.api.parameters import ParameterContext
from stepwell.deploying.production_input import execution_input, read_input
from stepwell.deploying.production_run import run_parameters
from stepwell.deploying.production_version import Version
from stepwell.errors import ParameterError
from stepwell.execution.stores import Stores, stores_at

END = "@step\ndef end(self):\n    pass\n"


@pytest.mark.parametrize(
    ("parameter", "given", "value"),
    [
        (Parameter("p"), "x", "x"),
        (Parameter("p"), None, None),
        (Parameter("p", default=3), "4", 4),
        (Parameter("p", default=3), None, 3),
        (Parameter("p", default=0.5), "1", 1.0),
        (Parameter("p", default=True), "no", False),
        (Parameter("p", type=JSONType), '{"a": [1]}', {"a": [1]}),
        (Parameter("p", default={"a": 1}), None, {"a": 1}),
        (Parameter("p", type=int, multiple=True), ("1", "2"), (1, 2)),
        (Parameter("p", type=int, multiple=True, default=[3]), (), (3,)),
        (Parameter("p", multiple=True, default=(3, 4)), ("1", "2"), (1, 2)),
        (Parameter("p", multiple=True, default=(3, 4)), (), (3, 4)),
        (Parameter("p", multiple=True, default=[1, 0.5]), ("2",), (2.0,)),
        (Parameter("p", multiple=True, default=["a"]), ("1",), ("1",)),
        (Parameter("p", multiple=True, default=()), ("1",), ("1",)),
        (Parameter("p", separator=","), "a,b", ["a", "b"]),
        (Parameter("p", separator=","), ["a", "b"], ["a", "b"]),
        (Parameter("p", separator=",", default="a,b"), None, ["a", "b"]),
        (Parameter("p", default=lambda: "made"), None, "made"),
        (Parameter("p", default=lambda: "made"), "given", "given"),
        (Parameter("p", type=int, default=lambda context: len(context.user_name)), None, 3),
        (Parameter("p", default=lambda context: f"{context.flow_name} {context.parameter_name}"), None, "F p"),
        (Parameter("p", type=JSONType, default=lambda: {"a": 1}), None, {"a": 1}),
        (Parameter("p", default=lambda context=None: repr(context)), None, "None"),
    ],
)
def test_a_value_is_given_or_the_default(parameter: Parameter, given: Any, value: Any) -> None:
    assert parameter.value(given, ParameterContext("F", "ann")) == value


@pytest.mark.parametrize(
    ("parameter", "given", "says"),
    [
        (Parameter("p", default=3), "x", "takes int, not 'x'"),
        (Parameter("p", type=bool), "maybe", "takes bool"),
        (Parameter("p", type=JSONType), "{", "takes JSON"),
        (Parameter("p", type=int, default=lambda: True), None, "gave True, a bool"),
        (Parameter("p", type=float, default=lambda: 1), None, "gave 1, a int"),
        (Parameter("p", default=lambda: 1), None, "gave 1, a int"),
        (Parameter("p", default=lambda: 1 / 0), None, "ZeroDivisionError"),
    ],
)
def test_a_wrong_value_is_one_message(parameter: Parameter, given: Any, says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        parameter.value(given)


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (lambda: Parameter("no name"), "letters"),
        (lambda: Parameter("fresh"), "reserved"),
        (lambda: Parameter("max-workers"), "reserved"),
        (lambda: Parameter("p", type=dict), "one of str"),
        (lambda: Parameter("p", type=int, separator=","), "separator"),
        (lambda: IncludeFile("p", is_text=False, encoding="latin-1"), "encoding"),
        (lambda: IncludeFile("p", parser="json"), "dotted name"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(declare: Callable[[], Any], says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        declare()


@given(st.lists(st.text(st.characters(exclude_characters=",")), min_size=1))
def test_what_was_joined_by_the_separator_is_split_again(words: list[str]) -> None:
    assert Parameter("p", separator=",").value(",".join(words)) == words


VALUES = """
def _who(context):
    return context.user_name + "/" + context.parameter_name

who = Parameter("who", default=_who)
two_words = Parameter("two-words", default=0)
many = Parameter("many", multiple=True)

@step
def start(self):
    print("values", self.who, self.two_words, self.many)
    self.next(self.end)

"""


def test_values_come_from_options_the_environment_and_functions(project: Project) -> None:
    project.flow(VALUES + END)
    done = project.run("--many", "a", "--many", "b", METAFLOW_RUN_TWO_WORDS="7")
    assert "values tester/who 7 ('a', 'b')" in done.stdout


FILES = """
    text = IncludeFile("text", default="data/text.txt")
    raw = IncludeFile("raw", is_text=False)
    latin = IncludeFile("latin", encoding="latin-1")
    rows = IncludeFile("rows", parser="json.loads", required=True)
    upper = IncludeFile("upper", parser=str.upper, default="data/text.txt")
    absent = IncludeFile("absent", parser=str.upper)
"""
FILE_FLOW = (
    """
from stepwell import FlowSpec, IncludeFile, step


class TestFlow(FlowSpec):
"""
    + FILES
    + """
    @step
    def start(self):
        self.seen = [self.text, self.raw, self.latin, self.rows, self.upper, self.absent]
        self.next(self.end)

    @step
    def end(self):
        assert self.rows is self.rows
        print(self.seen)


if __name__ == "__main__":
    TestFlow()
"""
)


def test_files_are_kept_with_the_run_and_seen_as_declared(project: Project) -> None:
    project.write(FILE_FLOW)
    (project.path / "data").mkdir()
    (project.path / "data" / "text.txt").write_text("häuser\n", encoding="utf-8")
    (project.path / "raw").write_bytes(b"\0\xff")
    (project.path / "latin").write_bytes("ä".encode("latin-1"))
    (project.path / "rows").write_text("[1, 2]")
    done = project.run("--raw", "raw", "--latin", "latin", "--rows", "rows")
    assert "['häuser\\n', b'\\x00\\xff', 'ä', [1, 2], 'HÄUSER\\n', None]" in done.stdout
    (project.path / "rows").unlink()
    kept = 'run = Flow("TestFlow").latest_run; print(run.data.rows, repr(run.data.raw), run["start"].task.data.text)'
    assert project.client(kept) == "[1, 2] b'\\x00\\xff' häuser"


@pytest.mark.parametrize(
    ("options", "says", "status"),
    [
        ((), "--rows", 2),
        (("--rows", "absent.json"), "absent.json cannot be read: No such file", 2),
        (("--rows", "bytes"), "bytes is no text in utf-8", 2),
    ],
)
def test_a_file_that_is_not_there_or_no_text_is_one_message(
    project: Project, options: tuple[str, ...], says: str, status: int
) -> None:
    project.write(FILE_FLOW)
    (project.path / "data").mkdir()
    (project.path / "data" / "text.txt").write_text("text")
    (project.path / "bytes").write_bytes(b"\xff")
    done = project.python("flow.py", "run", *options)
    assert done.returncode == status
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlowDefinition:
    """A flow with an included file and a list."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    file = tmp_path / "flow.py"
    file.write_text(
        "from stepwell import *\nclass F(FlowSpec):\n"
        "    text = IncludeFile('text')\n    words = Parameter('words', separator=',')\n"
        "    @step\n    def start(self):\n        self.next(self.end)\n    @step\n    def end(self):\n        pass\n"
    )
    return read_flow(load_flow(file), file)


def started(flow: FlowDefinition, stores: Stores, sent: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a run in production, from an execution's input."""
    version = Version(
        flow=flow.name, machine="f", machine_arn="arn", package="p", user="ann", token="t", environment={}
    )  # fmt: skip
    saved = run_parameters(flow, stores, version, read_input(flow, json.dumps(sent)))
    return {name: stores.objects.load(one) for name, one in saved.items()}


def test_a_run_in_production_gets_files_by_reference(flow: FlowDefinition, tmp_path: Path) -> None:
    stores = stores_at(str(tmp_path / "store"))
    content = "a long text\n" * 100_000
    sent = execution_input(flow, stores, {"text": content, "words": ["a", "b"]})
    assert len(str(sent)) < 1000
    assert started(flow, stores, sent) == {"text": content, "words": ["a", "b"]}
    assert started(flow, stores, execution_input(flow, stores, {"text": None}))["text"] is None


def test_an_input_with_other_names_is_refused(flow: FlowDefinition, tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="text, words"):
        started(flow, stores_at(str(tmp_path / "store")), {"wrods": "a"})
