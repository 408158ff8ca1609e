"""What a machine does when its tasks decide as `flow_graph.testing.Decisions` says, without AWS."""

from __future__ import annotations

import json
from typing import Any

from flow_graph import FlowGraph, TaskName
from flow_graph.testing import Decisions
from interpreter import Interpreter
from runners import GET, INVOKE, PUT
from sched_sfn import StateMachine

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
        assert resource != PUT or arguments["Bucket"] == "bucket"
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
