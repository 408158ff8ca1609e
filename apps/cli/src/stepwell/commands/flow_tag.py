"""`python flow.py tag add|remove|replace|list`: the tags of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from stepwell.commands.examples import examples
from stepwell.commands.groups import StrictGroup
from stepwell.commands.scoping import use

if TYPE_CHECKING:
    from stepwell.client.objects import Run
    from stepwell.commands.flow_context import FlowContext


@click.group("tag", cls=StrictGroup, help="Change and list the tags of runs.")
def tag() -> None:
    """Only groups the commands."""


def _run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    namespace = click.option("--namespace", help="Look for the latest run here; '' is everywhere.  [default: yours]")
    run_id = click.option("--run-id", help="The run, whoever ran it.  [default: the latest]")
    return run_id(namespace(command))


@tag.command(
    "add",
    help="Add tags to a run.",
    epilog=examples("python flow.py tag add good", "python flow.py tag add good release --run-id 3"),
)
@click.argument("tags", nargs=-1, required=True)
@_run_options
@click.pass_obj
def add(context: FlowContext, tags: tuple[str, ...], run_id: str | None, namespace: str | None) -> None:
    """Add tags."""
    run = _find(context, run_id, namespace)
    run.add_tags(tags)
    _say(context, run)


@tag.command("remove", help="Remove tags from a run.", epilog=examples("python flow.py tag remove good --run-id 3"))
@click.argument("tags", nargs=-1, required=True)
@_run_options
@click.pass_obj
def remove(context: FlowContext, tags: tuple[str, ...], run_id: str | None, namespace: str | None) -> None:
    """Remove tags."""
    run = _find(context, run_id, namespace)
    run.remove_tags(tags)
    _say(context, run)


@tag.command(
    "replace",
    help="Replace the tag OLD by NEW, or --remove and --add several at once.",
    epilog=examples(
        "python flow.py tag replace candidate release --run-id 3",
        "python flow.py tag replace --remove a --remove b --add c",
    ),
)
@click.argument("pair", nargs=-1, metavar="[OLD NEW]")
@click.option("--add", "added", multiple=True, help="Add this; may be repeated.")
@click.option("--remove", "removed", multiple=True, help="Remove this; may be repeated.")
@_run_options
@click.pass_obj
def replace(
    context: FlowContext,
    pair: tuple[str, ...],
    added: tuple[str, ...],
    removed: tuple[str, ...],
    run_id: str | None,
    namespace: str | None,
) -> None:
    """Replace tags, at once."""
    is_pair = len(pair) == 2 and not (added or removed)
    if not is_pair and (pair or not (added and removed)):
        raise click.UsageError("Give two tags, OLD and NEW, or at least one --remove and one --add")
    run = _find(context, run_id, namespace)
    run.replace_tags(pair[:1] or removed, pair[1:] or added)
    _say(context, run)


@tag.command(
    "list",
    help="List the tags of a run, or of many.",
    epilog=examples(
        "python flow.py tag list",
        "python flow.py tag list --run-id 3 --hide-system-tags --flat",
        "python flow.py tag list --all --group-by-tag",
    ),
)
@click.option("--all", "all_runs", is_flag=True, help="Of all runs of the flow.")
@click.option("--my-runs", is_flag=True, help="Of all your runs of the flow.")
@click.option("--group-by-tag", is_flag=True, help="For each tag, its runs.")
@click.option("--group-by-run", is_flag=True, help="For each run, its tags.")
@click.option("--hide-system-tags", is_flag=True, help="Only the tags that people gave.")
@click.option("--flat", is_flag=True, help="One tag a line and nothing else, for scripts.")
@click.argument("one", required=False, metavar="[RUN]")
@_run_options
@click.pass_obj
def list_(
    context: FlowContext,
    all_runs: bool,
    my_runs: bool,
    group_by_tag: bool,
    group_by_run: bool,
    hide_system_tags: bool,
    flat: bool,
    one: str | None,
    run_id: str | None,
    namespace: str | None,
) -> None:
    """Print tags."""
    if all_runs and my_runs:
        raise click.UsageError("--all and --my-runs exclude each other")
    if sum((group_by_tag, group_by_run, flat)) > 1:
        raise click.UsageError("--group-by-tag, --group-by-run and --flat exclude each other")
    runs = _many(context, my_runs) if all_runs or my_runs else [_find(context, run_id or one, namespace)]
    by_run = {run.pathspec: sorted(run.user_tags if hide_system_tags else run.tags) for run in runs}
    if group_by_run:
        _print_groups(by_run)
    elif group_by_tag:
        _print_groups(_turned(by_run))
    else:
        for name in sorted({name for tags in by_run.values() for name in tags}):
            print(name if flat else f"  {name}")


def _turned(by_run: dict[str, list[str]]) -> dict[str, list[str]]:
    tags = sorted({name for tags in by_run.values() for name in tags})
    return {name: [run for run, of_run in by_run.items() if name in of_run] for name in tags}


def _print_groups(groups: dict[str, list[str]]) -> None:
    for head, members in groups.items():
        print(head)
        for member in members:
            print(f"  {member}")


def _many(context: FlowContext, mine: bool) -> Iterable[Run]:
    from stepwell.client.objects import Flow
    from stepwell.client.scope import default_namespace, namespace

    use(context.settings)
    if mine:
        default_namespace()
    else:
        namespace(None)
    return list(Flow(context.cls.__name__))


def _find(context: FlowContext, run_id: str | None, scope: str | None) -> Run:
    """The run that the options name: the given one, else the latest of a namespace."""
    from stepwell.client.objects import Flow, Run
    from stepwell.client.scope import get_namespace, namespace
    from stepwell.errors import NotFound

    use(context.settings)
    name = context.cls.__name__
    if run_id is not None:
        namespace(None)
        return Run(f"{name}/{run_id}")
    if scope is not None:
        namespace(scope or None)
    latest = Flow(name).latest_run
    if latest is None:
        raise NotFound(f"The namespace '{get_namespace()}' has no run of {name}: name one with --run-id")
    return latest


def _say(context: FlowContext, run: Run) -> None:
    if not context.quiet:
        print(f"{run.pathspec}: {', '.join(sorted(run.user_tags)) or 'no tags'}")
