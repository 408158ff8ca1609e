from __future__ import annotations

import json
from typing import Any

import flows
import pytest
from flow_graph import FlowGraph, interpret
from flow_graph.testing import Decisions, decisions, graphs
from hypothesis import given, settings
from hypothesis import strategies as st
from runners import LambdaRunner, PuttingRunner, SharingRunner
from sched_sfn import FanOut, StepRunner, compile_machine
from sched_sfn.costs import list_bytes
from shapes import RUNNER
from simulation import run


def test_a_thousand_tasks_in_an_array_cost_ten_transitions_at_most() -> None:
    machine = compile_machine(flows.foreach(), RUNNER)
    assert machine.cost({"start": 1000}).state_transitions <= 10
    assert machine.cost({"start": 1000}) == machine.cost({"start": 10_000}) == machine.cost()


@pytest.mark.parametrize("kind", ["inline", "distributed"])
def test_a_thousand_tasks_in_a_map_cost_three_transitions_each_at_most(kind: Any) -> None:
    machine = compile_machine(flows.foreach(), RUNNER, fan_outs={"start": FanOut(kind)})
    assert machine.cost({"start": 1000}).state_transitions <= 3 * 1000


def test_the_history_of_a_distributed_map_does_not_grow_with_its_width() -> None:
    machine = compile_machine(flows.long_foreach(), RUNNER)
    assert machine.cost({"start": 10}).events == machine.cost({"start": 10_000}).events


def widest(graph: FlowGraph, decided: Decisions) -> tuple[dict[str, int], dict[str, int]]:
    """The greatest width of each foreach, and the most rounds of each switch."""
    widths: dict[str, int] = {}
    rounds: dict[str, int] = {}
    for task in interpret(graph, *decided.arguments(graph)):
        rounds[task.step] = max(rounds.get(task.step, 0), task.iteration + 1)
        if graph[task.step].kind == "foreach":
            width = decided.cardinality(task.step, task.path)
            widths[task.step] = max(widths.get(task.step, 0), width)
    return widths, rounds


@given(graphs(), decisions(), st.sampled_from([PuttingRunner(), SharingRunner(), LambdaRunner()]))
@settings(max_examples=50)
def test_no_execution_costs_more_transitions_than_computed(
    graph: FlowGraph, decided: Decisions, runner: StepRunner
) -> None:
    machine = compile_machine(graph, runner)
    _, transitions = run(machine, decided)
    computed = machine.cost(*widest(graph, decided)).state_transitions
    assert transitions <= computed
    kinds = {node.kind for node in graph}
    if "switch" not in kinds and all(graph.foreach_depth(n.name) == 0 for n in graph if n.kind == "foreach"):
        assert transitions == computed  # without choices, and with one width for each foreach, it is exact


@given(st.integers(0, 20_000))
@settings(max_examples=50)
def test_the_bytes_of_a_list_are_those_of_its_json(width: int) -> None:
    assert list_bytes(width) == len(json.dumps(list(range(width)), separators=(",", ":")))
