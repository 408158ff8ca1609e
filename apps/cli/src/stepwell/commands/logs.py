"""`stepwell logs` and `python flow.py logs`: what tasks printed. Only log text goes to stdout, so that it can be piped."""

from __future__ import annotations

import datetime as dt
import functools
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs
import click

from stepwell.commands.completing import TASK, paths
from stepwell.commands.examples import examples
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
        click.option("--follow", is_flag=True, help="Go on until the run, or the task, is over."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def scrub_options(command: Callable[..., Any], each: str) -> Callable[..., Any]:
    """The further options of `logs scrub`; `each` is the one for all attempts."""
    options = (
        click.option(f"--latest/{each}", "latest", default=True, help="scrub: which attempts.  [default: --latest]"),
        click.option("--include-not-done", is_flag=True, help="scrub: also tasks that are not done."),
        click.option("--yes", is_flag=True, help="scrub: do not ask."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command(
    "logs",
    help="Print what FLOW/RUN, FLOW/RUN/STEP or FLOW/RUN/STEP/TASK printed; or scrub it.",
    epilog=examples(
        "stepwell logs Squares/3",
        "stepwell logs Squares/3/square/t2 --stderr --attempt 0",
        "stepwell logs Squares/3 --follow --since 10m --timestamps",
        "stepwell logs scrub Squares/3/square",
    ),
)
@click.argument("words", nargs=-1, metavar="[show|scrub] PATH", shell_complete=paths(TASK))
@log_options
@functools.partial(scrub_options, each="--all-attempts")
@everywhere
def logs(words: tuple[str, ...], everywhere: bool, follow: bool, **options: Any) -> None:
    """Print logs; of several tasks, each line says whose it is."""
    scrubs, path = _read_words(words, "FLOW/RUN[/STEP[/TASK]]")
    if everywhere:
        look_everywhere()
    if scrubs:
        _scrub(path, options)
    else:
        print_logs(path, Wanted(**_given(options)), follow, _prefixed)


@click.command(
    "logs",
    help="Print what RUN, RUN/STEP or RUN/STEP/TASK printed; or scrub it.",
    epilog=examples(
        "python flow.py logs 3",
        "python flow.py logs 3/train --stderr",
        "python flow.py logs 3/train/t0 --attempt 0 --timestamps",
        "python flow.py logs scrub 3/train",
    ),
)
@click.argument("words", nargs=-1, metavar="[show|scrub] PATH")
@log_options
@functools.partial(scrub_options, each="--all")
@click.pass_obj
def flow_logs(context: FlowContext, /, words: tuple[str, ...], follow: bool, **options: Any) -> None:
    """Print logs; of several tasks, whose they are is said on stderr."""
    scrubs, path = _read_words(words, "RUN[/STEP[/TASK]]")
    look_everywhere(context.settings)
    if scrubs:
        _scrub(in_flow(context, path), options)
    else:
        print_logs(in_flow(context, path), Wanted(**_given(options)), follow, _headed)


def _read_words(words: tuple[str, ...], path: str) -> tuple[bool, str]:
    """Whether to scrub, and what the words name."""
    verb, rest = (words[0], words[1:]) if words[:1] in (("show",), ("scrub",)) else ("show", words)
    if len(rest) != 1:
        raise click.UsageError(f"Name a run, a step or a task: logs {verb} {path}")
    return verb == "scrub", rest[0]


def _given(options: dict[str, Any]) -> dict[str, Any]:
    stream = options["stream"]
    names = {field.name for field in attrs.fields(Wanted)}
    wanted = {name: value for name, value in options.items() if name in names}
    return {**wanted, "stream": "" if stream in (None, "both") else stream}


def _scrub(path: str, options: dict[str, Any]) -> None:
    from stepwell.client.scrubbing import ALL, scrub

    wanted = Wanted(**_given(options))
    every = "the last attempt" if options["latest"] else "every attempt"
    what = wanted.stream or "all"
    if not options["yes"]:
        click.confirm(f"Empty {what} that {every} of {path} printed? It cannot be brought back", abort=True, err=True)
    attempt = wanted.attempt if options["latest"] else ALL
    for task, said in scrub(path, wanted.stream, attempt, options["include_not_done"]):
        print(f"{task}: {said}", file=sys.stderr)


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
        if wanted.attempt is not None and not follow:
            _check_one_had(wanted.attempt, tasks, pathspec)
        for task in tasks:
            for lines in _new_lines(task, wanted, follow, printed):
                show(task, lines, is_one or len(tasks) == 1)
        sys.stdout.flush()
        if over:
            return
        time.sleep(_POLL_SECONDS)


def _check_one_had(attempt: int, tasks: list[Task], pathspec: str) -> None:
    """Raise `NotFound` where no task has had an attempt."""
    from stepwell.errors import NotFound

    last = max((task.current_attempt for task in tasks), default=-1)
    if attempt > last:
        had = f"the last one was {last}, as they count from 0" if last >= 0 else "no task has begun"
        raise NotFound(f"{pathspec} has had no attempt {attempt}: {had}")


def _new_lines(task: Task, wanted: Wanted, follow: bool, printed: dict[tuple[str, int], int]) -> Iterator[list[str]]:
    """What an attempt, or with `follow` each attempt, has printed since the last time."""
    last = task.current_attempt
    attempts = range(last + 1) if follow and wanted.attempt is None else [wanted.attempt]
    for attempt in attempts:
        key = (task.pathspec, last if attempt is None else attempt)
        lines = [f"{line.time} {line.text}" if wanted.timestamps else line.text for line in wanted.lines(task, attempt)]
        yield lines[printed.get(key, 0) :]
        printed[key] = len(lines)
