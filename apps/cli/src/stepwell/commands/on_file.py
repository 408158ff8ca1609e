"""`stepwell run FILE`, `resume FILE`, `check FILE`, `graph FILE`: the same as `python FILE run`, and so on."""

from __future__ import annotations

from pathlib import Path

import click

USAGE = """Usage: stepwell {0} [OPTIONS] FILE.py [{1} OPTIONS]

{2} It is the same as: python FILE.py [OPTIONS] {0} [{1} OPTIONS]

  stepwell {0} FILE.py --help      lists the options of {0}
  python FILE.py --help            lists the options that stand before FILE here"""

WITH_VALUES = frozenset({"--datastore", "--datastore-root", "--metadata", "--with", "--branch"})


def _on_file(name: str, what: str) -> click.Command:
    """The command of a flow file, found by the file's name."""

    def command(arguments: tuple[str, ...]) -> None:
        from stepwell.api.loading import load_flow
        from stepwell.commands.flow_cli import main

        before, file, behind = _split(name, what, arguments)
        path = Path(file).resolve()
        main(load_flow(path), path, [*before, name, *behind])

    return click.Command(
        name,
        callback=command,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS] FILE [OPTIONS]")],
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []},
        add_help_option=False,
        help=what,
    )


def _split(name: str, what: str, arguments: tuple[str, ...]) -> tuple[list[str], str, list[str]]:
    """The options before the flow file, the file, and what comes after it."""
    for position, argument in enumerate(arguments):
        if argument in ("--help", "-h"):
            click.echo(USAGE.format(name, name.upper(), what))
            raise SystemExit(0)
        is_value = position > 0 and arguments[position - 1] in WITH_VALUES
        if not is_value and not argument.startswith("-"):
            return list(arguments[:position]), argument, list(arguments[position + 1 :])
    raise click.UsageError(
        f"Name a flow file: stepwell {name} FILE.py; stepwell {name} FILE.py --help lists its options"
    )


run = _on_file("run", "Run a flow file on this machine.")
resume = _on_file("resume", "Resume a run of a flow file from where it failed.")
check = _on_file("check", "Check a flow file without running it.")
graph = _on_file("graph", "Draw the graph of a flow file.")
