"""`stepwell ls` and `show`: what runs left, for people, and as JSON for scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from stepwell.client.states import STATES, listed_state, state_of
from stepwell.commands.completing import STEP, TASK, paths
from stepwell.commands.examples import examples
from stepwell.commands.scoping import everywhere, look_everywhere
from stepwell.errors import InvalidPathspec

if TYPE_CHECKING:
    from stepwell.client.objects import Run, Task

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")


@click.command(
    "ls",
    help="List flows; the runs of FLOW, newest first; or what FLOW/RUN, FLOW/RUN/STEP holds.",
    epilog=examples(
        "stepwell ls",
        "stepwell ls Squares --status failed --limit 5",
        "stepwell ls Squares/3",
        "stepwell ls Squares --all --json",
    ),
)
@click.argument("pathspec", default="", shell_complete=paths(STEP))
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Runs to list.")
@click.option("--tag", "tags", multiple=True, help="Only runs with this tag; may be repeated.")
@click.option("--status", type=click.Choice(STATES), help="Only runs in this state.")
@everywhere
@as_json
def ls(pathspec: str, limit: int, tags: tuple[str, ...], status: str | None, everywhere: bool, as_json: bool) -> None:
    """List one level of what there is."""
    pathspec = pathspec.rstrip("/")
    if (tags or status) and (not pathspec or "/" in pathspec):
        raise click.UsageError("--tag and --status choose among the runs of a flow: name FLOW")
    if everywhere:
        look_everywhere()
    is_empty = True
    for row in _rows(pathspec, limit, tags, status):
        is_empty = False
        print(json.dumps(row) if as_json else "  ".join(map(_as_text, row.values())).rstrip())
    if is_empty and not as_json:
        _say_where_nothing_is()


def _as_text(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def _say_where_nothing_is() -> None:
    from stepwell.client.missing import untold
    from stepwell.client.scope import get_metadata, get_namespace, metadata_store

    scope = get_namespace()
    whose = f" in the namespace {scope}; --all looks in every one" if scope else ""
    elsewhere = "." + told if not metadata_store().list_flows() and (told := untold()) else whose
    print(f"Nothing to list: {get_metadata()} has none{elsewhere}", file=sys.stderr)


def _rows(pathspec: str, limit: int, tags: tuple[str, ...], status: str | None) -> Iterator[dict[str, Any]]:
    from itertools import islice

    from stepwell.client.objects import Flow, Run, Step, flows

    depth = len(pathspec.split("/")) if pathspec else 0
    if depth == 0:
        yield from ({"flow": flow.id} for flow in flows())
    elif depth == 1:
        rows = (_run_row(run) for run in Flow(pathspec).runs(*tags))
        yield from islice((row for row in rows if status in (None, row["status"])), limit)
    elif depth == 2:
        yield from ({"step": step.pathspec} for step in reversed(list(Run(pathspec))))
    elif depth == 3:
        yield from (_task_row(task) for task in Step(pathspec))
    else:
        raise InvalidPathspec(f"'{pathspec}' names a task: stepwell show {pathspec}")


def _run_row(run: Run) -> dict[str, Any]:
    return {
        "run": run.pathspec,
        "status": listed_state(run),
        "created": run.created_at.isoformat(" ", "seconds"),
        "tags": sorted(run.user_tags),
    }


def _task_row(task: Task) -> dict[str, Any]:
    return {"task": task.pathspec, "status": listed_state(task)}


@click.command(
    "show",
    help="Show FLOW/RUN, FLOW/RUN/STEP or FLOW/RUN/STEP/TASK.",
    epilog=examples("stepwell show Squares/3", "stepwell show Squares/3/square/t2"),
)
@click.argument("pathspec", shell_complete=paths(TASK))
@everywhere
@as_json
def show(pathspec: str, everywhere: bool, as_json: bool) -> None:
    """Show one object."""
    if everywhere:
        look_everywhere()
    facts = _facts(pathspec.rstrip("/"))
    if as_json:
        print(json.dumps(facts))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:{width}}  {_as_text(value)}")


def _facts(pathspec: str) -> dict[str, Any]:
    from stepwell.client.objects import Run, Step, Task

    depth = len(pathspec.split("/"))
    if not 2 <= depth <= 4:
        flow = pathspec.partition("/")[0] or "FLOW"
        raise InvalidPathspec(
            f"'{pathspec}' is no path of a run, a step or a task: show takes FLOW/RUN, FLOW/RUN/STEP or FLOW/RUN/STEP/TASK.\n"
            f"stepwell ls {flow} lists the runs"
        )
    if depth == 4:
        return _task_facts(Task(pathspec))
    if depth == 3:
        return {"step": pathspec, "tasks": [task.id for task in Step(pathspec)]}
    run = Run(pathspec)
    finished = run.finished_at
    return {
        "run": run.pathspec,
        "status": state_of(run),
        "created": run.created_at.isoformat(" ", "seconds"),
        "finished": finished.isoformat(" ", "seconds") if finished else "",
        "steps": [step.id for step in reversed(list(run))],
        "tags": sorted(run.user_tags),
        "system tags": sorted(run.system_tags),
    }


def _task_facts(task: Task) -> dict[str, Any]:
    failure = task.exception
    return {
        "task": task.pathspec,
        "status": state_of(task),
        "attempt": task.current_attempt,
        "artifacts": [artifact.id for artifact in task.artifacts],
        **_versions(task),
        **({"failure": failure.message} if failure else {}),
    }


def _versions(task: Task) -> dict[str, str]:
    """What it ran with, where that is known."""
    ran_with = {**task.environment_info, "image": task.metadata_dict.get("aws-batch-container-image")}
    names = {
        "python_version": "python",
        "stepwell_version": "stepwell",
        "image": "image",
        "dependencies": "dependencies",
    }
    return {shown: value for name, shown in names.items() if (value := ran_with.get(name))}
