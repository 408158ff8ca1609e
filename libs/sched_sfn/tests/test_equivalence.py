"""A machine runs the tasks that the reference interpreter of `flow_graph` says, each after its parents."""

from __future__ import annotations

from flow_graph import FlowGraph, PlannedTask, interpret
from flow_graph.testing import Decisions, decisions, graphs
from hypothesis import given, settings
from hypothesis import strategies as st
from runners import LambdaRunner, PuttingRunner, SharingRunner
from sched_sfn import FanOut, StepRunner, compile_machine
from sched_sfn.fan_outs import one_step_body
from simulation import Tasks, run


def expected(graph: FlowGraph, decided: Decisions) -> Tasks:
    planned: list[PlannedTask] = list(interpret(graph, *decided.arguments(graph)))
    return {task.name: task.parents for task in planned}


def strategies(graph: FlowGraph, runner: StepRunner) -> st.SearchStrategy[dict[str, FanOut]]:
    """Ways to spread the foreaches of a graph; those left out are the compiler's to choose."""
    kinds: dict[str, st.SearchStrategy[FanOut]] = {}
    for node in graph:
        if node.kind == "foreach":
            arrays = runner.supports_arrays(node) and one_step_body(graph, node)
            kinds[node.name] = st.sampled_from(
                [FanOut(kind) for kind in ("inline", "distributed", *["array"] * arrays)]
            )
    return st.fixed_dictionaries({}, optional=kinds)


RUNNERS = [PuttingRunner(), PuttingRunner(arrays=True), SharingRunner(), LambdaRunner()]


@given(st.data(), graphs(), decisions(), st.sampled_from(RUNNERS))
@settings(max_examples=100)
def test_tasks_and_parents_are_those_of_the_reference(
    data: st.DataObject, graph: FlowGraph, decided: Decisions, runner: StepRunner
) -> None:
    machine = compile_machine(graph, runner, fan_outs=data.draw(strategies(graph, runner)))
    tasks, _ = run(machine, decided)
    assert tasks == expected(graph, decided)
