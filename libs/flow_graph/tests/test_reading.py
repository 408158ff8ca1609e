"""Reading a class: what is a step, where it stands, and what cannot be read."""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from flow_graph import (
    Case,
    End,
    FlowGraph,
    Foreach,
    Join,
    Linear,
    Node,
    SourceUnavailable,
    Span,
    Split,
    Switch,
    check,
    read_class,
)

Read = Callable[[str], FlowGraph]
Define = Callable[..., type]

TWO = """
class Flow(FlowSpec):
    '''What it is for.

    And more.
    '''

    @step
    def start(self):
        '''  Begins.  '''
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def slugs(graph: FlowGraph) -> list[str]:
    return [finding.slug for finding in check(graph)]


# ---- what is read


def test_names_documentation_and_places(read: Read) -> None:
    graph = read(TWO)
    assert graph.name == "Flow"
    assert graph.doc == "What it is for."
    assert graph.steps == ("start", "end")
    assert (graph.line, graph.at) == (3, Span(3, 7, 11))
    start = graph["start"]
    assert start.doc == "Begins."
    assert (start.file, start.line) == (graph.file, 10)
    assert start.at == Span(10, 9, 14)
    assert start.transition_at == Span(12, 9, 28)
    assert start.targets_at == {"end": Span(12, 19, 27)}
    assert Path(str(graph.file)).is_absolute()


def test_columns_count_characters(read: Read) -> None:
    graph = read(TWO.replace("self.next(self.end)", "ä = 'größe'; self.next(self.end)"))
    assert graph["start"].transition_at == Span(12, 22, 41)


def test_lines_are_those_of_python(read: Read) -> None:
    graph = read(TWO.replace("And more.", "And more.\f\x0b\x1c\u2028 Still the same line."))
    assert graph["start"].line == 10


def test_other_encodings(define: Define, tmp_path: Path) -> None:
    define(TWO, "flow_plain")
    source = "# -*- coding: latin-1 -*-\n" + (tmp_path / "flow_plain.py").read_text().replace(
        "What it is for.", "Größe."
    )
    (tmp_path / "flow_latin.py").write_bytes(source.encode("latin-1"))
    importlib.invalidate_caches()
    graph = read_class(importlib.import_module("flow_latin").Flow)
    assert graph.doc == "Größe."
    assert graph["start"].line == 11


def test_decorators(read: Read) -> None:
    source = TWO.replace(
        "    @step\n    def start", "    @mark(times=3)\n    @step(start=True)\n    @retry\n    def start"
    )
    graph = read(source.replace("    @step\n    def end", "    @step(end=True)\n    def end"))
    assert graph["start"].decorators == ("mark", "retry")
    assert graph["start"].starts
    assert graph["end"].ends
    assert check(graph) == []


def test_decorators_by_other_names(define: Define) -> None:
    source = TWO.replace("@step", "@api.task()").replace(".next(", ".goto(")
    source = "class api:\n    task = staticmethod(mark)\n" + source
    graph = read_class(define(source.replace("Flow(FlowSpec)", "Flow")), step="task", transition="goto")
    assert graph["start"].next == ("end",)
    assert check(graph) == []


def test_methods_that_are_no_steps(read: Read) -> None:
    graph = read(TWO + "\n    def helper(self):\n        self.next(self.nowhere)\n\n    other = 3\n")
    assert graph.steps == ("start", "end")


def test_an_own_word_for_self(read: Read) -> None:
    graph = read(
        "class Flow(FlowSpec):\n    @step\n    def start(me):\n        me.next(me.end)\n\n    @step\n    def end(me): pass\n"
    )
    assert graph["start"].next == ("end",)


def test_one_step_may_be_both_start_and_end(read: Read) -> None:
    graph = read("class Flow(FlowSpec):\n    @step(start=True, end=True)\n    def only(self): pass\n")
    assert check(graph) == []
    assert graph.start == graph.end == "only"


# ---- transitions

FORMS = [
    ("self.next(self.a)", Linear("a")),
    ("self.next(self.a, self.b)", Split(("a", "b"))),
    ("self.next(self.a, foreach='xs')", Foreach("a", "xs")),
    ("self.next(foreach='xs', *(), **{})", None),
    ("self.next(self.a, num_parallel=4)", Foreach("a", "4", parallel=True)),
    ("self.next(self.a, num_parallel=self.n + 1)", Foreach("a", "self.n + 1", parallel=True)),
    ("self.next({'x': self.a, 'y': self.b}, condition='c')", Switch("c", (Case("x", "a"), Case("y", "b")))),
    ("self.next(condition='c', *[{'x': self.a}])", None),
    (
        "self.next({1: self.a, -2.5: self.b, True: self.a, None: self.b}, condition='c')",
        Switch("c", (Case(1, "a"), Case(-2.5, "b"), Case(True, "a"), Case(None, "b"))),
    ),
    (
        "self.next({self.config.x: self.a, self.config.deep.y: self.b}, condition='c')",
        Switch("c", (Case("self.config.x", "a", expression=True), Case("self.config.deep.y", "b", expression=True))),
    ),
    ("self.next(\n            self.a,\n            foreach='xs',\n        )", Foreach("a", "xs")),
]


@pytest.mark.parametrize(("call", "transition"), FORMS)
def test_forms_of_transitions(read: Read, call: str, transition: object) -> None:
    start = read(TWO.replace("self.next(self.end)", call))["start"]
    if transition is None:
        assert start.kind == "invalid"
    else:
        assert start.transition == transition


def test_a_transition_of_a_step_with_inputs_is_a_join(read: Read) -> None:
    assert read(TWO.replace("start(self)", "start(self, inputs)"))["start"].transition == Join("end")


REFUSED = [
    # call, the part that the caret is under (all of it if none is named), words of the message
    ("self.next()", "", "names no step"),
    ("self.next('a')", "'a'", "'a' is not a step of the form self.name"),
    ("self.next(other.a)", "other.a", "other.a is not a step"),
    ("self.next(self.a.b)", "self.a.b", "self.a.b is not a step"),
    ("self.next(*steps)", "*steps", "*steps is not a step"),
    ("self.next(getattr(self, name))", "getattr(self, name)", "getattr(self, name) is not a step"),
    ("self.next(self.a, **options)", "options", "passes **options"),
    ("self.next(self.a, forech='xs')", "'xs'", "forech= is no option"),
    ("self.next(self.a, foreach=self.xs)", "self.xs", "foreach= must be the name of an artifact"),
    ("self.next(self.a, foreach='no name')", "", "not the name of an artifact"),
    ("self.next(self.a, self.b, foreach='xs')", "", "a foreach has exactly one target"),
    ("self.next(self.a, self.b, num_parallel=2)", "", "a gang has exactly one target"),
    ("self.next(self.a, foreach='xs', num_parallel=2)", "", "exclude each other"),
    ("self.next(self.a, condition='c')", "", "goes with a dictionary"),
    ("self.next({'x': self.a}, self.b, condition='c')", "", "one dictionary"),
    ("self.next({'x': self.a}, condition=c)", "c", "condition= must be the name"),
    ("self.next({'x': 'a'}, condition='c')", "'a'", "the case 'a' is not a step"),
    ("self.next({x: self.a}, condition='c')", "x", "the switch key x is not a literal"),
    ("self.next({b'x': self.a}, condition='c')", "b'x'", "the switch key b'x' is not a literal"),
    ("self.next({**cases}, condition='c')", "cases", "the case cases is not a step"),
    ("self.next({'x': self.a, 'y': self.b}, condition='c', foreach='xs')", "", "cannot also have foreach="),
    ("self.next({'x': self.a, 'y': self.b}, condition='c', num_parallel=2)", "", "cannot also have num_parallel="),
]


@pytest.mark.parametrize(("call", "marked", "words"), REFUSED, ids=[row[0] for row in REFUSED])
def test_forms_that_are_refused(read: Read, call: str, marked: str, words: str) -> None:
    graph = read(TWO.replace("self.next(self.end)", call))
    (finding,) = [finding for finding in check(graph) if finding.slug == "invalid-transition"]
    assert finding.at is not None
    line = Path(str(finding.file)).read_text().split("\n")[finding.at.line - 1]
    assert line[finding.at.column - 1 : finding.at.end_column - 1] == (marked or call)
    assert words in finding.message
    assert finding.help


@pytest.mark.parametrize(
    ("call", "slug"),
    [
        ("self.next({'x': self.end, 'y': self.end})", "switch-without-condition"),
        ("self.next({}, condition='c')", "switch-without-cases"),
        ("if True:\n            self.next(self.end)", "missing-transition"),
        ("self.next(self.end)\n        print()", "missing-transition"),
        ("return self.next(self.end)", "missing-transition"),
        ("pass", "missing-transition"),
        ("super().next(self.end)", "missing-transition"),
    ],
)
def test_transitions_that_are_missing_something(read: Read, call: str, slug: str) -> None:
    assert slugs(read(TWO.replace("self.next(self.end)", call))) == [slug]


def test_a_long_expression_is_cut_in_messages(read: Read) -> None:
    graph = read(TWO.replace("self.next(self.end)", f"self.next({' + '.join(['self.a'] * 100)})"))
    (finding,) = check(graph)
    assert len(finding.message) < 200


def test_a_coroutine_is_no_step(read: Read) -> None:
    graph = read(TWO.replace("def start", "async def start"))
    assert slugs(graph) == ["async-step"]
    assert graph["start"].next == ("end",)


@pytest.mark.parametrize("start", ["step(lambda self: self.next(self.end))", "step(print)", "step()(print)"])
def test_a_lambda_is_no_step(read: Read, start: str) -> None:
    graph = read(f"class Flow(FlowSpec):\n    start = {start}\n    @step\n    def end(self): pass\n")
    assert slugs(graph) == (["not-a-method"] if "step(l" in start or "step(p" in start else ["no-start"])


# ---- inheritance

BASE = TWO.replace("class Flow", "class Base")


def test_steps_are_inherited(read: Read) -> None:
    graph = read(BASE + "\nclass Flow(Base):\n    '''Own.'''\n")
    assert graph.doc == "Own."
    assert graph.steps == ("start", "end")
    assert graph["start"].line == 10


def test_steps_are_inherited_from_other_files(define: Define) -> None:
    base = define(BASE.replace("class Base", "class Flow"), "flow_base")
    flow = define("from flow_base import Flow as Base\nclass Flow(Base):\n    @step\n    def end(self): pass\n")
    graph = read_class(flow)
    assert graph["start"].file == read_class(base).file
    assert graph["end"].file == graph.file != graph["start"].file


def test_steps_are_overridden(read: Read) -> None:
    own = "\nclass Flow(Base):\n    @step\n    def start(self):\n        self.next(self.middle)\n\n"
    own += "    @step\n    def middle(self):\n        self.next(self.end)\n"
    graph = read(BASE + own)
    assert graph.steps == ("start", "middle", "end")


@pytest.mark.parametrize(
    "line", ["end = None", "end: object = None", "def end(self): pass", "class end: pass", "(a, end) = 1, 2"]
)
def test_steps_are_hidden_by_other_attributes(read: Read, line: str) -> None:
    graph = read(BASE + f"\nclass Flow(Base):\n    {line}\n")
    assert ("end" in graph) == (line == "(a, end) = 1, 2")  # a pattern of names: not worth following


def test_steps_come_from_mixins(read: Read) -> None:
    source = "class One:\n    @step\n    def start(self):\n        self.next(self.end)\n\n"
    source += "class Two:\n    @step\n    def end(self): pass\n\n    @step\n    def start(self): pass\n\n"
    graph = read(source + "class Flow(One, Two, FlowSpec): pass\n")
    assert graph["start"].next == ("end",)
    assert check(graph) == []


def test_steps_in_branches_of_a_class(read: Read) -> None:
    source = "class Flow(FlowSpec):\n    if True:\n        @step\n        def start(self):\n            self.next(self.end)\n"
    source += "    else:\n        @step\n        def start(self):\n            self.next(self.end)\n"
    source += "    try:\n        @step\n        def end(self): pass\n    except Exception:\n        pass\n"
    assert check(read(source)) == []


def test_a_step_defined_twice_is_a_warning(read: Read) -> None:
    graph = read(TWO + "\n    @step\n    def end(self):\n        pass\n")
    (finding,) = check(graph)
    assert (finding.slug, finding.severity, finding.line) == ("duplicate-step", "warning", 19)


def test_classes_inside_functions_and_of_the_same_name(read: Read) -> None:
    inner = TWO.replace("\n", "\n    ").replace("class Flow(", "class Inner(")
    graph = read(f"def make():\n{inner}\n    return Inner\n\nFlow = make()\n")
    assert graph.name == "Inner"
    assert graph.steps == ("start", "end")
    graph = read(TWO + "\nFirst = Flow\n" + TWO.replace("start", "begin") + "\nFlow = First\n")
    assert graph.steps == ("start", "end")


# ---- odd names


def test_unicode_names_are_refused_in_words(read: Read) -> None:
    graph = read(
        TWO.replace("(self.end)", "(self.größe)") + "\n    @step\n    def größe(self):\n        self.next(self.end)\n"
    )
    assert slugs(graph) == ["invalid-name"]
    assert "größe" in graph.to_text() + graph.to_dot() + graph.to_mermaid() + graph.to_json().encode().decode(
        "unicode_escape"
    )


@pytest.mark.parametrize("name", ["print", "list", "type", "super", "id", "graph", "node"])
def test_steps_named_like_builtins(read: Read, name: str) -> None:
    source = TWO.replace("self.next(self.end)", f"self.next(self.{name})")
    graph = read(source + f"\n    @step\n    def {name}(self):\n        self.next(self.end)\n")
    assert check(graph) == []
    assert graph.steps == ("start", name, "end")


# ---- what cannot be read


def run_python(*arguments: str, text: str = "") -> str:
    done = subprocess.run([sys.executable, *arguments], input=text, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


READING = """
from flow_graph import SourceUnavailable, check, read_class
try:
    graph = read_class(Flow)
