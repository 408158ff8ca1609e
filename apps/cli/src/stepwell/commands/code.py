"""`stepwell code save` and `diff`: the code of a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stepwell.commands.completing import RUN, paths
from stepwell.commands.examples import examples
from stepwell.commands.groups import StrictGroup
from stepwell.commands.scoping import everywhere, look_everywhere

if TYPE_CHECKING:
    from stepwell.client.code import Code


@click.group("code", cls=StrictGroup, help="The code that the jobs of a run ran with.")
def code() -> None:
    """Only groups the commands."""


@code.command(
    "save",
    help="Write the flow's folder, as FLOW/RUN ran it, into FOLDER.",
    epilog=examples("stepwell code save Forecast/sfn-6fb2b108 as-it-ran"),
)
@click.argument("pathspec", metavar="FLOW/RUN", shell_complete=paths(RUN))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@everywhere
def save(pathspec: str, folder: Path, everywhere: bool) -> None:
    """Write the files."""
    count = _code_of(pathspec, everywhere).save(folder)
    print(f"Wrote {count} files of {pathspec} into {folder}")


@code.command(
    "diff",
    help="Show what changed in FOLDER since FLOW/RUN ran; exits with 1 where something did.",
    epilog=examples("stepwell code diff Forecast/sfn-6fb2b108", "stepwell code diff Forecast/sfn-6fb2b108 ../forecast"),
)
@click.argument("pathspec", metavar="FLOW/RUN", shell_complete=paths(RUN))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True), default=Path())
@everywhere
def diff(pathspec: str, folder: Path, everywhere: bool) -> None:
    """Print a unified diff."""
    from stepwell.deploying.ignoring import chosen_files

    here = (str(file.relative_to(folder)) for file in chosen_files(folder))
    lines = list(_code_of(pathspec, everywhere).diff(folder, here))
    sys.stdout.writelines(line if line.endswith("\n") else f"{line}\n" for line in lines)
    if lines:
        raise SystemExit(1)


def _code_of(pathspec: str, everywhere: bool) -> Code:
    from stepwell.client.objects import Run
    from stepwell.errors import NotFound

    if everywhere:
        look_everywhere()
    found = Run(pathspec).code
    if found is None:
        raise NotFound(
            f"The code of {pathspec} was not kept: only runs whose steps ran elsewhere, as jobs, have a code package"
        )
    return found
