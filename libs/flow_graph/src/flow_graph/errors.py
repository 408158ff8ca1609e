"""What can go wrong.

    FlowGraphError
    ├── InvalidArgument     an argument that is of the wrong type, or not one of those that there are (also a ValueError)
    ├── GraphError          a graph that is not well formed: all its findings
    ├── SourceUnavailable   a class whose source cannot be read or parsed
    ├── UnreadableGraph     JSON that is no graph, or one of a later format
    ├── UnknownStep         a name that is no step of the graph (also a KeyError)
    ├── NoMatchingStep      a step that has no matching split or join
    ├── InvalidTaskId       a task id that does not fit its step
    ├── InvalidOutcome      an outcome that does not fit its step: no cardinality, an unknown choice
    ├── UnexpectedTask      a task reported as finished that was not running
    └── MissingExtra        an optional dependency that is not installed

Nothing here gets better by itself, so nothing is retryable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flow_graph.findings import Finding


class FlowGraphError(Exception):
    """The base of every error of this package."""

    retryable = False


class InvalidArgument(FlowGraphError, ValueError):
    """An argument that is not what it should be; `argument` names it."""

    def __init__(self, argument: str, value: object, must: str) -> None:
        self.argument = argument
        shown = repr(value)
        super().__init__(f"{argument} is {shown if len(shown) <= 80 else f'{shown[:80]}…'}; it must be {must}.")


class GraphError(FlowGraphError):
    """A graph that is not well formed; `findings` says all that is wrong with it."""

    def __init__(self, name: str, findings: Sequence[Finding]) -> None:
        self.name = name
        self.findings = tuple(findings)
        super().__init__(name, self.findings)

    def __str__(self) -> str:  # when it is shown: the source is looked up for that
        from flow_graph.rendering import render

        lines = "\n".join(map(render, self.findings))
        return f"The flow {self.name!r} is not well formed:\n{lines}"


class SourceUnavailable(FlowGraphError):
    """A class whose source cannot be read or parsed."""

    def __init__(self, class_name: str, file: str | None, reason: str, line: int | None = None) -> None:
        self.class_name = class_name
        self.file = file
        self.line = line
        where = f" in {file}" if file else ""
        super().__init__(
            f"Cannot read the source of class {class_name!r}{where}: {reason}. "
            "A flow is read from its source, so define it in a file."
        )


class UnreadableGraph(FlowGraphError):
    """JSON that is no graph, or a graph of a later format (then `version` is that format)."""

    def __init__(self, reason: str, version: int | None = None) -> None:
        self.version = version
        super().__init__(reason)


class UnknownStep(FlowGraphError, KeyError):
    """A name that is no step of the graph."""

    def __init__(self, step: str, graph: str, suggestion: str | None = None) -> None:
        self.step = step
        self.suggestion = suggestion
        hint = f" Did you mean {suggestion!r}?" if suggestion else ""
        self.message = f"The flow {graph!r} has no step {step!r}.{hint}"
        super().__init__(self.message)

    def __str__(self) -> str:  # KeyError would show the repr
        return self.message


class NoMatchingStep(FlowGraphError):
    """A step that has no matching join (it opens nothing) or no matching split (it closes nothing)."""

    def __init__(self, step: str, wanted: str) -> None:
        self.step = step
        self.wanted = wanted
        super().__init__(
            f"Step {step!r} has no matching {wanted}; run check() to see whether the graph is well formed."
        )


class InvalidTaskId(FlowGraphError):
    """A task id that does not follow the naming scheme, or does not fit its step."""

    def __init__(self, task_id: str, reason: str) -> None:
        self.task_id = task_id
        super().__init__(f"Invalid task id {task_id!r}: {reason}.")


class InvalidOutcome(FlowGraphError):
    """An outcome that does not fit the step it is reported for."""

    def __init__(self, step: str, task_id: str, reason: str) -> None:
        self.step = step
        self.task_id = task_id
        super().__init__(f"The outcome of task {step}/{task_id} does not fit its step: {reason}.")


class UnexpectedTask(FlowGraphError):
    """A task reported as finished that was not running: finished before, or never planned."""

    def __init__(self, step: str, task_id: str) -> None:
        self.step = step
        self.task_id = task_id
        super().__init__(
            f"Task {step}/{task_id} is not running: it was finished before or never planned. "
            "Report each planned task once."
        )


class MissingExtra(FlowGraphError):
    """An optional dependency that is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(
            f"This needs the package {package!r}. Install it with: pip install 'stepwell-flow-graph[{extra}]'"
        )
