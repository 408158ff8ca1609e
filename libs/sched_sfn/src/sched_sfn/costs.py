"""What an execution costs: state transitions, which are billed, and what counts against quotas.

Computed from the graph, with the longest way where a switch has several. Events are those of Step Functions' history for a
job that a state waits for; retries are not counted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property

import attrs
from flow_graph import FlowGraph, Node

from sched_sfn.arms import Arms, arm_inside, steps_by_arm
from sched_sfn.fan_outs import FanOut
from sched_sfn.quotas import ARRAY


@attrs.frozen
class Cost:
    """What an execution costs at most.

    - `state_transitions`: of the execution and of all executions that its distributed maps start.
    - `events`: in the longest history of any of these executions; the quota is 25,000.
    - `payload_bytes`: of the longest list of items or results in a state; the quota is 262,144. What the machine reads from
      records counts against the same quota, and is not in here.
    """

    state_transitions: int = 0
    events: int = 0
    payload_bytes: int = 0
    child_events: int = attrs.field(default=0, repr=False)

    def __add__(self, other: Cost) -> Cost:
        """One after the other."""
        return Cost(
            self.state_transitions + other.state_transitions,
            self.events + other.events,
            max(self.payload_bytes, other.payload_bytes),
            max(self.child_events, other.child_events),
        )

    def __or__(self, other: Cost) -> Cost:
        """The greater of two, in each respect."""
        return Cost(*map(max, attrs.astuple(self), attrs.astuple(other)))

    def times(self, count: int) -> Cost:
        """The same `count` times."""
        return attrs.evolve(self, state_transitions=self.state_transitions * count, events=self.events * count)


TASK = Cost(1, 6)  # entered, scheduled, started, submitted, succeeded, exited
READ = Cost(1, 5)  # the same without the submission
STEP = Cost(1, 2)  # a Pass or a Choice: entered, exited
BLOCK = Cost(1, 4)  # a Parallel or an inline Map: entered, started, succeeded, exited
MAP_RUN = Cost(1, 6)  # a distributed Map: a run, started and succeeded, in between
ITERATION = Cost(0, 2)  # started, succeeded
EXECUTION = Cost(0, 2)


@attrs.frozen(slots=False)  # a __dict__ for the cached property
class Costs:
    """The costs of a graph's parts, given how its foreaches are spread and how wide they are.

    `read` are the steps whose decision is read by a state of its own; `widths` and `rounds` (of recursive switches) are 1
    where they are missing; `assigns` says whether a first state sets variables.
    """

    graph: FlowGraph
    fan_outs: Mapping[str, FanOut]
    read: Collection[str]
    widths: Mapping[str, int] = attrs.field(factory=dict)
    rounds: Mapping[str, int] = attrs.field(factory=dict)
    assigns: bool = False

    def execution(self) -> Cost:
        """The cost of an execution."""
        cost = self.arm(()) + EXECUTION + (STEP if self.assigns else Cost())
        return attrs.evolve(cost, events=max(cost.events, cost.child_events), child_events=0)

    def item(self, foreach: Node) -> Cost:
        """The cost of one item of a foreach, as an iteration of an inline map."""
        return self.arm(arm_inside(self.graph, foreach)) + ITERATION

    @cached_property
    def steps(self) -> dict[Arms, list[str]]:
        """The steps of each arm."""
        return steps_by_arm(self.graph)

    def arm(self, arms: Arms) -> Cost:
        """The cost of the dearest way through an arm."""
        up_to: dict[str, Cost] = {}
        total = Cost()
        for step in self.steps[arms]:
            if step in self.graph.scopes.split_of:
                before = [self.graph.matching_split(step)]
            else:
                before = [name for name in self.graph.previous(step) if name != step]
            cost = Cost()
            for name in before:
                cost |= up_to.get(name, Cost())
            up_to[step] = cost + self.step(self.graph[step])
            total |= up_to[step]
        return total

    def step(self, node: Node) -> Cost:
        """The cost of a step, with the arms that it opens."""
        decided = TASK + READ if node.name in self.read else TASK
        match node.kind:
            case "split":
                cost = TASK + BLOCK
                for index in range(len(node.next)):
                    cost += self.arm(arm_inside(self.graph, node, index))
                return cost
            case "switch":
                once = decided + STEP
                return once.times(self.rounds.get(node.name, 1)) + STEP if node.recursive else once
            case "foreach":
                return decided + self.fan_out(node)
        return TASK

    def fan_out(self, node: Node) -> Cost:
        """The cost of all items of a foreach."""
        width = self.widths.get(node.name, 1)
        fan_out = self.fan_outs[node.name]
        if fan_out.kind == "array":
            arrays = -(-width // ARRAY)
            return STEP + TASK if arrays <= 1 else STEP + BLOCK + (ITERATION + TASK).times(arrays)
        items = Cost(payload_bytes=max(list_bytes(width), len("[]") + len("{},") * width))
        if fan_out.kind == "inline":
            return items + BLOCK + self.item(node).times(width)
        child = self.item(node)
        longest = max(child.events, child.child_events)
        return items + MAP_RUN + attrs.evolve(child.times(width), events=0, child_events=longest)


def list_bytes(width: int) -> int:
    """The bytes of the JSON list of the numbers below `width`."""
    if width < 1:
        return len("[]")
    digits, power = 1, 1  # 0 has a digit, too
    while power < width:
        digits += width - power
        power *= 10
    commas = width - 1
    return digits + commas + len("[]")
