"""`python flow.py step-functions ...`: the flow on the production scheduler."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from stepwell.api.flowspec import FlowSpec
    from stepwell.commands.flow_context import FlowContext


def step_functions(cls: type[FlowSpec]) -> click.Group:
    """The commands that deploy a flow to AWS Step Functions and start it there."""

    @click.group("step-functions", help="Run the flow in production, on AWS Step Functions.")
    def group() -> None:
        """Only groups the commands."""

    for command in (_create(), _trigger(cls), _delete()):
        group.add_command(command)
    return group


def _create() -> click.Command:
    @click.pass_obj
    def create(context: FlowContext, only_json: bool) -> None:
        from stepwell.api.decorators.flows import Schedule
        from stepwell.deploying.production import compile_flow, deploy

        if only_json:
            print(compile_flow(context.flow, context.settings).to_json())
            return
        deployed = deploy(context.flow, context.settings)
        if context.flow.flow_decorator(Schedule):
            print(
                "Warning: this version does not deploy @schedule: start the flow yourself, or let EventBridge",
                file=sys.stderr,
            )
        print(f"Deployed {context.flow.name} as the state machine {deployed.name}.")
        print(f"Start it with: python {context.flow.file.name} step-functions trigger")

    only_json = click.Option(["--only-json"], is_flag=True, help="Print the state machine instead of deploying it.")
    return click.Command("create", callback=create, params=[only_json], help="Deploy this version of the flow.")


def _trigger(cls: type[FlowSpec]) -> click.Command:
    from stepwell.api.parameters import parameters

    declared = parameters(cls)

    @click.pass_obj
    def trigger(context: FlowContext, /, run_id_file: Path | None, **given: Any) -> None:
        from stepwell.deploying.production import start

        values = context.parameter_values(declared, given)
        run_id = start(context.flow, context.settings, values)
        if run_id_file:
            run_id_file.write_text(run_id, encoding="utf-8")
        print(f"Started run {context.flow.name}/{run_id}")

    options = [parameter.option() for parameter in declared.values()]
    file = click.Option(
        ["--run-id-file"], type=click.Path(dir_okay=False, path_type=Path), help="Write the run's id into this file."
    )
    return click.Command("trigger", callback=trigger, params=[*options, file], help="Start a run of the deployed flow.")


def _delete() -> click.Command:
    @click.pass_obj
    def delete(context: FlowContext) -> None:
        from stepwell.deploying.production import delete

        print(json.dumps({"deleted": delete(context.flow, context.settings)}))

    return click.Command("delete", callback=delete, help="Remove the deployed flow; its runs stay.")
