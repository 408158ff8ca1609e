"""The variable that holds what many states need: assigned once, before the first task.

It lets a definition of a thousand steps say once what is the same in all of them. The children of a distributed map see no
variables of their parent: they find it in their input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sched_sfn.running import SHARED, SharingRunner, StepRunner, StepTask

ASSIGN = "set variables"


def shared_by(runner: StepRunner, first: StepTask) -> Mapping[str, Any]:
    """What the states of a runner share; `first` is the task of the flow's first step."""
    return runner.shared(first) if isinstance(runner, SharingRunner) else {}


def assigning(machine: dict[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    """`StartAt` and `States` of a machine, with a first state that assigns the variable; unchanged if nothing is shared."""
    if not shared:
        return machine
    first = {
        "Type": "Pass",
        "Comment": "What many states need.",
        "Assign": {SHARED.text.removeprefix("$"): dict(shared)},
        "Output": {},
        "Next": machine["StartAt"],
    }
    return {"StartAt": ASSIGN, "States": {ASSIGN: first, **machine["States"]}}
