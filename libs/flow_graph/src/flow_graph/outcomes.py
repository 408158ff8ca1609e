"""What a task's outcome says about the way on, checked against its step."""

from __future__ import annotations

from flow_graph.errors import InvalidOutcome
from flow_graph.nodes import Node
from flow_graph.tasks import Outcome


def require_outcome(node: Node, task_id: str, outcome: object) -> None:
    """Raise InvalidOutcome unless it is an outcome."""
    if not isinstance(outcome, Outcome):
        raise InvalidOutcome(node.name, task_id, f"it must be an Outcome, as Outcome(cardinality=3), not {outcome!r}")


def cardinality_of(node: Node, task_id: str, outcome: Outcome) -> int:
    """The number of items of a foreach. Raises InvalidOutcome if it is missing, or there are none."""
    require_outcome(node, task_id, outcome)
    cardinality = outcome.cardinality
    if cardinality is None:
        raise InvalidOutcome(node.name, task_id, "a foreach needs a cardinality")
    if not isinstance(cardinality, int) or isinstance(cardinality, bool):
        raise InvalidOutcome(node.name, task_id, f"a cardinality is a whole number, not {cardinality!r}")
    if cardinality < 1:
        raise InvalidOutcome(node.name, task_id, f"a foreach needs at least one item, not {cardinality}")
    return cardinality


def choice_of(node: Node, task_id: str, outcome: Outcome) -> str:
    """The step that a switch chose. Raises InvalidOutcome if it is missing or is not one of the cases."""
    require_outcome(node, task_id, outcome)
    choice = outcome.choice
    if choice is None:
        raise InvalidOutcome(node.name, task_id, "a switch needs the name of the step that it chose")
    if choice not in node.next:
        raise InvalidOutcome(node.name, task_id, f"a switch cannot choose {choice!r}, only {', '.join(node.next)}")
    return choice
