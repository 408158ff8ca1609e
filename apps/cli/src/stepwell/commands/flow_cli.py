"""`python flow.py [OPTIONS] COMMAND`: the command line of one flow."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stepwell.api.configs import configs
from stepwell.api.decorators.flows import attached_to_flow
from stepwell.api.decorators.mutators import attached_mutators
from stepwell.api.options import FlowOptions
from stepwell.commands.examples import examples
from stepwell.commands.flow_context import FlowContext
from stepwell.commands.groups import LazyGroup
from stepwell.config import default_decorators, load_settings
from stepwell.suggesting import python_command
from stepwell.terminal import guarded

if TYPE_CHECKING:
    from stepwell.api.flowspec import FlowSpec


def main(cls: type[FlowSpec], file: Path, arguments: Sequence[str] | None = None) -> None:
    """Run the command line of a flow; ends the process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    guarded(lambda: command_group(cls, file).main(args=given, prog_name=_program(file), standalone_mode=False))
    raise SystemExit(0)


def _program(file: Path) -> str:
    return python_command(file.name)


COMMANDS = {
    "check": ("stepwell.commands.flow_checking", "check"),
    "run": ("stepwell.commands.flow_run", "run_command"),
    "resume": ("stepwell.commands.flow_run", "resume_command"),
    "show": ("stepwell.commands.flow_checking", "show"),
    "graph": ("stepwell.commands.flow_checking", "draw"),
    "logs": ("stepwell.commands.logs", "flow_logs"),
    "dump": ("stepwell.commands.dump", "flow_dump"),
    "tag": ("stepwell.commands.flow_tag", "tag"),
    "step-functions": ("stepwell.commands.flow_production", "step_functions"),
    "batch": ("stepwell.commands.flow_batch", "batch"),
    "package": ("stepwell.commands.flow_package", "package"),
    "init": ("stepwell.commands.flow_external", "init_command"),
    "step": ("stepwell.commands.flow_external", "step_command"),
    "version": ("stepwell.commands.version", "version"),
}

# Those with allow_from_autoenv=False are settings, which read their environment variables themselves.
TOP_OPTIONS = (
    click.option(
        "--datastore",
        allow_from_autoenv=False,
        type=click.Choice(["local", "s3"]),
        help="Where artifacts are kept.",
    ),
    click.option(
        "--datastore-root",
        allow_from_autoenv=False,
        metavar="ROOT",
        help="A directory, or s3://bucket/prefix.",
    ),
    click.option(
        "--metadata",
        allow_from_autoenv=False,
        type=click.Choice(["local", "service"]),
        help="Where executions are recorded.",
    ),
    click.option(
        "--with",
        "decorators",
        multiple=True,
        metavar="DECORATOR",
        help="Add a step decorator to every step that lacks it, as in --with batch:cpu=2.",
    ),
    click.option(
        "--package-suffixes",
        allow_from_autoenv=False,
        metavar="SUFFIXES",
        help="What goes along to jobs beside Python files, as in .csv,.yml",
    ),
    click.option("--quiet/--not-quiet", default=False, help="Print only what the steps print."),
)


