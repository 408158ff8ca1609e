"""What a state machine does, in words and numbers, before it is deployed; and what deploying it would change."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator

from sched_sfn import Deployment, StateMachine

WIDTHS = (1, 10, 100, 1000)


def explain(machine: StateMachine) -> Iterator[str]:
    """How each foreach is spread, and why; what executions cost at some widths of all foreaches; how long the definition is."""
    for step, fan_out in machine.fan_outs.items():
        at_once = f", {fan_out.concurrency:,} at once" if fan_out.concurrency else ""
        yield f"{step}: {fan_out.kind}{at_once}, as {fan_out.reason}"
    widths = WIDTHS if machine.fan_outs else WIDTHS[:1]
    yield f"{'items':>7} {'state transitions':>18} {'events':>8} {'payload bytes':>14}"
    for width in widths:
        cost = machine.cost(dict.fromkeys(machine.fan_outs, width))
        yield f"{width if machine.fan_outs else '-':>7} {cost.state_transitions:>18,} {cost.events:>8,} {cost.payload_bytes:>14,}"
    size = len(machine.to_json(indent=None).encode())
    steps = len(machine.graph.steps)
    yield f"The definition has {size:,} bytes, {size // steps:,} a step; AWS allows 1,048,576."


def difference(found: Deployment | None, machine: StateMachine) -> str:
    """What deploying would change of the definition, as a unified diff; empty where nothing would."""
    before = "" if found is None else json.dumps(found.definition, indent=2, ensure_ascii=False)
    lines = difflib.unified_diff(
        before.splitlines(), machine.to_json().splitlines(), "deployed", "this flow", lineterm="", n=2
    )
    return "\n".join(lines)
