"""What the states of one arm can refer to.

Between states goes a small object, the *place*: the foreach path of the arm, and for the states between a task and the
way on, what was decided. Nothing of it is in variables: a place is the same in a branch, in a map and in an execution of
its own, as the children of distributed maps are. The one variable, what all states share, never changes.
"""

from __future__ import annotations

from typing import Any

import attrs
from flow_graph import Node

from sched_sfn.running import SHARED, StepTask
from sched_sfn.values import Jsonata, Part, expression

ITEM = Jsonata("$string($states.context.Map.Item.Value)")
ROUND = Jsonata("$string($states.input.iteration)")
EXECUTION = Jsonata("$states.context.Execution.Name")
INPUT = Jsonata("$states.context.Execution.Input")


@attrs.frozen
class Scope:
    """How the states of an arm know the execution, its input, what all states share, and the foreach path.

    `input` and `shared` are objects, the others text.
    """

    flow: str
    execution: Jsonata = EXECUTION
    input: Jsonata = INPUT
    path: Part = ""
    shared: Jsonata = SHARED

    @property
    def place(self) -> dict[str, Any]:
        """The place, handed on from one state to the next."""
        return {} if isinstance(self.path, str) else {"path": str(self.path)}

    def place_in_round(self, node: Node) -> dict[str, Any]:
        """The place with the iteration, if the step is a recursive switch."""
        return {**self.place, "iteration": "{% $states.input.iteration %}"} if node.recursive else self.place

    def task(self, node: Node, **changes: Any) -> StepTask:
        """The task of a step at this place."""
        task = StepTask(
            flow=self.flow,
            node=node,
            execution=self.execution,
            input=Jsonata(f"$string({self.input.text})"),
            path=self.path,
            iteration=ROUND if node.recursive else "0",
            shared=self.shared,
        )
        return attrs.evolve(task, **changes)

    def item_path(self, index: Part = ITEM) -> Part:
        """The path of one item of a foreach at this place."""
        if self.path == "":
            return index
        if isinstance(self.path, str) and isinstance(index, str):
            return f"{self.path}-{index}"
        return expression(self.path, "-", index)

    def inside_inline_map(self) -> Scope:
        """The scope of the items of a map: they find their path in their input."""
        return attrs.evolve(self, path=Jsonata("$states.input.path"))

    def inside_distributed_map(self) -> Scope:
        """The scope of the children of a map: the execution they see is their own, so its input has all they need."""
        return attrs.evolve(
            self.inside_inline_map(),
            execution=Jsonata("$states.context.Execution.Input.execution"),
            input=Jsonata("$states.context.Execution.Input.input"),
            shared=Jsonata("$states.context.Execution.Input.shared"),
        )
