"""Call a flow's `@exit_hook`s when its run has ended and everything of it is recorded."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator

import attrs

from stepwell.api.decorators.exit_hooks import ExitHook, Hook
from stepwell.api.definition import FlowDefinition
from stepwell.config import Settings
from stepwell.execution.records import RunRecord
from stepwell.scheduling.console import Console
from stepwell.tracebacks import users_part, without_ours


@attrs.define
class EndedRun:
    """The run of a command, once there is one, and how it ended."""

    claim: RunRecord | None = None
    successful: bool = False


@contextlib.contextmanager
def exit_hooks(flow: FlowDefinition, settings: Settings, console: Console) -> Iterator[EndedRun]:
    """What is told in here of a run decides what is called behind it. Raises `DecoratorError` for hooks that there are not.

    A hook that fails is told of, and changes nothing: the others are called, and the run ended as it did.
    """
    declared = flow.flow_decorator(ExitHook)
    calls = {successful: declared.functions(flow.cls, successful) if declared else [] for successful in (True, False)}
    ended = EndedRun()
    try:
        yield ended
    finally:
        if ended.claim and (hooks := calls[ended.successful]):
            _call(hooks, ended.claim, settings, console)


def _call(hooks: list[Hook], claim: RunRecord, settings: Settings, console: Console) -> None:
    from stepwell.client.objects import Run
    from stepwell.client.scope import use_settings

    use_settings(settings)
    for hook in hooks:
        name = getattr(hook, "__name__", repr(hook))
        console.event(f"Calling the exit hook {name}.")
        try:
            arguments = [Run(f"{claim.flow}/{claim.run_id}")] if inspect.signature(hook).parameters else []
            hook(*arguments)
        except Exception as error:
            console.warn(f"The exit hook {name} failed:\n{without_ours(error, users_part(error.__traceback__))}")
