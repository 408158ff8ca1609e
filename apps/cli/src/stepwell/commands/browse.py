"""`stepwell ls` and `show`: what runs left, for people, and as JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from stepwell.commands.scoping import everywhere, look_everywhere
from stepwell.errors import InvalidPathspec

if TYPE_CHECKING:
    from stepwell.client.objects import Run, Task

STATES = ("running", "completed", "failed", "lost", "removed")
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")


@click.command("ls", help="List flows; the runs of FLOW, newest first; or what FLOW/RUN, FLOW/RUN/STEP holds.")
@click.argument("pathspec", default="")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Runs to list.")
@click.option("--tag", "tags", multiple=True, help="Only runs with this tag; may be repeated.")
@click.option("--status", type=click.Choice(STATES), help="Only runs in this state.")
@everywhere
@as_json
def ls(pathspec: str, limit: int, tags: tuple[str, ...], status: str | None, everywhere: bool, as_json: bool) -> None:
    """List one level of what there is."""
    if (tags or status) and (not pathspec or "/" in pathspec):
        raise click.UsageError("--tag and --status choose among the runs of a flow: name FLOW")
    if everywhere:
        look_everywhere()
    for row in _rows(pathspec, limit, tags, status):
        print(json.dumps(row) if as_json else "  ".join(str(value) for value in row.values()))


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
        "status": _status(run),
        "created": run.created_at.isoformat(" ", "seconds"),
        "tags": " ".join(sorted(run.user_tags)),
    }


def _task_row(task: Task) -> dict[str, Any]:
    return {"task": task.pathspec, "status": _status(task)}


def _status(of: Run | Task) -> str:
    from stepwell.client.objects import Run

    if isinstance(of, Run) and (of.removed or of.lost):
        return "removed" if of.removed else "lost"
    if of.successful:
        return "completed"
    return "failed" if of.finished else "running"


@click.command("show", help="Show FLOW/RUN, FLOW/RUN/STEP or FLOW/RUN/STEP/TASK.")
@click.argument("pathspec")
@everywhere
@as_json
def show(pathspec: str, everywhere: bool, as_json: bool) -> None:
    """Show one object."""
    if everywhere:
        look_everywhere()
    facts = _facts(pathspec)
    if as_json:
        print(json.dumps(facts))
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:{width}}  {' '.join(value) if isinstance(value, list) else value}")


def _facts(pathspec: str) -> dict[str, Any]:
    from stepwell.client.objects import Run, Step, Task

    depth = len(pathspec.split("/"))
    if depth == 4:
        return _task_facts(Task(pathspec))
    if depth == 3:
        return {"step": pathspec, "tasks": [task.id for task in Step(pathspec)]}
    run = Run(pathspec)
    finished = run.finished_at
    return {
        "run": run.pathspec,
        "status": _status(run),
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
        "status": _status(task),
        "attempt": task.current_attempt,
        "artifacts": [artifact.id for artifact in task.artifacts],
        **({"failure": failure.message} if failure else {}),
    }