except SourceUnavailable as error:
    print("refused:", error)
else:
    print("read:", *graph.steps, check(graph))

"""
PLAIN = "def step(f): return f\n\n" + TWO.replace("Flow(FlowSpec)", "Flow").replace("\n\n    @", "\n    @").replace(
    ".\n\n    And", "."
)


def is_answer(said: str, file: str = "") -> bool:
    """Whether a class without a file was refused in words, or read: from Python 3.13 on, some such source is kept."""
    refused = f"refused: Cannot read the source of class 'Flow'{file}" in said and "define it in a file" in said
    return refused or (sys.version_info >= (3, 13) and "read: start end []" in said)


def test_a_class_typed_at_the_prompt() -> None:
    assert is_answer(run_python("-i", "-q", text=PLAIN + "\n" + READING))


def test_a_class_from_exec_and_from_dash_c() -> None:
    said = run_python(
        "-c", f"space = {{'__name__': 'nowhere'}}\nexec({PLAIN!r}, space)\nFlow = space['Flow']\n{READING}"
    )
    assert is_answer(said, " in <string>")
    assert is_answer(run_python("-c", PLAIN + READING))


def test_a_script(tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(PLAIN + READING)
    assert "read: start end []" in run_python(str(file))


def test_a_class_in_an_archive(tmp_path: Path) -> None:
    archive = tmp_path / "flows.zip"
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr("zipped_flow.py", PLAIN)
    said = run_python(
        "-c", f"import sys; sys.path.insert(0, {str(archive)!r})\nfrom zipped_flow import Flow\n{READING}"
    )
    assert "read: start end []" in said


def test_a_file_that_is_gone(define: Define, tmp_path: Path) -> None:
    flow = define(TWO, "flow_gone")
    (tmp_path / "flow_gone.py").unlink()
    with pytest.raises(SourceUnavailable, match=r"Cannot read the source of class 'Flow' in .*flow_gone\.py") as caught:
        read_class(flow)
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize(("damage", "line"), [("class Flow(:\n", 1), ("x = '\n", 1), ("def f():\nreturn 1\n", 2)])
def test_a_file_with_a_syntax_error(define: Define, tmp_path: Path, damage: str, line: int) -> None:
    flow = define(TWO, "flow_damaged")
    (tmp_path / "flow_damaged.py").write_text(damage)
    with pytest.raises(SourceUnavailable) as caught:
        read_class(flow)
    assert caught.value.line == line
    assert isinstance(caught.value.__cause__, SyntaxError)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"# coding: none-such\n", b"x = 1\0", b"(" * 5000 + b")" * 5000])
def test_a_file_that_is_no_source(define: Define, tmp_path: Path, content: bytes) -> None:
    flow = define(TWO, "flow_binary")
    (tmp_path / "flow_binary.py").write_bytes(content)
    with pytest.raises(SourceUnavailable, match=r"flow_binary\.py"):
        read_class(flow)


def test_a_file_that_holds_another_class_now(define: Define, tmp_path: Path) -> None:
    flow = define(TWO, "flow_other")
    (tmp_path / "flow_other.py").write_text("class Other:\n    pass\n")
    with pytest.raises(SourceUnavailable, match="holds no class of this name"):
        read_class(flow)


def test_a_builtin_class() -> None:
    with pytest.raises(SourceUnavailable, match="not defined in a file"):
        read_class(dict)


def test_a_base_without_source_is_a_warning(define: Define) -> None:
    source = "exec('class Base(FlowSpec):\\n    def start(self): pass')\n"
    graph = read_class(define(source + TWO.replace("Flow(FlowSpec)", "Flow(Base)")))
    (finding,) = check(graph)
    assert (finding.slug, finding.severity) == ("unreadable-base", "warning")
    assert "'Base'" in finding.message


def test_reading_executes_nothing(define: Define, capsys: pytest.CaptureFixture[str]) -> None:
    source = TWO + "\n    alpha = Parameter()\n    @property\n    def loud(self):\n        print('executed')\n"
    flow = define(source)
    capsys.readouterr()
    assert check(read_class(flow)) == []
    assert capsys.readouterr().out == ""


# ---- size


def long_flow(steps: int) -> str:
    names = ["start", *(f"s{number}" for number in range(steps - 2)), "end"]
    lines = ["class Flow(FlowSpec):"]
    for position, name in enumerate(names):
        way = f"self.next(self.{names[position + 1]})" if position + 1 < steps else "pass"
        lines.append(f"    @step\n    def {name}(self):\n        {way}\n")
    return "\n".join(lines)


def test_ten_thousand_steps(define: Define) -> None:
    flow = define(long_flow(10_000))
    began = time.process_time()
    graph = read_class(flow)
    assert check(graph) == []
    assert len(graph) == len(graph.to_text().splitlines()) == 10_000
    assert FlowGraph.from_json(graph.to_json()) == graph
    assert time.process_time() - began < 120  # not a measure: only that it is no matter of ever more minutes


def test_a_cycle_of_ten_thousand_steps() -> None:
    names = ["start", *(f"s{number}" for number in range(9_998)), "end"]
    ways = [*names[1:-1], "s0"]
    steps = [Node(name, Linear(target)) for name, target in zip(names[:-1], ways, strict=True)]
    graph = FlowGraph("Flow", [*steps, Node("end", End())])
    assert slugs(graph) == ["cycle", "unreachable"]
    assert len(graph.order.cycles[0]) == 9_999


def test_ends_of_graphs() -> None:
    assert FlowGraph("Flow", []).to_text() == ""
    assert [finding.slug for finding in check(FlowGraph("Flow", []))] == ["no-start", "no-end"]
    assert End().targets == ()
