"""What a shell offers at the Tab key beside commands and options: paths of runs, what a flow file knows."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import click
from click.shell_completion import CompletionItem, ShellComplete

RUN, STEP, TASK = 2, 3, 4  # how many names a path to one has
_NEWEST = 50

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def of_flow(file: Path, words: list[str], begun: str) -> list[CompletionItem]:
    """What goes on from the words of a flow's command line, parameters included; nothing where the file cannot be loaded."""
    from stepwell.api.loading import load_flow
    from stepwell.commands.flow_cli import command_group
    from stepwell.commands.flow_context import FlowContext
    from stepwell.config import load_settings

    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            cls = load_flow(file.resolve())
            context = FlowContext(cls, file, load_settings())
            group = command_group(cls, file)
            return ShellComplete(group, {"obj": context}, file.name, "").get_completions(words, begun)
    except (Exception, SystemExit):  # a shell has no place for messages
        return []


def paths(deepest: int) -> Complete:
    """Offers the paths that go on from what was typed, down to runs, steps or tasks; nothing where no store answers."""

    def complete(context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
        from stepwell.commands.scoping import look_everywhere

        if context.params.get("everywhere"):
            look_everywhere()
        try:
            return [CompletionItem(path) for path in _going_on(begun, deepest)]
        except Exception:  # a shell has no place for messages
            return []

    return complete


def _going_on(begun: str, deepest: int) -> list[str]:
    found = [path for path in _below(begun.rpartition("/")[0]) if path.startswith(begun)]
    if len(found) == 1 and found[0].count("/") < deepest - 1:
        found += _below(found[0])  # or the shell would end the word here
    return found


def _below(path: str) -> list[str]:
    """The paths one level below; of a flow, the newest runs."""
    from stepwell.client.objects import Flow, Run, Step, flows

    names = path.split("/") if path else []
    if len(names) == 3:
        return [task.pathspec for task in Step(path)]
    if len(names) == 2:
        return [step.pathspec for step in reversed(list(Run(path)))]
    return [one.pathspec for one in islice(Flow(path).runs() if names else flows(), _NEWEST)]
