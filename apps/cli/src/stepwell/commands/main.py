"""`stepwell`: run flows, and find what they left."""

from __future__ import annotations

from typing import Any

import click

from stepwell.commands.examples import examples
from stepwell.commands.groups import LazyGroup
from stepwell.terminal import guarded

# name -> (module, attribute, what --help says): a command's module is imported when the command is called.
COMMANDS = {
    "new": ("stepwell.commands.new", "new", "Write a flow to start from."),
    "run": ("stepwell.commands.on_file", "run", "Run a flow file on this machine."),
    "resume": ("stepwell.commands.on_file", "resume", "Resume a run from where it failed."),
    "check": ("stepwell.commands.on_file", "check", "Check a flow file without running it."),
    "graph": ("stepwell.commands.on_file", "graph", "Draw the graph of a flow file."),
    "ls": ("stepwell.commands.browse", "ls", "List flows, the runs of a flow, or what a run holds."),
    "show": ("stepwell.commands.browse", "show", "Show a run, a step or a task."),
    "logs": ("stepwell.commands.logs", "logs", "Print what tasks printed."),
    "dump": ("stepwell.commands.dump", "dump", "Print the artifacts of tasks."),
    "code": ("stepwell.commands.code", "code", "Save or compare the code of a run."),
    "usage": ("stepwell.commands.care", "usage", "Show who keeps how much."),
    "rm": ("stepwell.commands.care", "rm", "Remove runs."),
    "prune": ("stepwell.commands.care", "prune", "Remove old runs."),
    "gc": ("stepwell.commands.care", "gc", "Delete what no run needs any more."),
    "fsck": ("stepwell.commands.care", "fsck", "Verify everything in the datastore."),
    "reindex": ("stepwell.commands.care", "reindex", "Tell the metadata store what it does not know."),
    "sync": ("stepwell.commands.sync", "sync", "Publish runs of this machine to shared mode."),
    "configure": ("stepwell.commands.configure", "configure", "Install the administrator's settings."),
    "status": ("stepwell.commands.configure", "status", "Show the settings in force and where they come from."),
    "completion": ("stepwell.commands.completion", "completion", "Print a completion script for a shell."),
    "version": ("stepwell.commands.version", "version", "Print the version of stepwell."),
}
OF_FLOWS = frozenset(["tag", "step-functions", "batch", "package", "init", "step"])


class FirstGroup(LazyGroup):
    """The commands of `stepwell`, which `--help` lists without importing them."""

    def resolve_command(self, context: click.Context, args: list[str]) -> Any:
        """Find a command; of one that only flows have, say so."""
        if args and args[0] in OF_FLOWS and not context.resilient_parsing:
            context.fail(f"'{args[0]}' is a command of a flow: python FLOW.py {args[0]}")
        return super().resolve_command(context, args)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """List them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.group(
    cls=FirstGroup,
    homes={name: (module, attribute) for name, (module, attribute, _) in COMMANDS.items()},
    help="Run data-science workflows, keep every artifact, find every execution.",
    epilog=examples(
        "stepwell new squares                write a flow to start from: squares.py",
        "stepwell run squares.py             the same as: python squares.py run",
        "stepwell ls Squares                 its runs, as FLOW/RUN",
        "stepwell show Squares/1             what became of one; also logs, dump",
        "stepwell COMMAND --help             what a command takes",
    ),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="stepwell", message="%(version)s")
def stepwell() -> None:
    """Only groups the commands."""


def main(arguments: list[str] | None = None) -> Any:
    """The console script; ends the process."""
    guarded(lambda: stepwell.main(args=arguments, prog_name="stepwell", standalone_mode=False))
    raise SystemExit(0)
