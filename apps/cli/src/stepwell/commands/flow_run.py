"""`python flow.py run` and `resume`: the flow on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from stepwell.api.flowspec import FlowSpec
    from stepwell.commands.flow_context import FlowContext
    from stepwell.scheduling.local_run import RunOptions


def run_command(cls: type[FlowSpec]) -> click.Command:
    """`run`, with an option for each parameter of the flow."""
    from stepwell.api.parameters import parameters

    declared = parameters(cls)

    @click.pass_obj
    def run(context: FlowContext, /, **given: Any) -> None:
        from stepwell.scheduling.local_run import run_flow

        values = context.parameter_values(declared, given)
        _announce(context)
        run_flow(context.flow, values, context.settings, _run_options(context, given))

    parameter_options = [parameter.option() for parameter in declared.values()]
    return click.Command(
        "run", callback=run, params=[*parameter_options, *_options()], help="Run the flow on this machine."
    )


def resume_command() -> click.Command:
    """`resume`: its parameters are those of the run that it resumes."""

    @click.pass_obj
    def resume(context: FlowContext, /, step: str | None, **given: Any) -> None:
        from stepwell.errors import FlowError
        from stepwell.scheduling.local_run import ResumeRequest, resume_flow

        run_id, reentrant = given.pop("run_id"), given.pop("reentrant")
        if reentrant and run_id is None:
            raise FlowError("--reentrant goes with --run-id, by which the others find the run")
        request = ResumeRequest(given.pop("origin_run_id"), step, run_id)
        _announce(context)
        resume_flow(context.flow, request, context.settings, _run_options(context, given))

    own = [
        click.Argument(["step"], required=False),
        click.Option(["--origin-run-id"], help="Resume this run, whoever ran it.  [default: your latest]"),
        click.Option(["--run-id"], callback=_not_numeric, help="Call the new run so; a name, as numbers are given."),
        click.Option(["--reentrant"], is_flag=True, help="Several processes may resume into --run-id at once."),
    ]
    return click.Command(
        "resume",
        callback=resume,
        params=[*own, *_options()],
        help="Run the flow again from where an earlier run failed, or from STEP; what was done before is taken over.",
    )


def _not_numeric(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and value.isnumeric():
        raise click.BadParameter("must not be a number: those are the metadata store's to give")
    return value


def _options() -> list[click.Parameter]:
    """What `run` and `resume` have in common."""
    return [
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
        click.Option(
            ["--runner-attribute-file"],
            type=click.Path(dir_okay=False, path_type=Path),
            help="Write the flow's name and the run's id into this file, as JSON: for programs that start runs.",
        ),
        click.Option(["--fresh"], is_flag=True, help="Give every task an interpreter of its own instead of a fork."),
    ]


def _announce(context: FlowContext) -> None:
    from stepwell.config import user_name

    if not context.quiet:
        who = user_name(context.settings)
        print(f"Stepwell executing {context.flow.name} for user:{who}", file=sys.stderr)


def _run_options(context: FlowContext, given: dict[str, Any]) -> RunOptions:
    from stepwell.scheduling.local_run import RunOptions
    from stepwell.scheduling.schedule import Limits

    return RunOptions(
        limits=Limits(given["max_workers"], given["max_num_splits"]),
        tags=tuple(given["tags"]),
        fresh=given["fresh"],
        quiet=context.quiet,
        run_id_file=given["run_id_file"],
        runner_attribute_file=given["runner_attribute_file"],
    )
