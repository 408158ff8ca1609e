"""How the tasks of a foreach are spread: what there is, and what suits which foreach."""

from __future__ import annotations

from typing import Literal

import attrs
from flow_graph import FlowGraph, Node

from sched_sfn.arguments import field, optional, text, whole
from sched_sfn.errors import CompileError
from sched_sfn.quotas import CONCURRENT_CHILDREN, CONCURRENT_ITERATIONS, require
from sched_sfn.running import StepRunner

Kind = Literal["array", "inline", "distributed"]
DEFAULT_CONCURRENCY = {"array": None, "inline": CONCURRENT_ITERATIONS, "distributed": 1_000}
SMALL = 2_500
"""The events that an inline map may add to the history unasked: a tenth of what an execution may have."""


@attrs.frozen
class FanOut:
    """How the tasks of one foreach are spread.

    - `array`: the runner's array job, one state for up to 10,000 tasks. For a body of one step.
    - `inline`: a map within the execution, whose history grows with each task. For small widths.
    - `distributed`: a map whose items are executions of their own. For long bodies and great widths.

    `max_concurrency` is how many items of a map run at once (by default 40 inline, 1,000 distributed); `reason` says why the
    compiler chose it.
    """

    kind: Kind = attrs.field(validator=field(text))
    max_concurrency: int | None = attrs.field(default=None, validator=field(optional(whole(0))))
    reason: str = attrs.field(default="asked for", eq=False)

    def check(self, step: str) -> None:
        """Raise QuotaExceeded or CompileError if it cannot be."""
        if self.kind not in DEFAULT_CONCURRENCY:
            kinds = ", ".join(DEFAULT_CONCURRENCY)
            raise CompileError(f"The foreach of step {step!r} has a fan-out {self.kind!r}; there are: {kinds}.", step)
        if self.max_concurrency is None:
            return
        if self.max_concurrency < 1:
            raise CompileError(f"The map of step {step!r} must run 1 item at once, or more.", step)
        if self.kind == "array":
            raise CompileError(f"The array of step {step!r} cannot limit its concurrency: choose a map instead.", step)
        inline = self.kind == "inline"
        require(
            f"The map of step {step!r}",
            "concurrent iterations of an inline map" if inline else "concurrent children of a distributed map",
            CONCURRENT_ITERATIONS if inline else CONCURRENT_CHILDREN,
            self.max_concurrency,
            "Choose a distributed map, or a smaller number." if inline else "Choose a smaller number.",
            step,
        )

    @property
    def concurrency(self) -> int | None:
        """How many items run at once; `None` for an array, whose children Batch runs as it has room."""
        return self.max_concurrency or DEFAULT_CONCURRENCY[self.kind]


def one_step_body(graph: FlowGraph, foreach: Node) -> bool:
    """Whether the body of a foreach is one step: what it leads to leads straight to the join."""
    return graph[foreach.next[0]].next == (graph.matching_join(foreach.name),)


def choose_fan_out(
    graph: FlowGraph,
    foreach: Node,
    runner: StepRunner,
    width: int | None,
    max_concurrency: int | None,
    events_per_item: int,
) -> FanOut:
    """The fan-out that suits a foreach, with the reason.

    `width` is the greatest one expected, if known; `events_per_item` what an item adds to the history of an inline map.
    """
    limited = max_concurrency is not None and (width is None or width > max_concurrency)
    if not one_step_body(graph, foreach):
        why = "its body has several steps"
    elif not runner.supports_arrays(graph[foreach.next[0]]):
        why = "the runner has no arrays for its body"
    elif limited:
        why = f"only {max_concurrency} of its tasks may run at once, which an array cannot promise"
    else:
        return FanOut("array", None, "its body is one step")
    concurrency = max_concurrency if limited else None
    if (
        width is not None
        and max(width, 1) * events_per_item <= SMALL
        and (concurrency or width) <= CONCURRENT_ITERATIONS
    ):
        return FanOut("inline", concurrency, f"{why}, and {width} items are few")
    few = "how many items it has is not known" if width is None else f"{width} items are many"
    return FanOut("distributed", concurrency, f"{why}, and {few}")


def check_array(graph: FlowGraph, foreach: Node, runner: StepRunner) -> None:
    """Raise CompileError if the tasks of a foreach cannot be an array."""
    body = graph[foreach.next[0]]
    if not one_step_body(graph, foreach):
        raise CompileError(
            f"The foreach of step {foreach.name!r} cannot be an array: its body has several steps. Choose a map.",
            foreach.name,
        )
    if not runner.supports_arrays(body):
        raise CompileError(f"The runner has no arrays for step {body.name!r}. Choose a map.", body.name)
