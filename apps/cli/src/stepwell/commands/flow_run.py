"""`python flow.py run`: the flow on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from stepwell.api.flowspec import FlowSpec
    from stepwell.commands.flow_context import FlowContext


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
