"""Drawn graphs, run for real: the tasks and their parents are those of the reference interpreter."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from conftest import Project
from flow_graph import FlowGraph, Foreach, Node, PlannedTask, Switch, interpret, parse_task_id
from flow_graph.testing import Decisions, decisions, graphs, source_of
from hypothesis import HealthCheck, Phase, given, settings

HEADER = """
import json
from stepwell import FlowSpec, current, step

DECIDED = {decided!r}


def note(context):
    with open("tasks.jsonl", "a") as file:
        file.write(json.dumps([context.spec.step, context.spec.task_id, context.spec.inputs]) + "\\n")


def decided():
    return DECIDED[current.step_name, current.task_id]


"""


def body(node: Node) -> str:
    """What a step of a drawn flow does: note who it is and where it comes from, and decide."""
    said = ["note(self._stepwell_context)", *(["assert len(inputs) > 0"] if node.takes_inputs else [])]
    match node.transition:
        case Foreach(variable=variable):
            said.append(f"self.{variable} = list(range(decided()))")
        case Switch(condition=condition):
            said.append(f"self.{condition} = decided()")
    return "; ".join(said)


def decided_by(graph: FlowGraph, tasks: Iterable[PlannedTask], decisions: Decisions) -> Iterator[tuple[str, str, Any]]:
    """How many items each task has that splits, and the key that each task chooses that switches, by step and id."""
    for task in tasks:
        node = graph[task.step]
        path, iteration = parse_task_id(task.task_id, graph.foreach_depth(node.name))
        match node.transition:
            case Foreach():
                yield task.step, task.task_id, decisions.cardinality(node.name, path)
            case Switch(cases=cases):
                chosen = decisions.choice(node, path, iteration)
                yield task.step, task.task_id, next(case.key for case in cases if case.target == chosen)


def flow_of(graph: FlowGraph, decided: Mapping[tuple[str, str], Any]) -> str:
    source = source_of(graph, {node.name: body(node) for node in graph}, attributes="pass")
    header = HEADER.format(decided=dict(decided))
    return f"{header}{source.replace(f'class {graph.name}:', f'class {graph.name}(FlowSpec):')}\n\n{graph.name}()\n"


def can_run(graph: FlowGraph) -> bool:
    """No gangs, which are refused, and no configuration values."""
    gangs = any(getattr(node.transition, "parallel", False) for node in graph)
    expressions = any(case.expression for node in graph for case in getattr(node.transition, "cases", ()))
    return not gangs and not expressions


def tasks_that_ran(directory: Path) -> Iterator[tuple[str, str, tuple[tuple[str, str], ...]]]:
    for line in (directory / "tasks.jsonl").read_text().splitlines():
        step, task_id, inputs = json.loads(line)
        yield step, task_id, tuple(map(tuple, inputs))


@settings(
    max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate], derandomize=True
)
@given(graphs(max_depth=2).filter(can_run), decisions())
def test_a_run_has_the_tasks_of_the_reference_interpreter(graph: FlowGraph, decided: Decisions) -> None:
    tasks = list(interpret(graph, *decided.arguments(graph)))
    expected = [(task.step, task.task_id, tuple(map(tuple, task.parents))) for task in tasks]
    table = {(step, task_id): what for step, task_id, what in decided_by(graph, tasks, decided)}
    with TemporaryDirectory() as directory:
        project = Project(Path(directory))
        (project.path / "flow.py").write_text(flow_of(graph, table))
        project.run("--max-workers", "2")
        assert sorted(tasks_that_ran(project.path)) == sorted(expected)
