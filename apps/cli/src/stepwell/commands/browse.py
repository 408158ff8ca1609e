"""`stepwell ls`, `show`, `logs`, `dump`: what runs left, for people, and as JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from stepwell.errors import InvalidPathspec

if TYPE_CHECKING:
    from stepwell.client.objects import Run, Step, Task

everywhere = click.option(
    "--all", "everywhere", is_flag=True, help="Look in every namespace, not only at your own runs."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")


@click.command("ls", help="List flows; the runs of FLOW, newest first; or what FLOW/RUN, FLOW/RUN/STEP holds.")
@click.argument("pathspec", default="")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Runs to list.")
@everywhere
@as_json
def ls(pathspec: str, limit: int, everywhere: bool, as_json: bool) -> None:
    """List one level of what there is."""
    _scope(everywhere)
    for row in _rows(pathspec, limit):
        print(json.dumps(row) if as_json else "  ".join(str(value) for value in row.values()))


def _rows(pathspec: str, limit: int) -> Iterator[dict[str, Any]]:
    from itertools import islice

    from stepwell.client.objects import Flow, Run, Step, flows

    depth = len(pathspec.split("/")) if pathspec else 0
    if depth == 0:
        yield from ({"flow": flow.id} for flow in flows())
    elif depth == 1:
        yield from (_run_row(run) for run in islice(Flow(pathspec), limit))
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
    if of.successful:
        return "completed"
    return "failed" if of.finished else "running"


@click.command("show", help="Show FLOW/RUN, FLOW/RUN/STEP or FLOW/RUN/STEP/TASK.")
@click.argument("pathspec")
@everywhere
@as_json
def show(pathspec: str, everywhere: bool, as_json: bool) -> None:
    """Show one object."""
    _scope(everywhere)
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


@click.command("logs", help="Print what FLOW/RUN, FLOW/RUN/STEP or FLOW/RUN/STEP/TASK printed.")
@click.argument("pathspec")
@click.option("--stdout", "stream", flag_value="stdout", help="Only standard output.")
@click.option("--stderr", "stream", flag_value="stderr", help="Only standard error.")
@click.option("--timestamps", is_flag=True, help="Say when each line was printed.")
@everywhere
def logs(pathspec: str, stream: str | None, timestamps: bool, everywhere: bool) -> None:
    """Print logs; of several tasks, each line says whose it is."""
    _scope(everywhere)
    tasks = _tasks(pathspec)
    for task in tasks:
        prefix = f"[{task.pathspec}] " if len(tasks) > 1 else ""
        for line in task.loglines(stream or ""):
            print(f"{line.time + ' ' if timestamps else ''}{prefix}{line.text}")


@click.command("dump", help="Print the artifacts of FLOW/RUN/STEP or FLOW/RUN/STEP/TASK. This loads them.")
@click.argument("pathspec")
@click.option("--include", default="", metavar="A,B", help="Only these artifacts.")
@click.option("--private", is_flag=True, help="Also those whose name starts with an underscore.")
@click.option(
    "--max-value-size", type=click.IntRange(min=1), default=1000, show_default=True, help="Cut longer values."
)
@everywhere
def dump(pathspec: str, include: str, private: bool, max_value_size: int, everywhere: bool) -> None:
    """Load artifacts and print them."""
    _scope(everywhere)
    wanted = set(filter(None, include.split(",")))
    for task in _tasks(pathspec):
        print(f"{task.pathspec}:")
        for artifact in task.artifacts:
            name = artifact.id
            if (not wanted or name in wanted) and (private or not name.startswith("_")):
                text = repr(artifact.data)
                print(f"    {name} = {text if len(text) <= max_value_size else text[:max_value_size] + ' ...'}")


def _tasks(pathspec: str) -> list[Task]:
    from stepwell.client.objects import Run, Step, Task

    depth = len(pathspec.split("/"))
    if depth == 4:
        return [Task(pathspec)]
    if depth == 3:
        return list(Step(pathspec))
    steps: list[Step] = list(reversed(list(Run(pathspec))))
    return [task for step in steps for task in step]


def _scope(everywhere: bool) -> None:
    if everywhere:
        from stepwell.client.scope import namespace

        namespace(None)
