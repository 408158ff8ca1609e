"""Compile a graph into a state machine.

Each arm of the graph (the flow itself, an arm of a split, the body of a foreach) becomes one set of states; a split becomes
a Parallel state, a foreach an array or a map, a switch a Choice. Steps keep their names; the states around them are named by
what they do, with spaces, which no step's name has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Any

import attrs
from flow_graph import Arm, FlowGraph, GraphError, Node, check

from sched_sfn.costs import Costs
from sched_sfn.errors import CompileError
from sched_sfn.fan_outs import FanOut, check_array, choose_fan_out
from sched_sfn.machine import StateMachine
from sched_sfn.quotas import ARRAY, STATE_NAME, require
from sched_sfn.running import InResult, S3Record, StepRunner
from sched_sfn.scopes import Scope
from sched_sfn.values import Jsonata, joined

FORMAT = 1
READ = "arn:aws:states:::aws-sdk:s3:getObject"
RETRY_READ = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "BackoffRate": 2, "MaxAttempts": 3}
COMPILERS = ("Comment", "Output", "Next", "End", "Assign", "Catch", "QueryLanguage")

States = dict[str, Any]
Arms = tuple[Arm, ...]


def compile_machine(
    graph: FlowGraph,
    runner: StepRunner,
    *,
    widths: Mapping[str, int] | None = None,
    fan_outs: Mapping[str, FanOut] | None = None,
    max_concurrency: int | None = None,
    timeout_seconds: int | None = None,
) -> StateMachine:
    """The state machine that runs a flow. The same arguments give the same machine, to the byte.

    - `widths`: for foreach steps, the greatest width expected, where it is known; small ones become inline maps.
    - `fan_outs`: for foreach steps, how to spread them, in place of what the compiler would choose.
    - `max_concurrency`: how many tasks of one foreach may run at once.
    - `timeout_seconds`: how long an execution may take.

    Raises flow_graph.GraphError if the graph is not well formed, CompileError if runner and graph do not fit, QuotaExceeded
    if AWS would refuse the machine, or break it off at these `widths`.
    """
    require_well_formed(graph)
    widths, chosen = dict(widths or {}), dict(fan_outs or {})
    check_foreaches(graph, (*widths, *chosen))
    costs = Costs(graph, chosen, {node.name for node in graph if is_read(node, runner)}, widths)
    for node in reversed([node for node in graph if node.kind == "foreach"]):  # the inner ones first
        if node.name not in chosen:
            events = costs.item(node).events
            chosen[node.name] = choose_fan_out(graph, node, runner, widths.get(node.name), max_concurrency, events)
        chosen[node.name].check(node.name)
        if chosen[node.name].kind == "array":
            check_array(graph, node, runner)
    definition: dict[str, Any] = {"Comment": comment_on_machine(graph), "QueryLanguage": "JSONata"}
    if timeout_seconds is not None:
        definition["TimeoutSeconds"] = timeout_seconds
    definition |= Compiler(graph, runner, chosen).arm((), graph.start, Scope(graph.name))
    machine = StateMachine(definition, graph, chosen, costs.read)
    machine.check(widths)
    return machine


def require_well_formed(graph: FlowGraph) -> None:
    """Raise GraphError with all findings if there is an error among them."""
    findings = check(graph)
    if any(finding.severity == "error" for finding in findings):
        raise GraphError(graph.name, findings)


def check_foreaches(graph: FlowGraph, steps: Iterable[str]) -> None:
    """Raise CompileError for a step that is no foreach, UnknownStep for one that is none at all."""
    for step in steps:
        if graph[step].kind != "foreach":
            raise CompileError(f"Step {step!r} is no foreach, so it has neither width nor fan-out.", step)


def is_read(node: Node, runner: StepRunner) -> bool:
    """Whether a state of its own reads what a step decided."""
    return node.kind in ("foreach", "switch") and isinstance(runner.decision(node), S3Record)


# ---- comments


def comment_on_machine(graph: FlowGraph) -> str:
    """What the machine is, and where it comes from."""
    return " ".join(
        part for part in (f"{where(graph)}{graph.name}.", graph.doc, f"(sched_sfn format {FORMAT})") if part
    )


def comment_on(node: Node) -> str:
    """Where a step stands in the source, and the first line of its docstring."""
    return f"{where(node)}{node.doc or f'Step {node.name}.'}"


def where(source: FlowGraph | Node) -> str:
    """The place in the source, without the folders, which differ from one machine to another."""
    return f"{PurePath(source.file).name}:{source.line}: " if source.file and source.line else ""


# ---- states


@attrs.frozen
class Compiler:
    """Makes the states of one graph."""

    graph: FlowGraph
    runner: StepRunner
    fan_outs: Mapping[str, FanOut]
    steps: dict[Arms, list[str]] = attrs.field(init=False)

    @steps.default
    def _group_steps(self) -> dict[Arms, list[str]]:
        steps: dict[Arms, list[str]] = {}
        for step in self.graph.steps:
            steps.setdefault(self.graph.arms(step), []).append(step)
        return steps

    def arm(self, arms: Arms, first: str, scope: Scope) -> dict[str, Any]:
        """The states of an arm that begins with the step `first`."""
        states: States = {}
        for step in self.steps[arms]:
            node = self.graph[step]
            match node.kind:
                case "split":
                    states |= self.split(node, scope)
                case "foreach":
                    states |= self.foreach(node, scope)
                case "switch":
                    states |= self.switch(node, scope)
                case _:
                    states |= {step: self.run(node, scope, **self.after(node, scope))}
        for name in states:
            require(
                f"The state {name!r}", "characters of a state's name", STATE_NAME, len(name), "Shorten the step's name."
            )
        return {"StartAt": self.entry(first), "States": states}

    # ---- one step

    def run(self, node: Node, scope: Scope, /, **rest: Any) -> dict[str, Any]:
        """The state that runs the one task of a step."""
        return self.complete(node, self.runner.state(scope.task(node)), **rest)

    def complete(self, node: Node, state: Mapping[str, Any], /, **rest: Any) -> dict[str, Any]:
        """A state of the runner's, with what the compiler adds."""
        if taken := [field for field in COMPILERS if field in state]:
            fields = ", ".join(taken)
            raise CompileError(
                f"The runner's state for step {node.name!r} has {fields}: that is the compiler's.", node.name
            )
        return {"Type": state["Type"], "Comment": comment_on(node), **state, **rest}

    def after(self, node: Node, scope: Scope) -> dict[str, Any]:
        """The way on after a step that has one way: what it hands on, and to which state."""
        following = node.next[0] if node.next else ""
        if node.kind in ("split", "foreach"):
            following = self.graph.matching_join(node.name)
        if not following or self.leaves(node, following):
            return {"Output": {}, "End": True}
        return {"Output": scope.place, "Next": self.entry(following)}

    def leaves(self, node: Node, following: str) -> bool:
        """Whether the way to the step `following` leads out of the arm, into its join."""
        return self.graph.arms(following) != self.graph.arms(node.name)

    def entry(self, step: str) -> str:
        """The state with which a step begins."""
        return f"begin {step}" if self.graph[step].recursive else step

    def decide(self, node: Node, scope: Scope, fields: Mapping[str, str], following: str) -> States:
        """The states that run a step, and hand on what it decided: `fields` name it and how it is found."""
        place, decision = scope.place_in_round(node), self.runner.decision(node)
        if isinstance(decision, InResult):
            found = {
                name: decided(name, f"$states.result.{getattr(decision, source)}") for name, source in fields.items()
            }
            return {node.name: self.run(node, scope, Output={**place, **found}, Next=following)}
        found = {
            name: decided(name, f"$parse($states.result.Body).{getattr(decision, source)}")
            for name, source in fields.items()
        }
        reader = f"read {node.name}"
        read = {
            "Type": "Task",
            "Comment": f"Read what {node.name} decided.",
            "Resource": READ,
            "Arguments": {"Bucket": joined(decision.bucket), "Key": scope.task(node).fill(decision.key)},
            "Retry": [RETRY_READ],
            "Output": {**place, **found},
            "Next": following,
        }
        return {node.name: self.run(node, scope, Output=place, Next=reader), reader: read}

    # ---- split

    def split(self, node: Node, scope: Scope) -> States:
        """A step that splits, and its arms."""
        arms = f"arms of {node.name}"
        outer = self.graph.arms(node.name)
        branches = [self.arm((*outer, Arm(node.name, i)), target, scope) for i, target in enumerate(node.next)]
        parallel = {
            "Type": "Parallel",
            "Comment": f"The arms of {node.name}, up to {self.graph.matching_join(node.name)}.",
            "Branches": branches,
            **self.after(node, scope),
        }
        return {node.name: self.run(node, scope, Output=scope.place, Next=arms), arms: parallel}

    # ---- switch

    def switch(self, node: Node, scope: Scope) -> States:
        """A step that chooses, and the choice."""
        chooser = f"choose after {node.name}"
        again, first = {}, {}
        rules = []
        for target in node.next:
            condition = str(Jsonata(f"$states.input.choice = '{target}'"))
            if target == node.name:
                again = {"iteration": "{% $states.input.iteration + 1 %}"}
                rules.append({"Condition": condition, "Next": target, "Output": {**scope.place, **again}})
            else:
                rules.append({"Condition": condition, "Next": self.entry(target), "Output": scope.place})
        choice = {"Type": "Choice", "Comment": f"Go where {node.name} chose to.", "Choices": rules}
        if node.recursive:
            first[f"begin {node.name}"] = {
                "Type": "Pass",
                "Comment": f"The first round of {node.name}.",
                "Output": {**scope.place, "iteration": 0},
                "Next": node.name,
            }
        return {**first, **self.decide(node, scope, {"choice": "choice"}, chooser), chooser: choice}

    # ---- foreach

    def foreach(self, node: Node, scope: Scope) -> States:
        """A step that fans out, and the tasks of all items."""
        fan_out = self.fan_outs[node.name]
        body = node.next[0]
        width = {"width": "cardinality"}
        if fan_out.kind == "array":
            return {**self.decide(node, scope, width, f"spread {body}"), **self.array(node, scope)}
        name = f"each {body}"
        return {**self.decide(node, scope, width, name), name: self.map(node, scope, fan_out)}

    def map(self, node: Node, scope: Scope, fan_out: FanOut) -> dict[str, Any]:
        """A map over the items of a foreach."""
        distributed = fan_out.kind == "distributed"
        inside = scope.inside_distributed_map() if distributed else scope.inside_inline_map()
        arms = (*self.graph.arms(node.name), Arm(node.name, 0))
        body = self.arm(arms, node.next[0], inside)
        item = {"path": str(scope.item_path())}
        if distributed:
            item = {"execution": str(scope.execution), **item}
            if mentions(body, inside.input.text):
                item["input"] = str(scope.input)
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

    def array(self, node: Node, scope: Scope) -> States:
        """One array for the items of a foreach; a single task for a single item, several arrays where one is too small."""
        body = self.graph[node.next[0]]
        after = self.after(node, scope)
        alone, array, many = f"{body.name} alone", body.name, f"arrays of {body.name}"
        width = Jsonata("$states.input.width")
        spread = {
            "Type": "Choice",
            "Comment": f"An array has 2 to {ARRAY:,} children.",
            "Choices": [
                {"Condition": "{% $states.input.width = 1 %}", "Next": alone},
                {"Condition": f"{{% $states.input.width > {ARRAY} %}}", "Next": many},
            ],
            "Default": array,
        }
        single = self.runner.state(scope.task(body, path=scope.item_path("0")))
        whole = self.runner.state(scope.task(body, width=width))
        inside = scope if isinstance(scope.path, str) else scope.inside_inline_map()
        offset = Jsonata("$string($states.input.offset)")
        part = self.runner.state(inside.task(body, width=width, offset=offset))
        return {
            f"spread {body.name}": spread,
            alone: self.complete(body, single, **after),
            array: self.complete(body, whole, **after),
            many: {
                "Type": "Map",
                "Comment": f"Arrays of {ARRAY:,} children at most, of equal size.",
                "Items": f"{{% [0..$ceil($states.input.width / {ARRAY}) - 1] %}}",
                "ItemSelector": {
                    **scope.place,
                    "offset": str(bound("$states.context.Map.Item.Value")),
                    "width": f"{{% {bound('($states.context.Map.Item.Value + 1)').text} - "
                    f"{bound('$states.context.Map.Item.Value').text} %}}",
                },
                "ItemProcessor": {
                    "StartAt": f"array of {body.name}",
                    "States": {f"array of {body.name}": self.complete(body, part, Output={}, End=True)},
                },
                **after,
            },
        }


def bound(number: str) -> Jsonata:
    """Where the array of that number begins, if the items are cut into as few arrays as possible, of equal size."""
    return Jsonata(f"$floor({number} * $states.input.width / $ceil($states.input.width / {ARRAY}))")


def decided(name: str, source: str) -> str:
    """What a step decided, found at `source`; no items are an error of the step, as in every other scheduler."""
    if name != "width":
        return str(Jsonata(source))
    return str(Jsonata(f"($n := {source}; $assert($n >= 1, 'a foreach needs at least one item'); $n)"))


def mentions(states: Any, text: str) -> bool:
    """Whether a value of some states refers to something."""
    if isinstance(states, dict):
        return any(mentions(value, text) for value in states.values())
    if isinstance(states, list):
        return any(mentions(value, text) for value in states)
    return isinstance(states, str) and text in states
