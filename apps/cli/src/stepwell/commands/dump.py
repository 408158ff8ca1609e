"""`stepwell dump` and `python flow.py dump`: the artifacts of tasks, printed or written into a file. This loads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from stepwell.commands.completing import TASK, paths
from stepwell.commands.examples import examples
from stepwell.commands.scoping import everywhere, in_flow, look_everywhere

if TYPE_CHECKING:
    from stepwell.client.tasks import DataArtifact, Task
    from stepwell.commands.flow_context import FlowContext


@attrs.frozen
class Selection:
    """Which artifacts: these names, or all; also those whose name starts with an underscore."""

    include: frozenset[str]
    private: bool

    def of(self, task: Task) -> Iterator[DataArtifact]:
        """The artifacts of a task that are wanted, by name."""
        for artifact in task:
            if artifact.id in self.include or (not self.include and (self.private or not artifact.id.startswith("_"))):
                yield artifact


def dump_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of both commands."""
    options = (
        click.option("--private/--no-private", default=False, help="Also those whose name starts with an underscore."),
        click.option("--include", default="", metavar="A,B", help="Only these artifacts."),
        click.option(
            "--max-value-size", type=click.IntRange(min=1), default=1000, show_default=True, help="Cut longer values."
        ),
        click.option(
            "--file",
            type=click.Path(dir_okay=False, path_type=Path),
            help='Write a pickle {"run/step/task": {name: value}} instead of printing.',
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command(
    "dump",
    help="Print the artifacts of FLOW/RUN, FLOW/RUN/STEP or FLOW/RUN/STEP/TASK, or the one at its path. This loads them.",
    epilog=examples(
        "stepwell dump Squares/3/join",
        "stepwell dump Squares/3/join/t0/total",
        "stepwell dump Squares/3 --include total --max-value-size 100",
        "stepwell dump Squares/3 --file values.pkl",
    ),
)
@click.argument("pathspec", shell_complete=paths(TASK))
@dump_options
@everywhere
def dump(pathspec: str, everywhere: bool, **options: Any) -> None:
    """Load artifacts and print them."""
    if everywhere:
        look_everywhere()
    _dump(pathspec, **options)


@click.command(
    "dump",
    help="Print the artifacts of RUN, RUN/STEP or RUN/STEP/TASK. This loads them.",
    epilog=examples(
        "python flow.py dump 3/train",
        "python flow.py dump 3 --include model,score",
        "python flow.py dump 3 --file values.pkl",
    ),
)
@click.argument("path")
@dump_options
@click.pass_obj
def flow_dump(context: FlowContext, /, path: str, **options: Any) -> None:
    """Load artifacts of this flow and print them."""
    look_everywhere(context.settings)
    _dump(in_flow(context, path), **options)


def _dump(pathspec: str, private: bool, include: str, max_value_size: int, file: Path | None) -> None:
    from stepwell.client.finding import tasks_at

    names = set(filter(None, include.split(",")))
    if pathspec.count("/") == 4:  # FLOW/RUN/STEP/TASK/ARTIFACT, the path that the Client API gives an artifact
        pathspec, _, name = pathspec.rpartition("/")
        names |= {name} - {""}
    selection = Selection(frozenset(names), private)
    tasks = tasks_at(pathspec)
    _check_there_are(selection.include, tasks, pathspec)
    if file is not None:
        _write(file, {task: list(selection.of(task)) for task in tasks})
        return
    for task in tasks:
        print(f"{task.pathspec}:")
        for artifact in selection.of(task):
            text = repr(artifact.data)
            print(f"    {artifact.id} = {text if len(text) <= max_value_size else text[:max_value_size] + ' ...'}")


def _check_there_are(names: frozenset[str], tasks: list[Task], pathspec: str) -> None:
    """Raise `NotFound` for a name that no task has as an artifact."""
    from stepwell.errors import NotFound
    from stepwell.suggesting import did_you_mean

    there = {artifact.id for task in tasks for artifact in task} if names else set()
    for name in sorted(names - there):
        raise NotFound(f"{pathspec} has no artifact '{name}'.{did_you_mean(name, there)}".rstrip("."))


def _write(file: Path, chosen: dict[Task, list[DataArtifact]]) -> None:
    import pickle

    from stepwell.errors import ClientError

    values = {
        task.pathspec.partition("/")[2]: {artifact.id: artifact.data for artifact in artifacts}
        for task, artifacts in chosen.items()
    }
    try:
        file.write_bytes(pickle.dumps(values, 5))
    except OSError as error:
        raise ClientError(f"The file {file} cannot be written: {error.strerror}") from error
    print(f"Wrote the artifacts of {len(values)} task{'' if len(values) == 1 else 's'} into {file}")
