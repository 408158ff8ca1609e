"""A flow as the schedulers see it: its class, checked graph, parameters, constants and decorators."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from flow_graph import Finding, FlowGraph, check, read_class, render

from stepwell.api.assigning import assigning, providing
from stepwell.api.configs import configs, given_configs, names_of, read_configs
from stepwell.api.decorators.base import D, StepDecorator, ready
from stepwell.api.decorators.exit_hooks import ExitHook
from stepwell.api.decorators.flows import FD, FlowDecorator, Project, ProjectFacts
from stepwell.api.decorators.kinds import Catch, Environment, Parallel, Retry
from stepwell.api.decorators.user import UserStepDecorator
from stepwell.api.expressions import resolve
from stepwell.api.flowspec import FlowSpec, constants
from stepwell.api.options import FlowOptions
from stepwell.api.parameters import Parameter
from stepwell.api.plan import FlowPlan, plan_flow, with_options
from stepwell.errors import DecoratorError, FlowError


@attrs.frozen
class FlowDefinition:
    """Everything about a flow that does not depend on a run. `file` is absolute; `options` are part of all that is said.

    `configs` are the values of its configs by attribute; `wrapping` are the decorators that users wrote, the innermost first.
    """

    cls: type[FlowSpec]
    file: Path
    graph: FlowGraph
    parameters: Mapping[str, Parameter]
    constants: Mapping[str, Any]
    decorators: Mapping[str, tuple[StepDecorator, ...]]
    flow_decorators: Mapping[str, FlowDecorator]
    configs: Mapping[str, Any] = attrs.field(factory=dict)
    wrapping: Mapping[str, tuple[UserStepDecorator, ...]] = attrs.field(factory=dict)
    options: FlowOptions = attrs.field(factory=FlowOptions)

    @property
    def name(self) -> str:
        """The flow's name."""
        return self.cls.__name__

    def decorator(self, step: str, kind: type[D]) -> D | None:
        """The decorator of one kind on a step, or None."""
        return next((one for one in self.decorators[step] if isinstance(one, kind)), None)

    def flow_decorator(self, kind: type[FD]) -> FD | None:
        """The flow's decorator of one kind, or None."""
        return next((one for one in self.flow_decorators.values() if isinstance(one, kind)), None)

    def project(self, user: str) -> ProjectFacts | None:
        """Where a run by `user` belongs; None without `@project`."""
        declared = self.flow_decorator(Project)
        return declared.facts(self.name, user, self.options.branch, self.options.production) if declared else None

    def tries(self, step: str) -> int:
        """How often a step's body may run."""
        retry = self.decorator(step, Retry)
        return 1 + (retry.times if retry else 0)

    def attempts(self, step: str) -> int:
        """How many attempts a task may have: its tries, and with `@catch` one that tells of a last try that was killed."""
        return self.tries(step) + bool(self.decorator(step, Catch))

    def variables(self, step: str) -> dict[str, str]:
        """What the interpreter of a step's task finds in its environment: `@environment`, and how to read the flow."""
        environment = self.decorator(step, Environment)
        return {**(environment.vars if environment else {}), **self.options.to_environment()}


def read_flow(
    cls: type[FlowSpec],
    file: Path,
    options: FlowOptions | None = None,
    values: Mapping[str, Any] | None = None,
    plan: FlowPlan | None = None,
) -> FlowDefinition:
    """Read a flow's class and check it; raises `FlowError` with every error found, naming file, step and line.

    `values` are those of its configs by attribute; without them they are read as the environment says. `plan` is what
    mutators made of the class, where that is known. Raises `DecoratorError` for a decorator that is unknown, or cannot be on the
    step that it is on, and `ConfigError`.
    """
    options = options or FlowOptions()
    if values is None:
        values = read_configs(configs(cls), given_configs(os.environ))
    names = names_of(configs(cls), values)
    plan = with_options(plan or plan_flow(cls, names), options.added)
    graph = planned_graph(cls, plan, options)
    findings = check(graph)
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise FlowError(describe(errors, cls.__name__))
    decorators = {name: tuple(ready(one, names) for one in step.decorators) for name, step in plan.steps.items()}
    _check_places(decorators, graph)
    return FlowDefinition(
        cls=_as_planned(cls, plan),
        file=file,
        graph=graph,
        parameters=plan.parameters,
        constants=resolve(constants(cls), names),
        decorators=decorators,
        flow_decorators={name: ready(one, names) for name, one in plan.decorators.items()},
        configs=values,
        wrapping={
            name: tuple(one.ready(names) for one in step.by_user if isinstance(one, UserStepDecorator))
            for name, step in plan.steps.items()
        },
        options=options,
    )


def planned_graph(cls: type[FlowSpec], plan: FlowPlan, options: FlowOptions) -> FlowGraph:
    """The graph of a flow's source, whose steps may read what mutators and the command line add."""
    return providing(assigning(read_class(cls), options.variables), plan.added_parameters())


def _as_planned(cls: type[FlowSpec], plan: FlowPlan) -> type[FlowSpec]:
    """The flow's class, or one derived from it where mutators changed its parameters."""
    changed = plan.changed_parameters()
    return type(cls.__name__, (cls,), {"__module__": cls.__module__, **changed}) if changed else cls


def _check_places(decorators: Mapping[str, tuple[StepDecorator, ...]], graph: FlowGraph) -> None:
    for node in graph:
        for decorator in decorators[node.name]:
            if why_not := decorator.why_not_on(node):
                raise DecoratorError(f"{node.file}:{node.line}: @{decorator.name} on step '{node.name}': {why_not}")


def refuse_gangs(flow: FlowDefinition, elsewhere: type[StepDecorator] | None = None) -> None:
    """Raise `FlowError` where a gang would run elsewhere than on one machine: under this decorator, or (None) anywhere."""
    for node in flow.graph:
        if flow.decorator(node.name, Parallel) and (elsewhere is None or flow.decorator(node.name, elsewhere)):
            raise FlowError(
                f"{node.file}:{node.line}: step '{node.name}' is @parallel, and the tasks of a gang run on one machine only: "
                "run this step locally, without @batch and not on AWS Step Functions"
            )


def refuse_exit_hooks(flow: FlowDefinition) -> None:
    """Raise `FlowError` where something is to be called when a run ends that no process of ours sees through."""
    if flow.flow_decorator(ExitHook):
        raise FlowError(
            f"{flow.file}: flow '{flow.name}' has @exit_hook, which the command calls that sees a run through on one machine: "
            "on AWS Step Functions, STEPWELL_NOTIFY_TOPIC or STEPWELL_NOTIFY_URL is told of failures, "
            "and @trigger_on_finish lets a flow follow"
        )


def describe(findings: list[Finding], flow: str) -> str:
    """Errors as a compiler shows them: a line of what and where, the source with a caret, what to do."""
    return "\n\n".join([f"Flow {flow} is not valid:", *(render(finding) for finding in findings)])
