"""The states of a foreach whose tasks are an array: one state for all of them.

An array has 2 to 10,000 children, so a single item has a state of its own, and more items share several arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flow_graph import Node

from sched_sfn.quotas import ARRAY
from sched_sfn.scopes import Scope
from sched_sfn.values import Jsonata

WIDTH = Jsonata("$states.input.width")
OFFSET = Jsonata("$string($states.input.offset)")
NUMBER = "$states.context.Map.Item.Value"

RunTask = Callable[..., dict[str, Any]]
"""Gives the state that runs a task, with the further fields that it is given."""


def array_states(body: Node, scope: Scope, run: RunTask, after: Mapping[str, Any]) -> dict[str, Any]:
    """The states from the width, which their input holds, to the way on, which is `after`."""
    first, alone, array, many = f"spread {body.name}", f"{body.name} alone", body.name, f"arrays of {body.name}"
    spread = {
        "Type": "Choice",
        "Comment": f"An array has 2 to {ARRAY:,} children.",
        "Choices": [
            {"Condition": "{% $states.input.width = 1 %}", "Next": alone},
            {"Condition": f"{{% $states.input.width > {ARRAY} %}}", "Next": many},
        ],
        "Default": array,
    }
    return {
        first: spread,
        alone: run(scope.task(body, path=scope.item_path("0")), **after),
        array: run(scope.task(body, width=WIDTH), **after),
        many: {**several_arrays(body, scope, run), **after},
    }


def several_arrays(body: Node, scope: Scope, run: RunTask) -> dict[str, Any]:
    """A map over as few arrays as possible, of equal size."""
    part = run(scope.task(body, width=WIDTH, offset=OFFSET), Output={}, End=True)
    name = f"array of {body.name}"
    begin, end = bound(NUMBER), bound(f"({NUMBER} + 1)")
    return {
        "Type": "Map",
        "Comment": f"Arrays of {ARRAY:,} children at most, of equal size.",
        "Items": f"{{% [0..$ceil($states.input.width / {ARRAY}) - 1] %}}",
        "ItemSelector": {**scope.place, "offset": f"{{% {begin} %}}", "width": f"{{% {end} - {begin} %}}"},
        "ItemProcessor": {"StartAt": name, "States": {name: part}},
    }


def bound(number: str) -> str:
    """Where the array of that number begins."""
    return f"$floor({number} * $states.input.width / $ceil($states.input.width / {ARRAY}))"
