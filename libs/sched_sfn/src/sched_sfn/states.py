"""The states of a graph.

Each arm of the graph becomes one set of states; a split becomes a Parallel state, a foreach an array or a map, a switch a
Choice. Steps keep their names; the states around them are named by what they do, with spaces, which no step's name has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from flow_graph import FlowGraph, Node

from sched_sfn.arms import Arms, arm_inside, steps_by_arm
from sched_sfn.arrays import array_states
from sched_sfn.comments import comment_on
from sched_sfn.errors import CompileError
from sched_sfn.fan_outs import FanOut
from sched_sfn.quotas import STATE_NAME, require
from sched_sfn.running import InResult, S3Record, StepRunner, StepTask
from sched_sfn.scopes import Scope
from sched_sfn.values import Jsonata, joined

READ = "arn:aws:states:::aws-sdk:s3:getObject"
RETRY_READ = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "BackoffRate": 2, "MaxAttempts": 3}
COMPILERS = ("Comment", "Output", "Next", "End", "Assign", "Catch", "QueryLanguage")

States = dict[str, Any]


def build_states(
    graph: FlowGraph, runner: StepRunner, fan_outs: Mapping[str, FanOut], arms: Arms, first: str, scope: Scope
) -> dict[str, Any]:
    """`StartAt` and `States` of an arm that begins with the step `first`. Raises CompileError, QuotaExceeded."""
    return Builder(graph, runner, fan_outs, steps_by_arm(graph)).arm(arms, first, scope)


@attrs.frozen
class Builder:
    """What the states of all arms are made from."""

    graph: FlowGraph
    runner: StepRunner
    fan_outs: Mapping[str, FanOut]
    steps: Mapping[Arms, list[str]]

    def arm(self, arms: Arms, first: str, scope: Scope) -> dict[str, Any]:
        """The states of an arm."""
        states: States = {}
        for step in self.steps[arms]:
            states |= self.step(self.graph[step], scope)
        for name in states:
            length = len(name)
            require(
                f"The state {name!r}", "characters of a state's name", STATE_NAME, length, "Shorten the step's name."
            )
        return {"StartAt": self.entry(first), "States": states}

    def step(self, node: Node, scope: Scope) -> States:
        """The states of a step, with the arms that it opens."""
        match node.kind:
            case "split":
                return self.split(node, scope)
            case "foreach":
                return self.foreach(node, scope)
            case "switch":
                return self.switch(node, scope)
        return {node.name: self.run(scope.task(node), **self.after(node, scope))}

    # ---- pieces

    def run(self, task: StepTask, /, **rest: Any) -> dict[str, Any]:
        """The runner's state for a task, with what the compiler adds."""
        state = self.runner.state(task)
        if taken := ", ".join(field for field in COMPILERS if field in state):
            raise CompileError(
                f"The runner's state for step {task.step!r} has {taken}: that is the compiler's.", task.step
            )
        return {"Type": state["Type"], "Comment": comment_on(task.node), **state, **rest}

    def after(self, node: Node, scope: Scope) -> dict[str, Any]:
        """The way on after a step that has one way: what it hands on, and to which state."""
        opens = node.kind in ("split", "foreach")
        following = self.graph.matching_join(node.name) if opens else next(iter(node.next), None)
        if following is None or self.graph.arms(following) != self.graph.arms(node.name):
            return {"Output": {}, "End": True}  # the end of the flow, or of its arm
        return {"Output": scope.place, "Next": self.entry(following)}

    def entry(self, step: str) -> str:
        """The state with which a step begins."""
        return f"begin {step}" if self.graph[step].recursive else step

    def decide(self, node: Node, scope: Scope, following: str) -> States:
        """The states that run a step and add to the place what it decided, its width or its choice."""
        place, decision = scope.place_in_round(node), self.runner.decision(node)
        if isinstance(decision, InResult):
            found = decided(node, decision, "$states.result")
            return {node.name: self.run(scope.task(node), Output={**place, **found}, Next=following)}
        reader = f"read {node.name}"
        read = {
            "Type": "Task",
            "Comment": f"Read what {node.name} decided.",
            "Resource": READ,
            "Arguments": {"Bucket": joined(decision.bucket), "Key": scope.task(node).fill(decision.key)},
            "Retry": [RETRY_READ],
            "Output": {**place, **decided(node, decision, "$parse($states.result.Body)")},
            "Next": following,
        }
        return {node.name: self.run(scope.task(node), Output=place, Next=reader), reader: read}

    # ---- steps with several ways

    def split(self, node: Node, scope: Scope) -> States:
        """A step that splits, and its arms."""
        name = f"arms of {node.name}"
        parallel = {
            "Type": "Parallel",
            "Comment": f"The arms of {node.name}, up to {self.graph.matching_join(node.name)}.",
            "Branches": [
                self.arm(arm_inside(self.graph, node, index), target, scope) for index, target in enumerate(node.next)
            ],
            **self.after(node, scope),
        }
        return {node.name: self.run(scope.task(node), Output=scope.place, Next=name), name: parallel}

    def switch(self, node: Node, scope: Scope) -> States:
        """A step that chooses, and the choice."""
        name = f"choose after {node.name}"
        rules = [self.rule(node, target, scope) for target in node.next]
        states = {
            **self.decide(node, scope, name),
            name: {"Type": "Choice", "Comment": f"Go where {node.name} chose to.", "Choices": rules},
        }
        if not node.recursive:
            return states
        begin = {
            "Type": "Pass",
            "Comment": f"The first round of {node.name}.",
            "Output": {**scope.place, "iteration": 0},
            "Next": node.name,
        }
        return {self.entry(node.name): begin, **states}

    def rule(self, node: Node, target: str, scope: Scope) -> dict[str, Any]:
        """One way of a switch; that to itself counts the round."""
        condition = str(Jsonata(f"$states.input.choice = '{target}'"))
        if target == node.name:
            place = {**scope.place, "iteration": "{% $states.input.iteration + 1 %}"}
            return {"Condition": condition, "Next": target, "Output": place}
        return {"Condition": condition, "Next": self.entry(target), "Output": scope.place}

    def foreach(self, node: Node, scope: Scope) -> States:
        """A step that fans out, and the tasks of all items."""
        body = self.graph[node.next[0]]
        if self.fan_outs[node.name].kind == "array":
            spread = array_states(body, scope, self.run, self.after(node, scope))
        else:
            spread = {f"each {body.name}": self.map(node, scope)}
        return {**self.decide(node, scope, next(iter(spread))), **spread}

    def map(self, node: Node, scope: Scope) -> dict[str, Any]:
        """A map over the items of a foreach."""
        fan_out = self.fan_outs[node.name]
        distributed = fan_out.kind == "distributed"
        inside = scope.inside_distributed_map() if distributed else scope.inside_inline_map()
        body = self.arm(arm_inside(self.graph, node), node.next[0], inside)
        item = {"path": str(scope.item_path())}
        if distributed:
            item = {"execution": str(scope.execution), **item}
            wanted = {"input": (inside.input, scope.input), "shared": (inside.shared, scope.shared)}
            item |= {name: str(given) for name, (found, given) in wanted.items() if mentions(body, found.text)}
            body = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **body}
        return {
            "Type": "Map",
            "Comment": f"The items of {node.name}, up to {self.graph.matching_join(node.name)}.",
            "Items": "{% [0..$states.input.width - 1] %}",
            "MaxConcurrency": fan_out.concurrency,
            "ItemSelector": item,
            "ItemProcessor": body,
            **self.after(node, scope),
        }


def decided(node: Node, decision: S3Record | InResult, source: str) -> dict[str, str]:
    """What a step decided, found in `source`; no items are an error of the step, as in every other scheduler."""
    if node.kind == "switch":
        return {"choice": str(Jsonata(f"{source}.{decision.choice}"))}
    width = f"{source}.{decision.cardinality}"
    return {"width": str(Jsonata(f"($n := {width}; $assert($n >= 1, 'a foreach needs at least one item'); $n)"))}


def mentions(value: Any, text: str) -> bool:
    """Whether a value of some states refers to something."""
    if isinstance(value, dict):
        return any(mentions(item, text) for item in value.values())
    if isinstance(value, list):
        return any(mentions(item, text) for item in value)
    return isinstance(value, str) and text in value
