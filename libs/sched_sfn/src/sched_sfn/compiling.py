"""Compile a graph into a state machine: check what is given, choose how foreaches are spread, build the states."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from flow_graph import FlowGraph, GraphError, Node, check

from sched_sfn.arguments import by_text, instance, optional, whole
from sched_sfn.comments import comment_on_machine
from sched_sfn.costs import Costs
from sched_sfn.errors import CompileError, InvalidArgument
from sched_sfn.fan_outs import FanOut, check_array, choose_fan_out
from sched_sfn.machine import StateMachine, check_counts
from sched_sfn.quotas import LONGEST_TIMEOUT
from sched_sfn.running import S3Record, StepRunner
from sched_sfn.scopes import Scope
from sched_sfn.sharing import assigning, shared_by
from sched_sfn.states import build_states


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
    check_arguments(graph, runner, timeout_seconds, fan_outs)
    check_counts("widths", widths, graph)
    optional(whole(0))("max_concurrency", max_concurrency)
    require_well_formed(graph)
    widths, fan_outs = dict(widths or {}), dict(fan_outs or {})
    check_foreaches(graph, (*widths, *fan_outs))
    if max_concurrency is not None and max_concurrency < 1:
        raise CompileError(f"At least 1 task must be allowed to run at once, not {max_concurrency}.")
    read = frozenset(node.name for node in graph if is_read(node, runner))
    chosen = choose_fan_outs(graph, runner, fan_outs, Costs(graph, {}, read, widths), max_concurrency)
    definition: dict[str, Any] = {"Comment": comment_on_machine(graph), "QueryLanguage": "JSONata"}
    if timeout_seconds is not None:
        definition["TimeoutSeconds"] = timeout_seconds
    scope = Scope(graph.name)
    states = build_states(graph, runner, chosen, (), graph.start, scope)
    definition |= assigning(states, shared_by(runner, scope.task(graph[graph.start])))
    machine = StateMachine(definition, graph, chosen, read)
    machine.check(widths)
    return machine


def check_arguments(graph: object, runner: object, timeout_seconds: object, fan_outs: object) -> None:
    """Raise InvalidArgument for an argument of the wrong type."""
    instance(FlowGraph, must="a flow_graph.FlowGraph, as read_class and GraphBuilder.build() make them")(
        "The graph", graph
    )
    methods = ("supports_arrays", "state", "decision")
    if isinstance(runner, type) or not all(callable(getattr(runner, name, None)) for name in methods):
        raise InvalidArgument(
            "The runner", runner, f"a StepRunner, as BatchRunner(job, record): it has {', '.join(methods)}"
        )
    optional(by_text(instance(FanOut, must='a FanOut, as FanOut("inline")'), "a mapping from steps to FanOuts"))(
        "fan_outs", fan_outs
    )
    optional(whole(1, LONGEST_TIMEOUT))("timeout_seconds", timeout_seconds)


def choose_fan_outs(
    graph: FlowGraph, runner: StepRunner, asked: Mapping[str, FanOut], costs: Costs, max_concurrency: int | None
) -> dict[str, FanOut]:
    """How each foreach is spread. Raises CompileError, QuotaExceeded."""
    chosen: dict[str, FanOut] = {}
    costs = attrs.evolve(costs, fan_outs=chosen)
    for node in reversed(
        [node for node in graph if node.kind == "foreach"]
    ):  # the inner ones first: the outer contain them
        width, events = costs.widths.get(node.name), costs.item(node).events
        fan_out = asked.get(node.name) or choose_fan_out(graph, node, runner, width, max_concurrency, events)
        fan_out.check(node.name)
        if fan_out.kind == "array":
            check_array(graph, node, runner)
        chosen[node.name] = fan_out
    return {node.name: chosen[node.name] for node in graph if node.name in chosen}


def require_well_formed(graph: FlowGraph) -> None:
    """Raise GraphError with all findings if there is an error among them."""
    findings = check(graph, also=("gang",))
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
