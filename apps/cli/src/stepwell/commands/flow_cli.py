"""`python flow.py [OPTIONS] COMMAND`: the command line of one flow."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from stepwell.commands.groups import StrictGroup
from stepwell.config import Settings, load_settings
from stepwell.terminal import guarded

if TYPE_CHECKING:
    from stepwell.api.definition import FlowDefinition
    from stepwell.api.flowspec import FlowSpec


@attrs.frozen
class FlowContext:
    """What every command of a flow needs."""

    flow: FlowDefinition
    settings: Settings
    quiet: bool = False


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


def open_flow(cls: type[FlowSpec], file: Path, options: dict[str, Any]) -> FlowContext:
    """Read and check a flow under the options that stand before its command."""
    from stepwell.api.decorators.base import parse_with
    from stepwell.api.decorators.kinds import KINDS
    from stepwell.api.definition import read_flow

    settings = load_settings().override(
        STEPWELL_DATASTORE=options["datastore"],
        STEPWELL_DATASTORE_ROOT=options["datastore_root"],
        STEPWELL_METADATA=options["metadata"],
    )
    flow = read_flow(cls, file)
    for text in options["decorators"]:
        flow = flow.attach_to_all(parse_with(text, KINDS))
    return FlowContext(flow, settings, options["quiet"])


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
        context.obj = open_flow(cls, file, options)
        if context.invoked_subcommand is None:
            context.invoke(commands["check"])

    commands = flow_commands(cls)
    for command in commands.values():
        group.add_command(command)
    return group


def flow_commands(cls: type[FlowSpec]) -> dict[str, click.Command]:
    """The commands of a flow by name."""
    from stepwell.commands.flow_production import step_functions

    return {
        "run": run_command(cls),
        "check": _check,
        "show": _show,
        "version": _version,
        "step-functions": step_functions(cls),
    }


def run_command(cls: type[FlowSpec]) -> click.Command:
    """`run`, with an option for each parameter of the flow."""
    from stepwell.api.parameters import parameters

    declared = parameters(cls)

    @click.pass_obj
    def run(context: FlowContext, /, **options: Any) -> None:
        values = {name: parameter.value(options.pop(name)) for name, parameter in declared.items()}
        run_with(context, values, options)

    run_options = [
        click.Option(["--tag", "tags"], multiple=True, help="Tag the run; may be repeated."),
        click.Option(
            ["--max-workers"], type=click.IntRange(min=1), default=16, show_default=True, help="Tasks at once."
        ),
        click.Option(
            ["--max-num-splits"],
            type=click.IntRange(min=1),
            default=100,
            show_default=True,
            help="Children of one foreach.",
        ),
        click.Option(
            ["--run-id-file"],
            type=click.Path(dir_okay=False, path_type=Path),
            help="Write the run's id into this file.",
        ),
        click.Option(["--fresh"], is_flag=True, help="Give every task an interpreter of its own instead of a fork."),
    ]
    parameter_options = [parameter.option() for parameter in declared.values()]
    return click.Command(
        "run", callback=run, params=[*parameter_options, *run_options], help="Run the flow on this machine."
    )


def run_with(context: FlowContext, values: dict[str, Any], options: dict[str, Any]) -> None:
    """Run a flow with parameter values and the options of `run`."""
    from stepwell.config import user_name
    from stepwell.scheduling.local_run import RunOptions, run_flow
    from stepwell.scheduling.schedule import Limits

    if not context.quiet:
        who = user_name(context.settings)
        print(f"Stepwell executing {context.flow.name} for user:{who}", file=sys.stderr)
    run_flow(
        context.flow,
        values,
        context.settings,
        RunOptions(
            limits=Limits(options["max_workers"], options["max_num_splits"]),
            tags=tuple(options["tags"]),
            fresh=options["fresh"],
            quiet=context.quiet,
            run_id_file=options["run_id_file"],
        ),
    )


@click.command("check", help="Check the flow without running it.")
@click.pass_obj
def _check(context: FlowContext) -> None:
    print(f"{context.flow.name} is a valid flow of {len(list(context.flow.graph))} steps.")


@click.command("show", help="Show the flow's steps and what they do.")
@click.pass_obj
def _show(context: FlowContext) -> None:
    doc = (context.flow.cls.__doc__ or "").strip()
    print(context.flow.name + (f": {doc}" if doc else ""))
    for node in context.flow.graph:
        arrow = f" => {', '.join(node.next)}" if node.next else ""
        print(f"\nStep {node.name}{arrow}\n    {node.doc or '(not documented)'}")


@click.command("version", help="Print the version of stepwell.")
def _version() -> None:
    import stepwell

    print(stepwell.__version__)
