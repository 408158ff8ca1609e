from __future__ import annotations

import json

import pytest
from flow_graph import Linear, Node, Switch, task_id
from flow_graph.nodes import Case
from hypothesis import given
from hypothesis import strategies as st
from interpreter import value
from sched_sfn import Jsonata, Template
from sched_sfn.running import StepTask
from sched_sfn.scopes import Scope
from sched_sfn.values import joined

PLAIN = Node("work", Linear("end"))
RECURSIVE = Node("work", Switch("state", (Case("again", "work"), Case("good", "end"))))


@given(st.lists(st.text()), st.text())
def test_literals_mean_themselves_whatever_they_look_like(literals: list[str], part: str) -> None:
    states = {"input": {"x": part}}
    assert value(joined(*literals), states) == "".join(literals)
    assert value(joined(*literals, Jsonata("$states.input.x")), states) == "".join(literals) + part


@pytest.mark.parametrize("text", ["{% $states.input %}", "{%%}", ""])
def test_what_looks_like_an_expression_is_text(text: str) -> None:
    assert value(joined(text), {}) == text


def test_literals_alone_stay_readable() -> None:
    assert Template("a/{step}/b").fill({"step": ("train",)}) == "a/train/b"
    assert Template("{{a}}").fill({}) == "{a}"


@pytest.mark.parametrize("text", ["{nothing}", "{", "}", "{}", "{step!r}", "{step:>10}", "{0}"])
def test_a_template_that_cannot_be_filled_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Template"):
        Template(text)


@given(st.lists(st.integers(0, 100), max_size=3).map(tuple), st.integers(0, 3))
def test_task_ids_are_those_of_flow_graph(path: tuple[int, ...], iteration: int) -> None:
    scope = Scope("Flow").inside_inline_map() if path else Scope("Flow")
    states = {"input": {"path": "-".join(map(str, path)), "iteration": iteration}}
    recursive = value(scope.task(RECURSIVE).fill(Template("{task_id}")), states)
    assert recursive == task_id(path, iteration)
    assert value(scope.task(PLAIN).fill(Template("{task_id}")), states) == task_id(path)


def test_every_slot_is_filled() -> None:
    context = {"Execution": {"Name": "run-1", "Input": {"alpha": 1}}}
    states = {"context": context, "input": {"path": "3-1", "iteration": 2}}
    task = Scope("Flow").inside_inline_map().task(RECURSIVE)
    text = "{execution} {input} {step} {path} {iteration} {task_id} {offset}"
    assert value(task.fill(Template(text)), states) == 'run-1 {"alpha":1} work 3-1 2 t3-1-r2 0'


def test_the_child_of_a_distributed_map_names_the_execution_that_it_belongs_to() -> None:
    task: StepTask = Scope("Flow").inside_distributed_map().task(PLAIN)
    own = {"execution": "run-1", "path": "3", "input": {"alpha": 1}}
    states = {"context": {"Execution": {"Name": "child", "Input": own}}, "input": {"path": "3"}}
    filled = value(task.fill(Template("{execution} {input} {path}")), states)
    assert filled == f"run-1 {json.dumps({'alpha': 1}, separators=(',', ':'))} 3"
