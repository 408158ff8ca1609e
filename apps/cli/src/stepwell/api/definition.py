"""A flow as the schedulers see it: its class, checked graph, parameters, constants and decorators."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
from flow_graph import Finding, FlowGraph, check, read_class, render

from stepwell.api.decorators.base import D, StepDecorator, attached
from stepwell.api.flowspec import FlowSpec, constants
from stepwell.api.parameters import Parameter, parameters
from stepwell.errors import FlowError


@attrs.frozen
class FlowDefinition:
    """Everything about a flow that does not depend on a run. `file` is absolute."""

    cls: type[FlowSpec]
    file: Path
    graph: FlowGraph
    parameters: Mapping[str, Parameter]
    constants: Mapping[str, Any]
    decorators: Mapping[str, tuple[StepDecorator, ...]]

    @property
    def name(self) -> str:
        """The flow's name."""
        return self.cls.__name__

    def decorator(self, step: str, kind: type[D]) -> D | None:
        """The decorator of one kind on a step, or None."""
        return next((one for one in self.decorators[step] if isinstance(one, kind)), None)

    def attach_to_all(self, decorator: StepDecorator) -> FlowDefinition:
        """The same flow with a decorator on every step that has none of its kind (`--with`)."""
        return attrs.evolve(
            self,
            decorators={
                step: present if any(one.name == decorator.name for one in present) else (*present, decorator)
                for step, present in self.decorators.items()
            },
        )


def read_flow(cls: type[FlowSpec], file: Path) -> FlowDefinition:
    """Read a flow's class and check it; raises `FlowError` with every error found, naming file, step and line."""
    graph = read_class(cls)
    findings = check(graph)
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise FlowError(describe(errors, cls.__name__))
    return FlowDefinition(
        cls=cls,
        file=file,
        graph=graph,
        parameters=parameters(cls),
        constants=constants(cls),
        decorators={node.name: attached(getattr(cls, node.name)) for node in graph},
    )


def describe(findings: list[Finding], flow: str) -> str:
    """Errors as a compiler shows them: a line of what and where, the source with a caret, what to do."""
    return "\n\n".join([f"Flow {flow} is not valid:", *(render(finding) for finding in findings)])
