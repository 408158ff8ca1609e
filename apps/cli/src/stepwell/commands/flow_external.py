"""`python flow.py init` and `step`: for programs that start the tasks of a run themselves."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stepwell.commands.examples import examples
from stepwell.commands.parameterized import WithParameters
from stepwell.commands.tagging import checked_tags

if TYPE_CHECKING:
    from stepwell.commands.flow_context import FlowContext


def init_command() -> click.Command:
    """`init`, with an option for each parameter of the flow."""

    @click.pass_obj
    def init(context: FlowContext, /, tags: tuple[str, ...], **given: Any) -> None:
        from stepwell.deploying.external import begin

        print(begin(context.flow, context.parameter_values(given), context.settings, tags).run_id)

    tags = click.Option(["--tag", "tags"], multiple=True, callback=checked_tags, help="Tag the run; may be repeated.")
    return WithParameters(
        "init",
        callback=init,
        params=[tags],
        help="Begin a run and print its id; another program starts its tasks, with step.",
        epilog=examples("python flow.py init --tag nightly"),
    )


@click.command(
    "step",
    help="Run one task in this process: of STEP, or of the task spec (JSON) on standard input.",
    epilog=examples(
        "python flow.py step start --run-id 7 --outcome-file next.json",
        "python flow.py step train --run-id 7 --task-id t2 --retry-count 1",
    ),
)
@click.argument("step", required=False)
@click.option("--run-id", help="The run.")
@click.option(
    "--task-id", default="t0", show_default=True, help="The task: t3 is the fourth item's, t0-r2 the third round."
)
@click.option("--retry-count", type=click.IntRange(min=0), default=0, show_default=True, help="Attempts before this.")
@click.option(
    "--outcome-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write where the task goes into this file: targets, cardinality of a foreach, choice of a switch.",
)
@click.pass_obj
def step_command(
    context: FlowContext,
    /,
    step: str | None,
    run_id: str | None,
    task_id: str,
    retry_count: int,
    outcome_file: Path | None,
) -> None:
    """Run a task; exits with 0 if it is done."""
    from stepwell.deploying.external import find_spec, outcome_of, run_one
    from stepwell.execution.spec import TaskSpec

    if step is not None and run_id is None:
        raise click.UsageError("Name the run: --run-id")
    if run_id is not None:
        context = _of_run(context, run_id)
    if step is not None and run_id is not None:
        spec = find_spec(context.flow, context.settings, run_id, step, task_id, retry_count)
    else:
        try:
            spec = TaskSpec.from_json(sys.stdin.read())
        except (ValueError, KeyError, TypeError) as error:
            raise click.UsageError(f"Standard input holds no task spec: {error}; or name STEP and --run-id") from error
        context = _of_run(context, spec.run_id)
    outcome = run_one(context.flow, context.settings, spec)
    if outcome_file is not None and outcome.done:
        outcome_file.write_text(json.dumps(outcome_of(context.settings, spec)), encoding="utf-8")
    if not outcome.done:
        raise SystemExit(outcome.exit_code)


def _of_run(context: FlowContext, run_id: str) -> FlowContext:
    """The flow as it was configured when its run began; raises `NotFound`."""
    from stepwell.api.configs import configs
    from stepwell.scheduling.resuming import read_origin

    if not configs(context.cls):
        return context
    return context.going_on_with(read_origin(context.cls.__name__, run_id, context.settings))
