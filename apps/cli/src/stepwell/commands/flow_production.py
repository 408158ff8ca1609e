"""`python flow.py step-functions ...`: the flow on the production scheduler."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stepwell.commands.examples import examples
from stepwell.commands.groups import StrictGroup
from stepwell.commands.logs import flow_logs
from stepwell.commands.parameterized import WithParameters
from stepwell.commands.tagging import checked_tags
from stepwell.commands.written_files import can_be_written
from stepwell.suggesting import python_command
from stepwell.whole_files import write_whole

if TYPE_CHECKING:
    from stepwell.commands.flow_context import FlowContext
    from stepwell.deploying.production import Deployed
    from stepwell.deploying.production_operating import ProductionRun

STATUSES = ("running", "succeeded", "failed", "timed-out", "aborted")
authorize = click.option(
    "--authorize", metavar="TOKEN", help="The production token of a flow that somebody else deployed."
)
run_argument = click.argument("run_id", metavar="RUN")


def step_functions() -> click.Group:
    """The commands that deploy a flow to AWS Step Functions and operate it there."""

    @click.group("step-functions", cls=StrictGroup, help="Run the flow in production, on AWS Step Functions.")
    def group() -> None:
        """Only groups the commands."""

    for command in (_create, _trigger(), _list_runs, _describe, flow_logs, _redrive, _terminate, _diff, _delete):
        group.add_command(command)
    return group


def _without_effect(command: Callable[..., Any]) -> Callable[..., Any]:
    """What scripts say to Metaflow, and what is decided here by the compiler and by the settings."""
    for name in ("use-distributed-map", "log-execution-history", "compress-state-machine"):
        command = click.option(f"--{name}/--no-{name}", expose_value=False, hidden=True)(command)
    return command


@click.command(
    "create",
    help="Deploy this version of the flow; the same content changes nothing.",
    epilog=examples(
        "python flow.py step-functions create --explain",
        "python flow.py --branch new_model step-functions create",
        "python flow.py step-functions create --only-json",
    ),
)
@click.option("--only-json", is_flag=True, help="Print the state machine instead of deploying it.")
@click.option("--explain", is_flag=True, help="Say how each foreach is spread, why, and what executions cost.")
@click.option(
    "--alarms",
    type=click.Path(dir_okay=False, path_type=Path),
    callback=can_be_written,
    help="Write a CloudFormation template of alarms.",
)
@click.option("--max-workers", type=click.IntRange(min=1), help="Tasks of one foreach at once.  [default: no limit]")
@click.option("--workflow-timeout", type=click.IntRange(min=1), metavar="SECONDS", help="How long a run may take.")
@click.option("--tag", "tags", multiple=True, callback=checked_tags, help="Tag the runs; may be repeated.")
@_without_effect
@authorize
@click.option("--generate-new-token", is_flag=True, help="Begin a new namespace, with a new production token.")
@click.option("--new-token", metavar="TOKEN", help="The same, with this token.")
@click.pass_obj
def _create(context: FlowContext, /, only_json: bool, explain: bool, alarms: Path | None, **given: Any) -> None:
    from stepwell.deploying.production import deploy, preview

    wish = _wish(given)
    if only_json:
        print(preview(context.flow, context.settings, wish).to_json())
        return
    deployed = deploy(context.flow, context.settings, wish)
    _say_deployed(context, deployed)
    if explain:
        from stepwell.deploying.production_explaining import explain as explained

        print(*explained(deployed.machine), sep="\n")
    if alarms:
        from stepwell.deploying.production_alarms import alarms_template

        topic = context.settings.get("STEPWELL_NOTIFY_TOPIC")
        alarms.write_text(json.dumps(alarms_template(deployed.deployment.arn, deployed.name, topic), indent=2))


def _wish(given: dict[str, Any]) -> Any:
    from stepwell.deploying.production import Wish
    from stepwell.deploying.production_machine import Limits
    from stepwell.deploying.production_tokens import TokenRequest

    return Wish(
        Limits(given["max_workers"], given["workflow_timeout"]),
        tuple(given["tags"]),
        TokenRequest(given["authorize"], given["new_token"], given["generate_new_token"]),
    )


def _say_deployed(context: FlowContext, deployed: Deployed) -> None:
    from stepwell.api.decorators.cron_words import in_words

    done = {"created": "Deployed", "updated": "Deployed a new version of"}.get(deployed.applied, "Nothing changed:")
    print(f"{done} {context.flow.name} as the state machine {deployed.name}.")
    if cron := deployed.starters.cron:
        print(f"It starts by itself {in_words(cron.expression)}, {cron.timezone}.")
    print(f"Its runs are in the namespace production:{deployed.token}")
    print(f"Start it with: {python_command(context.flow.file.name)} step-functions trigger")


def _trigger() -> click.Command:
    @click.pass_obj
    def trigger(context: FlowContext, /, run_id_file: Path | None, **given: Any) -> None:
        from stepwell.deploying.production import start

        said = {name: value for name, value in given.items() if value not in (None, ())}
        values = context.parameter_values(given)
        run_id = start(context.flow, context.settings, {name: values[name] for name in said})
        if run_id_file:
            write_whole(run_id_file, run_id)
        print(f"Started run {context.flow.name}/{run_id}")

    file = click.Option(
        ["--run-id-file"],
        type=click.Path(dir_okay=False, path_type=Path),
        callback=can_be_written,
        help="Write the run's id into this file.",
    )
    return WithParameters(
        "trigger",
        callback=trigger,
        params=[file],
        help="Start a run of the deployed flow.",
        epilog=examples("python flow.py step-functions trigger"),
    )


def _flags_of_statuses(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--failed` for `--status failed`, as in Metaflow."""
    for status in STATUSES:
        command = click.option(f"--{status}", "status", flag_value=status, hidden=True)(command)
    return command


