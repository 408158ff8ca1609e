"""`python flow.py batch list` and `kill`: the flow's jobs on AWS Batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from stepwell.commands.examples import examples
from stepwell.commands.groups import StrictGroup

if TYPE_CHECKING:
    from stepwell.commands.flow_context import FlowContext
    from stepwell.deploying.finding import FlowJob


@click.group("batch", cls=StrictGroup, help="The flow's jobs on AWS Batch.")
def batch() -> None:
    """Only groups the commands."""


def _which(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which jobs."""
    for option in (
        click.option("--my-runs", is_flag=True, help="Of your runs."),
        click.option("--user", help="Of this user's runs."),
        click.option("--run-id", help="Of this run."),
    ):
        command = option(command)
    return command


@batch.command(
    "list",
    help="List the jobs that have not ended.  [default: of all runs of the flow]",
    epilog=examples("python flow.py batch list", "python flow.py batch list --my-runs"),
)
@_which
@click.pass_obj
def list_(context: FlowContext, run_id: str | None, user: str | None, my_runs: bool) -> None:
    """Print a line for each job."""
    for one in _found(context, run_id, user, my_runs):
        print(f"{one.job.id}  {context.flow.name}/{one.run_id}/{one.step}  {one.user}  {one.state}")


@batch.command(
    "kill",
    help="End the jobs that have not ended, of a run, or of a user.",
    epilog=examples("python flow.py batch kill --run-id 3"),
)
@_which
@click.pass_obj
def kill(context: FlowContext, run_id: str | None, user: str | None, my_runs: bool) -> None:
    """End jobs."""
    from stepwell.config import user_name
    from stepwell.deploying.finding import end_jobs

    if run_id is None and user is None and not my_runs:
        raise click.UsageError("Say whose jobs to end: --run-id, --user or --my-runs")
    jobs = _found(context, run_id, user, my_runs)
    end_jobs(context.settings, jobs, f"ended by {user_name(context.settings)}")
    print(f"Ended {len(jobs)} jobs.")


def _found(context: FlowContext, run_id: str | None, user: str | None, my_runs: bool) -> list[FlowJob]:
    from stepwell.config import user_name
    from stepwell.deploying.finding import unfinished_jobs

    whose = user_name(context.settings) if my_runs else user
    return unfinished_jobs(context.flow, context.settings, run_id, whose)
