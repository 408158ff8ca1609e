"""Run a step's body inside the decorators that users wrote."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

from flow_graph import Foreach, Node, Switch

from stepwell.api.decorators.user import UserStepDecorator
from stepwell.errors import InvalidNext
from stepwell.execution.context import TaskContext

Body = Callable[..., Any]


def wrapped(body: Body, decorators: Iterable[UserStepDecorator], node: Node, context: TaskContext) -> Body:
    """The body with its decorators around it, the innermost first. Called as the body is."""
    flow = body.__self__  # type: ignore[attr-defined]
    for decorator in decorators:
        body = _around(body, copy.copy(decorator), flow, node, context)
    return body


def _around(inner: Body, decorator: UserStepDecorator, flow: Any, node: Node, context: TaskContext) -> Body:
    def run(*arguments: Any) -> None:
        replacement = decorator.pre_step(node.name, flow, arguments[0] if arguments else None)
        failure: Exception | None = None
        try:
            if decorator.skip_step is not False:
                _go_on(flow, node, context, decorator.skip_step)
            elif replacement is None:
                inner(*arguments)
            elif said := replacement(flow, *arguments):
                _go_on(flow, node, context, said)
        except Exception as error:
            failure = error
        _settle(decorator.post_step(node.name, flow, failure), flow, node, context)
        if failure is not None:
            _go_on(flow, node, context, True)

    return run


def _settle(returned: Any, flow: Any, node: Node, context: TaskContext) -> None:
    """Do what `post_step` asks for: an exception to raise, or with a dictionary behind it, the transition."""
    error, said = (*returned, None)[:2] if isinstance(returned, tuple) else (returned, None)
    if isinstance(error, BaseException):
        raise error
    if said is not None:
        _go_on(flow, node, context, said)


def _go_on(flow: Any, node: Node, context: TaskContext, said: Any) -> None:
    """Take the step's own transition, unless it was taken; raises `InvalidNext` where a decorator asks for another one."""
    options: dict[str, Any] = {}
    targets: list[Any] = [getattr(flow, name) for name in node.next]
    if isinstance(node.transition, Foreach) and node.transition.parallel and context.transition is None:
        raise InvalidNext(
            f"Step '{node.name}' starts a gang, so no decorator can leave it out: only it says how many tasks"
        )
    if isinstance(node.transition, Foreach):
        options = {"foreach": node.transition.variable}
    elif isinstance(node.transition, Switch):
        options = {"condition": node.transition.condition}
        targets = [{case.key: getattr(flow, case.target) for case in node.transition.cases}]
    if isinstance(said, dict) and not said.items() <= options.items():
        raise InvalidNext(
            f"A decorator of step '{node.name}' asks for self.next with {said}, but the graph has {options or 'none'}.\n"
            "Change the artifact that the step's own transition reads instead"
        )
    if context.transition is None and targets:
        flow.next(*targets, **options)
