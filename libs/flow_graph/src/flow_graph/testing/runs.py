"""What the tasks of a run decide."""

from __future__ import annotations

import random
from collections.abc import Callable

import attrs
from hypothesis import strategies as st

from flow_graph.graph import FlowGraph
from flow_graph.nodes import Node
from flow_graph.tasks import Outcome, Path, parse_task_id


@attrs.frozen
class Decisions:
    """What the tasks of a run decide: the same for the same task, whenever it is asked."""

    seed: int
    most_items: int = 3
    most_iterations: int = 3

    def cardinality(self, step: str, path: Path) -> int:
        """The number of items of a foreach task."""
        return random.Random(f"{self.seed} {step} {path}").randint(1, self.most_items)

    def choice(self, node: Node, path: Path, iteration: int) -> str:
        """The step that a switch task chooses: not itself for ever."""
        choices = [t for t in node.next if t != node.name or iteration < self.most_iterations]
        return random.Random(f"{self.seed} {node.name} {path} {iteration}").choice(choices)

    def outcome(self, node: Node, path: Path, iteration: int) -> Outcome:
        """The outcome of a task."""
        if node.kind == "foreach":
            return Outcome(cardinality=self.cardinality(node.name, path))
        return Outcome(choice=self.choice(node, path, iteration)) if node.kind == "switch" else Outcome()

    def outcome_of(self, graph: FlowGraph) -> Callable[[str, str], Outcome]:
        """The outcomes by step and task id, as `task_inputs` asks for them."""
        return lambda step, task: self.outcome(graph[step], *parse_task_id(task, graph.foreach_depth(step)))

    def arguments(self, graph: FlowGraph) -> tuple[dict[str, Callable[..., int]], dict[str, Callable[..., str]]]:
        """The cardinalities and the choices, as `interpret` takes them."""
        cardinalities: dict[str, Callable[..., int]] = {}
        choices: dict[str, Callable[..., str]] = {}
        for node in graph:
            cardinalities[node.name] = lambda path, name=node.name: self.cardinality(name, path)
            choices[node.name] = lambda path, iteration, node=node: self.choice(node, path, iteration)
        return cardinalities, choices


def decisions() -> st.SearchStrategy[Decisions]:
    """Decisions for a run."""
    return st.builds(Decisions, st.integers(0, 2**32))
