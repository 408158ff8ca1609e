"""`python flow.py [OPTIONS] COMMAND`: the command line of one flow."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stepwell.api.decorators.flows import attached_to_flow
from stepwell.api.options import FlowOptions
from stepwell.commands.dump import flow_dump
from stepwell.commands.flow_checking import check, draw, show
from stepwell.commands.flow_context import FlowContext
from stepwell.commands.flow_external import init_command, step_command
from stepwell.commands.flow_production import step_functions
from stepwell.commands.flow_run import resume_command, run_command
from stepwell.commands.flow_tag import tag
from stepwell.commands.groups import StrictGroup
from stepwell.commands.logs import flow_logs
from stepwell.config import default_decorators, load_settings
from stepwell.terminal import guarded

if TYPE_CHECKING:
    from stepwell.api.flowspec import FlowSpec


def main(cls: type[FlowSpec], file: Path, arguments: Sequence[str] | None = None) -> None:
    """Run the command line of a flow; ends the process."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    guarded(lambda: _group(cls, file).main(args=given, prog_name=_program(file), standalone_mode=False))
    raise SystemExit(0)


def _program(file: Path) -> str:
    return f"python {file.name}"


# The first three are settings, which read their environment variables themselves.
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
    click.option("--quiet/--not-quiet", default=False, help="Print only what the steps print."),
)


def top_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that stand before a flow's command, and that `stepwell run` and the others take too."""
    for option in reversed(TOP_OPTIONS):
        command = option(command)
    return command


def _project_options(cls: type[FlowSpec]) -> list[click.Option]:
    """The options that `@project` adds to those before the command; none for a flow without it."""
    if "project" not in attached_to_flow(cls):
        return []
    branch, production = ["STEPWELL_BRANCH", "METAFLOW_BRANCH"], ["STEPWELL_PRODUCTION", "METAFLOW_PRODUCTION"]
    return [
        click.Option(["--branch"], envvar=branch, help="Run on this branch of the project instead of your own."),
        click.Option(["--production/--no-production"], envvar=production, help="Run on the production branch."),
    ]


def _group(cls: type[FlowSpec], file: Path) -> click.Group:
    @click.group(
        cls=StrictGroup,
        invoke_without_command=True,
        help=(cls.__doc__ or f"The flow {cls.__name__}.").strip(),
        context_settings={"auto_envvar_prefix": "STEPWELL"},
    )
    @top_options
    @click.pass_context
    def group(context: click.Context, /, **options: Any) -> None:
        settings = load_settings().override(
            STEPWELL_DATASTORE=options["datastore"],
            STEPWELL_DATASTORE_ROOT=options["datastore_root"],
            STEPWELL_METADATA=options["metadata"],
        )
        os.environ.update(settings.overrides)  # the Client API in a step, wherever it runs, looks where the run is
        added = (*options["decorators"], *default_decorators(settings))
        about_flow = FlowOptions(added, options.get("branch"), options.get("production", False))
        context.obj = FlowContext(cls, file, settings, about_flow, options["quiet"])
        if context.invoked_subcommand is None:
            context.invoke(check)

    group.params.extend(_project_options(cls))
    own = (run_command(cls), resume_command(), init_command(cls), step_functions(cls))
    for command in (*own, check, show, draw, flow_dump, flow_logs, tag, step_command, _version):
        group.add_command(command)
    return group


@click.command("version", help="Print the version of stepwell.")
def _version() -> None:
    import stepwell

    print(stepwell.__version__)