def _only_local(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value not in (None, "local"):
        instead = "give the steps an image with what they need, or run in an environment that has it"
        raise click.BadParameter(f"stepwell has no '{value}': {instead}")


# What Metaflow's command line has, and scripts say, of things that are not here to be switched.
_WITHOUT_EFFECT = (
    click.option("--pylint/--no-pylint", allow_from_autoenv=False, expose_value=False, hidden=True),
    click.option("--event-logger", allow_from_autoenv=False, expose_value=False, hidden=True),
    click.option("--monitor", allow_from_autoenv=False, expose_value=False, hidden=True),
    click.option("--environment", allow_from_autoenv=False, expose_value=False, hidden=True, callback=_only_local),
)
ALIASES = {"help": ("--help",), "output-dot": ("graph", "--format", "dot"), "output-raw": ("graph", "--format", "json")}
"""Metaflow's names of commands, and what they are here."""


def top_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that stand before a flow's command, and that `stepwell run` and the others take too."""
    for option in reversed((*TOP_OPTIONS, *_WITHOUT_EFFECT)):
        command = option(command)
    return command


def _project_options(cls: type[FlowSpec]) -> list[click.Option]:
    """The options that `@project` adds to those before the command; none for a flow that cannot have it."""
    if "project" not in attached_to_flow(cls) and not attached_mutators(cls):
        return []
    branch, production = ["STEPWELL_BRANCH", "METAFLOW_BRANCH"], ["STEPWELL_PRODUCTION", "METAFLOW_PRODUCTION"]
    return [
        click.Option(["--branch"], envvar=branch, help="Run on this branch of the project instead of your own."),
        click.Option(["--production/--no-production"], envvar=production, help="Run on the production branch."),
    ]


def _trigger_options(cls: type[FlowSpec]) -> list[click.Option]:
    """The option that `@trigger_on_finish` adds, with which it is tried without deploying."""
    if "trigger_on_finish" not in attached_to_flow(cls):
        return []
    told = "Run as if the end of this run had started the flow: current.trigger tells of it."
    return [click.Option(["--trigger"], metavar="FLOW/RUN", allow_from_autoenv=False, help=told)]


def _config_options(cls: type[FlowSpec]) -> list[click.Option]:
    """The options that give a flow's configs; none for a flow without any."""
    declared = configs(cls)
    if not declared:
        return []
    names = click.Choice(list(declared))
    told = "".join(f" {name}: {one.help}" for name, one in declared.items() if one.help)
    file = click.Option(
        ["--config", "config_files"],
        type=(names, str),
        multiple=True,
        metavar="NAME FILE",
        help=f"Read a config of the flow from a file.{told}",
    )
    text = click.Option(
        ["--config-value", "config_texts"],
        type=(names, str),
        multiple=True,
        metavar="NAME JSON",
        help="Give a config of the flow as text.",
    )
    return [file, text]


def command_group(cls: type[FlowSpec], file: Path) -> click.Group:
    """The commands and options of one flow."""

    @click.group(
        cls=LazyGroup,
        homes=COMMANDS,
        aliases=ALIASES,
        invoke_without_command=True,
        help=(cls.__doc__ or f"The flow {cls.__name__}.").strip(),
        epilog=examples(
            f"{_program(file)} check",
            f"{_program(file)} run",
            f"{_program(file)} run --help           what run takes: parameters, tags",
            f"{_program(file)} --with retry run     the options above stand first",
        ),
        context_settings={"auto_envvar_prefix": "STEPWELL", "help_option_names": ["-h", "--help"]},
    )
    @top_options
    @click.pass_context
    def group(context: click.Context, /, **options: Any) -> None:
        settings = load_settings().override(
            STEPWELL_DATASTORE=options["datastore"],
            STEPWELL_DATASTORE_ROOT=options["datastore_root"],
            STEPWELL_METADATA=options["metadata"],
            STEPWELL_PACKAGE_SUFFIXES=options["package_suffixes"],
        )
        os.environ.update(settings.overrides)  # the Client API in a step, wherever it runs, looks where the run is
        added = (*options["decorators"], *default_decorators(settings))
        about_flow = FlowOptions(added, options.get("branch"), options.get("production", False))
        files, texts = dict(options.get("config_files", ())), dict(options.get("config_texts", ()))
        context.obj = FlowContext(
            cls, file, settings, about_flow, options["quiet"], files, texts, options.get("trigger")
        )
        if context.invoked_subcommand is None:
            from stepwell.commands.flow_checking import check

            context.invoke(check)
            print(f"Run it: {context.command_path} run; all it can do: {context.command_path} --help", file=sys.stderr)

    group.params.extend([*_project_options(cls), *_trigger_options(cls), *_config_options(cls)])
    return group