@click.command(
    "list-runs",
    help="List the runs of the deployed flow, the latest first.",
    epilog=examples("python flow.py step-functions list-runs --status failed"),
)
@click.option("--status", type=click.Choice(STATUSES), help="Only those that are so.")
@_flags_of_statuses
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def _list_runs(context: FlowContext, /, status: str | None, as_json: bool) -> None:
    from stepwell.deploying.production_operating import list_runs

    found = list(list_runs(context.flow, context.settings, status))
    for run in found:
        print(
            json.dumps(_data(context, run))
            if as_json
            else f"{run.run_id}  {run.status:9}  {_time(run.started)}  {_time(run.ended)}"
        )
    if not found and not as_json:
        print(f"There are no {status or ''} runs.".replace("  ", " "), file=sys.stderr)


@click.command(
    "describe",
    help="Describe the deployment, or RUN: how it stands, and why it failed.",
    epilog=examples("python flow.py step-functions describe", "python flow.py step-functions describe sfn-6fb2b108"),
)
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def _describe(context: FlowContext, /, run_id: str | None, as_json: bool) -> None:
    from stepwell.deploying.production import describe_deployment
    from stepwell.deploying.production_operating import describe_run

    if run_id is None:
        facts = describe_deployment(context.flow, context.settings)
    else:
        facts = _data(context, describe_run(context.flow, context.settings, run_id))
    if as_json:
        print(json.dumps(facts))
        return
    for name, value in facts.items():
        if value is not None:
            print(f"{name.replace('_', ' '):16} {value}")
    if run_id and facts["failed_task"]:
        print(f"\n{python_command(context.file.name)} logs {run_id}/{facts['failed_task']}")
    if run_id and facts["status"] in ("failed", "timed-out", "aborted"):
        print(f"{python_command(context.file.name)} resume --origin-run-id {run_id}")
        print(f"{python_command(context.file.name)} step-functions redrive {run_id}")


@click.command(
    "redrive",
    help="Continue a failed RUN in place; what was done is not done again.",
    epilog=examples("python flow.py step-functions redrive sfn-6fb2b108"),
)
@run_argument
@authorize
@click.pass_obj
def _redrive(context: FlowContext, /, run_id: str, authorize: str | None) -> None:
    from stepwell.deploying.production_operating import redrive_run

    run = redrive_run(context.flow, context.settings, run_id, authorize)
    print(f"Continued run {context.flow.name}/{run.run_id}")


@click.command(
    "terminate",
    help="End a RUN, with its jobs.",
    epilog=examples("python flow.py step-functions terminate sfn-6fb2b108"),
)
@run_argument
@authorize
@click.pass_obj
def _terminate(context: FlowContext, /, run_id: str, authorize: str | None) -> None:
    from stepwell.deploying.production_operating import terminate_run

    run = terminate_run(context.flow, context.settings, run_id, authorize)
    print(f"Run {context.flow.name}/{run.run_id} is {run.status}")


@click.command(
    "diff",
    help="Show what create would change of the state machine; exits with 1 where it would.",
    epilog=examples("python flow.py step-functions diff"),
)
@click.option("--max-workers", type=click.IntRange(min=1), help="As given to create.")
@click.option("--workflow-timeout", type=click.IntRange(min=1), metavar="SECONDS", help="As given to create.")
@click.option("--tag", "tags", multiple=True, help="As given to create.")
@click.pass_obj
def _diff(context: FlowContext, /, **given: Any) -> None:
    from stepwell.deploying.production import find_or_none, preview
    from stepwell.deploying.production_explaining import difference

    wish = _wish({**given, "authorize": None, "new_token": None, "generate_new_token": False})
    found = find_or_none(context.flow, context.settings)
    changes = difference(found, preview(context.flow, context.settings, wish))
    if changes:
        print(changes)
        raise SystemExit(1)
    print("Nothing would change.", file=sys.stderr)


@click.command(
    "delete",
    help="Remove the deployed flow, and what starts it; its runs stay.",
    epilog=examples("python flow.py step-functions delete"),
)
@authorize
@click.pass_obj
def _delete(context: FlowContext, /, authorize: str | None) -> None:
    from stepwell.deploying.production import delete

    print(
        f"Deleted the state machine {delete(context.flow, context.settings, authorize)}, and what started it; its runs stay."
    )


def _data(context: FlowContext, run: ProductionRun) -> dict[str, Any]:
    return {
        "pathspec": f"{context.flow.name}/{run.run_id}",
        "run_id": run.run_id,
        "status": run.status,
        "started": _time(run.started),
        "ended": _time(run.ended),
        "failed_task": run.failed_task,
        "reason": run.reason,
        "redrives": run.redrives,
        "execution_arn": run.execution_arn,
        "url": run.url,
    }


def _time(moment: Any) -> str:
    return moment.astimezone().isoformat(" ", "seconds") if moment else "-"
