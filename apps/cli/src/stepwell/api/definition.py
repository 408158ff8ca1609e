"""A flow as the schedulers see it: its class, checked graph, parameters, constants and decorators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs
from flow_graph import Finding, FlowGraph, check, read_class, render

from stepwell.api.decorators.base import D, StepDecorator, attached, parse_with
from stepwell.api.decorators.flows import FD, FlowDecorator, Project, ProjectFacts, attached_to_flow
from stepwell.api.decorators.kinds import KINDS, Catch, Environment, Retry
from stepwell.api.flowspec import FlowSpec, constants
from stepwell.api.options import FlowOptions
from stepwell.api.parameters import Parameter, parameters
from stepwell.errors import DecoratorError, FlowError


@attrs.frozen
class FlowDefinition:
    """Everything about a flow that does not depend on a run. `file` is absolute; `options` are part of all that is said."""

    cls: type[FlowSpec]
    file: Path
    graph: FlowGraph
    parameters: Mapping[str, Parameter]
    constants: Mapping[str, Any]
    decorators: Mapping[str, tuple[StepDecorator, ...]]
    flow_decorators: Mapping[str, FlowDecorator]
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


def read_flow(cls: type[FlowSpec], file: Path, options: FlowOptions | None = None) -> FlowDefinition:
    """Read a flow's class and check it; raises `FlowError` with every error found, naming file, step and line.

    Raises `DecoratorError` for a decorator that is unknown, or cannot be on the step that it is on.
    """
    graph = read_class(cls)
    findings = check(graph, also=("gang",))
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise FlowError(describe(errors, cls.__name__))
    options = options or FlowOptions()
    added = [parse_with(text, KINDS) for text in options.added]
    decorators = {node.name: _with_added(attached(getattr(cls, node.name)), added) for node in graph}
    _check_places(decorators, graph)
    return FlowDefinition(
        cls=cls,
        file=file,
        graph=graph,
        parameters=parameters(cls),
        constants=constants(cls),
        decorators=decorators,
        flow_decorators=attached_to_flow(cls),
        options=options,
    )


def _with_added(present: tuple[StepDecorator, ...], added: Iterable[StepDecorator]) -> tuple[StepDecorator, ...]:
    """A step's decorators, and those for all steps of whose kind it has none."""
    for decorator in added:
        if not any(one.name == decorator.name for one in present):
            present = (*present, decorator)
    return present


def _check_places(decorators: Mapping[str, tuple[StepDecorator, ...]], graph: FlowGraph) -> None:
    for node in graph:
        for decorator in decorators[node.name]:
            if why_not := decorator.why_not_on(node):
                raise DecoratorError(f"{node.file}:{node.line}: @{decorator.name} on step '{node.name}': {why_not}")


def describe(findings: list[Finding], flow: str) -> str:
    """Errors as a compiler shows them: a line of what and where, the source with a caret, what to do."""
    return "\n\n".join([f"Flow {flow} is not valid:", *(render(finding) for finding in findings)])
