"""The seam between the compiler and whatever runs a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import attrs
from flow_graph import Node

from sched_sfn.arguments import field, instance, name
from sched_sfn.values import Jsonata, Part, Template, joined

REDRIVES = Jsonata("$string($max([0, $states.context.Execution.RedriveCount]))")  # there only once it was redriven
SHARED = Jsonata("$shared")
"""What the states of a runner share: see `SharingRunner`."""


@attrs.frozen
class StepTask:
    """The task that a state runs, or the tasks if it is an array; its fields are pieces of text for the state's values.

    - `flow`: the flow's name; `node`: the step.
    - `width`: how many tasks an array has, a number; `None` for a single task.
    - the rest: see `Template`, which they fill.
    """

    flow: str
    node: Node
    execution: Part
    input: Part
    path: Part
    iteration: Part
    offset: Part = "0"
    width: Jsonata | None = None
    shared: Jsonata = SHARED

    @property
    def step(self) -> str:
        """The step's name."""
        return self.node.name

    @property
    def task_id(self) -> tuple[Part, ...]:
        """The pieces of the task's id, as `flow_graph.task_id` gives it."""
        if isinstance(self.iteration, str):
            return ("t", self.path or "0")
        text = self.iteration.text
        return ("t", self.path or "0", Jsonata(f"({text} = '0' ? '' : '-r' & {text})"))

    def shared_value(self, name: str) -> Jsonata:
        """One of the values that a `SharingRunner` shares."""
        return Jsonata(f"{self.shared.text}.{name}")

    def fill(self, text: str | Template) -> str:
        """A text as a value of the state: literal, or a template with its slots filled."""
        if isinstance(text, str):
            return joined(text)
        slots: dict[str, tuple[Part, ...]] = {
            "execution": (self.execution,),
            "input": (self.input,),
            "redrives": (REDRIVES,),
            "step": (self.step,),
            "path": (self.path,),
            "iteration": (self.iteration,),
            "task_id": self.task_id,
            "offset": (self.offset,),
        }
        return text.fill(slots)


@attrs.frozen
class S3Record:
    """What a task decided is in a JSON object on S3, which the machine reads.

    `cardinality` and `choice` are the fields of that object, with dots between their names: the number of items of a foreach,
    the name of the step that a switch chose. The object may be 256 KiB at most.
    """

    bucket: str = attrs.field(validator=field(name))
    key: str | Template = attrs.field(validator=field(instance(str, Template, must="text or a Template")))
    cardinality: str = attrs.field(default="transition.cardinality", validator=field(name))
    choice: str = attrs.field(default="transition.choice", validator=field(name))


@attrs.frozen
class InResult:
    """What a task decided is in the result of its state, in these fields (`$states.result` is left out)."""

    cardinality: str = attrs.field(default="cardinality", validator=field(name))
    choice: str = attrs.field(default="choice", validator=field(name))


Decision = S3Record | InResult


class StepRunner(Protocol):
    """How one step is run. The compiler asks, and puts what it is told between the transitions of the graph."""

    def supports_arrays(self, node: Node) -> bool:
        """Whether one state can run a step for many indices at once: `state` is then asked for arrays, too."""
        ...

    def state(self, task: StepTask) -> dict[str, Any]:
        """The state that runs the task, or the array of tasks if `task.width` is given.

        Plain data of the Amazon States Language, JSONata flavour: `Type`, `Resource`, `Arguments`, `Retry`,
        `TimeoutSeconds` and the like. `Comment`, `Output`, `Next` and `End` are the compiler's. It succeeds if and only if
        the task, or all of the array's tasks, did.
        """
        ...

    def decision(self, node: Node) -> Decision:
        """Where the machine can read what a foreach or a switch decided. Asked for those steps only."""
        ...


@runtime_checkable
class SharingRunner(StepRunner, Protocol):
    """A runner that has the machine hold once what many of its states need; they refer to it by `StepTask.shared_value`."""

    def shared(self, first: StepTask) -> Mapping[str, Any]:
        """The values, by name: plain data, whose texts may be expressions. They are evaluated once, before the first task.

        `first` is the task of the first step: it fills templates of what is the same for all tasks.
        """
        ...
