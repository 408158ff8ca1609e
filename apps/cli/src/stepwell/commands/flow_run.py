"""`python flow.py run` and `resume`: the flow on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from stepwell.commands.examples import examples
from stepwell.commands.parameterized import WithParameters, split_values
from stepwell.commands.tagging import checked_tags
from stepwell.commands.written_files import can_be_written
from stepwell.terminal import say

if TYPE_CHECKING:
    from stepwell.commands.flow_context import FlowContext
    from stepwell.scheduling.local_run import RunOptions


def run_command() -> click.Command:
    """`run`, with an option for each parameter of the flow."""

    @click.pass_obj
    def run(context: FlowContext, /, **given: Any) -> None:
        from stepwell.scheduling.local_run import run_flow

        values, own = split_values(context, given)
        context = _with_options(context, own)
        values = context.parameter_values(values)
        _announce(context)
        run_flow(context.flow, values, context.settings, _run_options(context, own))

    return WithParameters(
        "run",
        callback=run,
        params=[*_options(), _namespace()],
        help="Run the flow on this machine.",
        epilog=examples(
            "python flow.py run --tag nightly --max-workers 4",
            "python flow.py run --with retry:times=2",
            "python flow.py --datastore s3 run           where artifacts go stands first",
        ),
    )


def resume_command() -> click.Command:
    """`resume`: its parameters are those of the run that it resumes."""

    @click.pass_obj
    def resume(context: FlowContext, /, step: str | None, **given: Any) -> None:
        from stepwell.api.configs import configs
        from stepwell.errors import FlowError
        from stepwell.scheduling.local_run import ResumeRequest, resume_flow
        from stepwell.scheduling.resuming import read_origin

        context = _with_options(context, given)
        run_id, reentrant = given.pop("run_id"), given.pop("reentrant")
        if reentrant and run_id is None:
            raise FlowError("--reentrant goes with --run-id, by which the others find the run")
        origin_run_id, datastore = given.pop("origin_run_id"), given.pop("origin_datastore")
        if datastore is not None and origin_run_id is None:
            raise FlowError("--origin-datastore goes with --origin-run-id: which run of those that are there?")
        if configs(context.cls):
            origin = read_origin(context.cls.__name__, origin_run_id, context.settings, datastore)
            context, origin_run_id = context.going_on_with(origin), origin.run_id
        request = ResumeRequest(origin_run_id, step, run_id, given.pop("jobs") == "stop", datastore)
        _announce(context)
        resume_flow(context.flow, request, context.settings, _run_options(context, given))

    own = [
        click.Argument(["step"], required=False),
        click.Option(["--origin-run-id"], help="Resume this run, whoever ran it.  [default: your latest]"),
        click.Option(
            ["--origin-datastore"],
            metavar="ROOT",
            help="The datastore that has that run, if not the one in force: a directory, or s3://bucket/prefix.",
        ),
        click.Option(["--run-id"], callback=_not_numeric, help="Call the new run so; a name, as numbers are given."),
        click.Option(["--reentrant"], is_flag=True, help="Several processes may resume into --run-id at once."),
        click.Option(
            ["--jobs"],
            type=click.Choice(["adopt", "stop"]),
            default="adopt",
            show_default=True,
            help="What becomes of jobs on AWS Batch that still work for a run whose scheduler was killed.",
        ),
    ]
    return click.Command(
        "resume",
        callback=resume,
        params=[*own, *_options()],
        help="Run the flow again from where an earlier run failed, or from STEP; what was done before is taken over.",
        epilog=examples(
            "python flow.py resume           your latest run, where it failed",
            "python flow.py resume train     the same, with train and what follows again",
            "python flow.py resume --origin-run-id 3",
            "python flow.py resume --origin-run-id 7 --origin-datastore s3://team/data",
        ),
    )


def _not_numeric(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and value.isnumeric():
        raise click.BadParameter("must not be a number: those are the metadata store's to give")
    return value


def _options() -> list[click.Parameter]:
    """What `run` and `resume` have in common."""
    return [
        click.Option(["--tag", "tags"], multiple=True, callback=checked_tags, help="Tag the run; may be repeated."),
        click.Option(
            ["--max-workers"],
            type=click.IntRange(min=1),
            help="Tasks at once.  [default: 16 on this machine, a whole foreach on AWS Batch]",
        ),
        click.Option(
            ["--max-num-splits"],
            type=click.IntRange(min=1),
            default=100,
            show_default=True,
            help="Children of one foreach.",
        ),
        click.Option(
            ["--max-log-size"],
            type=click.IntRange(min=1),
            default=10,
            show_default=True,
            help="MiB that are kept of what one attempt at a task prints: its beginning and its end.",
        ),
        click.Option(
            ["--with", "decospecs"],
            multiple=True,
            metavar="DECORATOR",
            help="Add a step decorator to every step that lacks it, as in --with retry:times=2; may be repeated.",
        ),
        click.Option(
            ["--run-id-file"],
            type=click.Path(dir_okay=False, path_type=Path),
            callback=can_be_written,
            help="Write the run's id into this file.",
        ),
        click.Option(
            ["--runner-attribute-file"],
            type=click.Path(dir_okay=False, path_type=Path),
            callback=can_be_written,
            help="Write the flow's name and the run's id into this file, as JSON: for programs that start runs.",
        ),
        click.Option(["--fresh"], is_flag=True, help="Give every task an interpreter of its own instead of a fork."),
    ]


def _namespace() -> click.Option:
    return click.Option(
        ["--namespace"], help="What the Client API shows in the steps; '' is everything.  [default: your own runs]"
    )


def _with_options(context: FlowContext, given: dict[str, Any]) -> FlowContext:
    """The flow as the options behind the command have it, too."""
    added = (*context.options.added, *given.pop("decospecs"))
    return context.with_options(attrs.evolve(context.options, added=added, namespace=given.pop("namespace", None)))


def _announce(context: FlowContext) -> None:
    from stepwell.config import user_name

    if not context.quiet:
        who = user_name(context.settings)
        say(f"Stepwell executing {context.flow.name} for user:{who}", sys.stderr)


def _run_options(context: FlowContext, given: dict[str, Any]) -> RunOptions:
    from stepwell.execution.claims import triggered_by
    from stepwell.execution.stores import open_stores
    from stepwell.scheduling.local_run import RunOptions
    from stepwell.scheduling.schedule import Limits

    by = context.trigger
    return RunOptions(
        limits=Limits(given["max_workers"], given["max_num_splits"], given["max_log_size"]),
        tags=tuple(given["tags"]),
        fresh=given["fresh"],
        quiet=context.quiet,
        trigger=triggered_by(by, open_stores(context.settings).records) if by else None,
        run_id_file=given["run_id_file"],
        runner_attribute_file=given["runner_attribute_file"],
    )
