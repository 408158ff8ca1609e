"""`stepwell logs` and `python flow.py logs`: what tasks printed. Only log text goes to stdout, so that it can be piped."""

from __future__ import annotations

import datetime as dt
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs
import click

from stepwell.commands.scoping import everywhere, in_flow, look_everywhere
from stepwell.commands.times import read_moment

if TYPE_CHECKING:
    from stepwell.client.tasks import Task
    from stepwell.commands.flow_context import FlowContext
    from stepwell.execution.logs import LogLine

_POLL_SECONDS = 1.0


@attrs.frozen
class Wanted:
    """Which lines: of one stream or of both (""), of one attempt or of the one that counts, printed since when."""

    stream: str = ""
    attempt: int | None = None
    since: dt.datetime | None = None
    timestamps: bool = False

    def lines(self, task: Task, attempt: int | None) -> Iterator[LogLine]:
        """The lines of one attempt at a task."""
        from stepwell.client.tasks import Task

        chosen = task if attempt is None else Task(task.pathspec, attempt=attempt)
        earliest = self.since.timestamp() * 1000 if self.since else 0
        return (line for line in chosen.loglines(self.stream) if line.milliseconds >= earliest)


def log_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of both commands."""
    options = (
        click.option("--stdout", "stream", flag_value="stdout", help="Only standard output."),
        click.option("--stderr", "stream", flag_value="stderr", help="Only standard error."),
        click.option("--both", "stream", flag_value="both", help="Both streams.  [default]"),
        click.option("--timestamps/--no-timestamps", default=False, help="Say when each line was printed."),
        click.option("--attempt", type=click.IntRange(min=0), help="This attempt, from 0.  [default: the last]"),
        click.option(
            "--since", callback=read_moment, metavar="WHEN", help="Only what was printed since: 10m (ago), or a time."
        ),
        click.option(
            "--follow", is_flag=True, help="Go on until the run is over; a log is there when its attempt ends."
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command("logs", help="Print what FLOW/RUN, FLOW/RUN/STEP or FLOW/RUN/STEP/TASK printed.")
@click.argument("pathspec")
@log_options
@everywhere
def logs(pathspec: str, everywhere: bool, follow: bool, **wanted: Any) -> None:
    """Print logs; of several tasks, each line says whose it is."""
    if everywhere:
        look_everywhere()
    print_logs(pathspec, Wanted(**_given(wanted)), follow, _prefixed)


@click.command("logs", help="Print what RUN, RUN/STEP or RUN/STEP/TASK printed.")
@click.argument("words", nargs=-1, metavar="[show] PATH")
@log_options
@click.pass_obj
def flow_logs(context: FlowContext, /, words: tuple[str, ...], follow: bool, **wanted: Any) -> None:
    """Print logs; of several tasks, whose they are is said on stderr."""
    path = words[1:] if words[:1] == ("show",) else words
    if len(path) != 1:
        raise click.UsageError("Name a run, a step or a task: logs RUN[/STEP[/TASK]]")
    look_everywhere(context.settings)
    print_logs(in_flow(context, path[0]), Wanted(**_given(wanted)), follow, _headed)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    stream = options["stream"]
    return {**options, "stream": "" if stream in (None, "both") else stream}


Show = Callable[["Task", list[str], bool], None]


def _prefixed(task: Task, lines: list[str], is_one: bool) -> None:
    for line in lines:
        print(line if is_one else f"[{task.pathspec}] {line}")


def _headed(task: Task, lines: list[str], is_one: bool) -> None:
    if not is_one and lines:
        sys.stdout.flush()
        print(f"{task.pathspec}:", file=sys.stderr, flush=True)
    for line in lines:
        print(line)


def print_logs(pathspec: str, wanted: Wanted, follow: bool, show: Show) -> None:
    """Print the logs of what a path names, with `follow` those to come too."""
    from stepwell.client.finding import is_over, tasks_at

    is_one = pathspec.count("/") == 3
    printed: dict[tuple[str, int], int] = {}
    while True:
        over = not follow or is_over(pathspec)
        tasks = tasks_at(pathspec)
        for task in tasks:
            for lines in _new_lines(task, wanted, follow, printed):
                show(task, lines, is_one or len(tasks) == 1)
        sys.stdout.flush()
        if over:
            return
        time.sleep(_POLL_SECONDS)


def _new_lines(task: Task, wanted: Wanted, follow: bool, printed: dict[tuple[str, int], int]) -> Iterator[list[str]]:
    """What an attempt, or with `follow` each attempt, has printed since the last time."""
    last = task.current_attempt
    attempts = range(last + 1) if follow and wanted.attempt is None else [wanted.attempt]
    for attempt in attempts:
        key = (task.pathspec, last if attempt is None else attempt)
        lines = [f"{line.time} {line.text}" if wanted.timestamps else line.text for line in wanted.lines(task, attempt)]
        yield lines[printed.get(key, 0) :]
        printed[key] = len(lines)
