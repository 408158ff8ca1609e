"""`stepwell run FILE`: the same as `python FILE run`."""

from __future__ import annotations

from pathlib import Path

import click

USAGE = """Usage: stepwell run [OPTIONS] FILE.py [RUN OPTIONS]

Run a flow file on this machine. It is the same as: python FILE.py [OPTIONS] run [RUN OPTIONS]

  stepwell run FILE.py --help      lists the run options and the flow's parameters
  python FILE.py --help            lists the options that stand before FILE here"""


@click.command(
    "run",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS] FILE [RUN OPTIONS]")
def run(arguments: tuple[str, ...]) -> None:
    """Run a flow file on this machine: options before FILE as in `python FILE [OPTIONS] run [RUN OPTIONS]`."""
    from stepwell.api.loading import load_flow
    from stepwell.commands.flow_cli import main

    before, file, behind = _split(arguments)
    path = Path(file).resolve()
    main(load_flow(path), path, [*before, "run", *behind])


def _split(arguments: tuple[str, ...]) -> tuple[list[str], str, list[str]]:
    """The options before the flow file, the file, and what comes after it."""
    for position, argument in enumerate(arguments):
        if argument in ("--help", "-h"):
            click.echo(USAGE)
            raise SystemExit(0)
        if argument.endswith(".py") or (not argument.startswith("-") and not _is_value(arguments, position)):
            return list(arguments[:position]), argument, list(arguments[position + 1 :])
    raise click.UsageError("Name a flow file: stepwell run FILE.py; stepwell run FILE.py --help lists its options")


def _is_value(arguments: tuple[str, ...], position: int) -> bool:
    """Whether an argument is the value of the option before it."""
    before = arguments[position - 1] if position else ""
    return before in {"--datastore", "--datastore-root", "--metadata", "--with"}
