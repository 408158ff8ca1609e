"""The reference interpreter: what a run of a graph does, in the plainest words.

Depth first and one task at a time, with nothing but the transitions. Schedulers are tested against it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

import attrs

from flow_graph.arguments import mapping
from flow_graph.checking import require_well_formed
from flow_graph.errors import InvalidOutcome
from flow_graph.graph import FlowGraph
from flow_graph.nodes import Foreach, Node, Split, Switch
from flow_graph.outcomes import cardinality_of, choice_of
from flow_graph.tasks import Outcome, Path, PlannedTask, TaskName

Cardinalities = Mapping[str, int | Callable[[Path], int]]
"""For each foreach step, the number of items: a number, or a function of the path of the task that splits."""

Choices = Mapping[str, str | Sequence[str] | Callable[[Path, int], str]]
"""For each switch step, the step chosen: a name, one name for each iteration, or a function of path and iteration."""

Arrival = tuple[str, TaskName]
"""The join that an arm reached, and its last task."""


def interpret(
    graph: FlowGraph, cardinalities: Cardinalities | None = None, choices: Choices | None = None
) -> Iterator[PlannedTask]:
    """All tasks of a run in an order in which they could run, each after its parents.

    Raises GraphError if the graph is not well formed, UnknownStep for a name that is no step, InvalidOutcome if a cardinality or
    a choice is missing or wrong.
    """
    require_well_formed(graph)
    mapping("cardinalities", cardinalities)
    mapping("choices", choices)
    for step in (*(cardinalities or ()), *(choices or ())):
        graph[step]
    interpreter = Interpreter(graph, cardinalities or {}, choices or {})
    return interpreter.run(graph.start, (), ())


@attrs.frozen
class Interpreter:
    """A graph with all that decides which way its run takes."""

    graph: FlowGraph
    cardinalities: Cardinalities
    choices: Choices

    def run(self, step: str, path: Path, parents: tuple[TaskName, ...]) -> Generator[PlannedTask, None, Any]:
        """Run an arm from `step` to the join that it reaches, which is returned, or to the end of the flow."""
        iteration = 0
        while True:
            task = PlannedTask(step, path, iteration, parents)
            yield task
            node = self.graph[step]
            match node.transition:
                case Split(targets):
                    step, parents = yield from self.run_arms([(target, path) for target in targets], task.name)
                    continue
                case Foreach(target):
                    items = range(self.cardinality(node, task))
                    step, parents = yield from self.run_arms([(target, (*path, item)) for item in items], task.name)
                    continue
                case Switch():
                    target = self.choice(node, task)
                case _ if node.next:
                    target = node.next[0]
                case _:
                    return None
            if self.graph[target].takes_inputs:
                return target, task.name
            iteration = iteration + 1 if target == step else 0
            step, parents = target, (task.name,)

    def run_arms(
        self, arms: list[tuple[str, Path]], parent: TaskName
    ) -> Generator[PlannedTask, None, tuple[str, tuple[TaskName, ...]]]:
        """Run arms one after the other; the join that they all reach, and their last tasks in order."""
        arrivals: list[Arrival] = []
        for step, path in arms:
            arrivals.append((yield from self.run(step, path, (parent,))))
        return arrivals[0][0], tuple(task for _, task in arrivals)

    def cardinality(self, node: Node, task: PlannedTask) -> int:
        """The number of items of a foreach task."""
        value = self.cardinalities.get(node.name)
        cardinality = value(task.path) if callable(value) else value
        return cardinality_of(node, task.task_id, Outcome(cardinality=cardinality))

    def choice(self, node: Node, task: PlannedTask) -> str:
        """The step that a switch task chooses."""
        value: Any = self.choices.get(node.name)
        if value == node.name:
            raise InvalidOutcome(
                node.name, task.task_id, "it chooses itself for ever; give one choice for each iteration"
            )
        if callable(value):
            choice: str | None = value(task.path, task.iteration)
        elif value is None or isinstance(value, str):
            choice = value
        elif not isinstance(value, Sequence):
            must = "it must be a step, one step for each iteration, or a function"
            raise InvalidOutcome(node.name, task.task_id, f"{must}, not {value!r}")
        else:
            choice = value[task.iteration] if task.iteration < len(value) else None
        return choice_of(node, task.task_id, Outcome(choice=choice))
