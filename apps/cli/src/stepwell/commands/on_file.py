"""`stepwell run FILE`, `resume FILE`, `check FILE`, `graph FILE`: the same as `python FILE run`, and so on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from stepwell.commands.completing import of_flow
from stepwell.commands.examples import examples

VALUES = dict.fromkeys(("--datastore", "--datastore-root", "--metadata", "--with", "--branch", "--package-suffixes"), 1)
VALUES |= dict.fromkeys(("--trigger", "--environment", "--event-logger", "--monitor"), 1)
VALUES |= dict.fromkeys(("--config", "--config-value"), 2)
"""How many values follow an option that may stand before the flow file."""


class OnFile(click.Command):
    """A command that a flow file's own command line carries out."""

    def collect_usage_pieces(self, context: click.Context) -> list[str]:
        """What stands behind the command."""
        return ["[OPTIONS]", "FILE.py", f"[{(self.name or '').upper()} OPTIONS]"]

    def shell_complete(self, context: click.Context, incomplete: str) -> list[CompletionItem]:
        """What goes on from here: files, or once there is a flow file what its command line knows."""
        arguments: tuple[str, ...] = context.params["arguments"] or ()
        at = _place_of_file(arguments)
        if at < len(arguments):
            return of_flow(Path(arguments[at]), [*arguments[:at], self.name or "", *arguments[at + 1 :]], incomplete)
        if incomplete.startswith("-"):
            return [CompletionItem(option) for option in VALUES if option.startswith(incomplete)]
        return [CompletionItem(incomplete, type="file")]


def _go_on(context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    return context.command.shell_complete(context, begun)


def _on_file(name: str, what: str, *shown: str) -> click.Command:
    """The command of a flow file, found by the file's name."""

    def command(arguments: tuple[str, ...]) -> None:
        from stepwell.api.loading import load_flow
        from stepwell.commands.flow_cli import main

        before, file, behind = _split(name, arguments)
        path = Path(file).resolve()
        main(load_flow(path), path, [*before, name, *behind])

    return OnFile(
        name,
        callback=command,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED, shell_complete=_go_on)],
        context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []},
        add_help_option=False,
        help=f"{what}\n\nIt is the same as: python FILE.py [OPTIONS] {name} [{name.upper()} OPTIONS]",
        epilog=examples(
            *shown,
            f"{f'stepwell {name} FILE.py --help':33} what may stand behind FILE.py",
            f"{'python FILE.py --help':33} what may stand before it",
        ),
    )


def _split(name: str, arguments: Sequence[str]) -> tuple[list[str], str, list[str]]:
    """The options before the flow file, the file, and what comes after it."""
    at = _place_of_file(arguments)
    if not {"--help", "-h"}.isdisjoint(arguments[:at]):
        click.echo(click.get_current_context().get_help())
        raise SystemExit(0)
    if at == len(arguments):
        raise click.UsageError(
            f"Name a flow file: stepwell {name} FILE.py; stepwell {name} FILE.py --help lists its options"
        )
    return list(arguments[:at]), arguments[at], list(arguments[at + 1 :])


def _place_of_file(arguments: Sequence[str]) -> int:
    """How many options and values stand before the flow file; all of them where there is none."""
    values = 0
    for position, argument in enumerate(arguments):
        if values:
            values -= 1
        elif argument.startswith("-"):
            values = VALUES.get(argument, 0)
        else:
            return position
    return len(arguments)


run = _on_file(
    "run",
    "Run a flow file on this machine.",
    "stepwell run squares.py --count 5",
    "stepwell run --with retry squares.py",
)
resume = _on_file(
    "resume",
    "Resume a run of a flow file from where it failed.",
    "stepwell resume squares.py",
    "stepwell resume squares.py --origin-run-id 3",
)
check = _on_file("check", "Check a flow file without running it.", "stepwell check squares.py")
graph = _on_file(
    "graph",
    "Draw the graph of a flow file.",
    "stepwell graph squares.py",
    "stepwell graph squares.py --format svg > squares.svg",
)
