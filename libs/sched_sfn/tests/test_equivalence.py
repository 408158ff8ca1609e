"""A machine runs the tasks that the reference interpreter of `flow_graph` says, each after its parents."""

from __future__ import annotations

import json
from typing import Any

from flow_graph import FlowGraph, PlannedTask, TaskName, interpret
from flow_graph.testing import Decisions, decisions, graphs
from hypothesis import given, settings
from hypothesis import strategies as st
from interpreter import Interpreter
from runners import GET, INVOKE, PUT, LambdaRunner, PuttingRunner
from sched_sfn import FanOut, StateMachine, StepRunner, compile_machine
from sched_sfn.fan_outs import one_step_body

Tasks = dict[TaskName, tuple[TaskName, ...]]


def outcome_data(graph: FlowGraph, decided: Decisions, name: TaskName) -> dict[str, Any]:
    outcome = decided.outcome_of(graph)(*name)
    return {"cardinality": outcome.cardinality, "choice": outcome.choice}


def run(machine: StateMachine, decided: Decisions) -> tuple[Tasks, int]:
    """The tasks that a machine runs, with their parents, and its number of state transitions."""
    tasks: Tasks = {}

    def call(resource: str, arguments: Any, last: Any) -> Any:
        if resource == GET:
            prefix, *name = arguments["Key"].split("/")
            assert prefix == "decisions"
            record = {"transition": outcome_data(machine.graph, decided, TaskName(*name))}
            return {"Body": json.dumps(record)}, last
        key = arguments["Key"] if resource == PUT else arguments["Payload"]["key"]
        execution, *name = key.split("/")
        task = TaskName(*name)
        assert execution == "run-1"
        assert task not in tasks, "a task runs once"
        tasks[task] = last
        if resource == INVOKE:
            assert json.loads(arguments["Payload"]["input"]) == {"path": "x", "iteration": 9}
            return {"Payload": outcome_data(machine.graph, decided, task)}, (task,)
        return {}, (task,)

    interpreter = Interpreter(machine.definition, call)
    interpreter.execute("run-1", {"path": "x", "iteration": 9})  # names that places use: they must not be mixed up
    return tasks, interpreter.transitions


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


@given(st.data(), graphs(), decisions(), st.sampled_from([PuttingRunner(), PuttingRunner(arrays=True), LambdaRunner()]))
@settings(max_examples=100)
def test_tasks_and_parents_are_those_of_the_reference(
    data: st.DataObject, graph: FlowGraph, decided: Decisions, runner: StepRunner
) -> None:
    machine = compile_machine(graph, runner, fan_outs=data.draw(strategies(graph, runner)))
    tasks, _ = run(machine, decided)
    assert tasks == expected(graph, decided)
