"""`stepwell rm`, `prune`, `gc`, `fsck`, `usage`, `reindex`: care for the datastore that the settings name."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from stepwell.commands.completing import RUN, paths
from stepwell.commands.examples import examples
from stepwell.commands.scoping import everywhere, look_everywhere
from stepwell.commands.times import read_age
from stepwell.errors import InvalidPathspec, NotFound, StepwellError
from stepwell.terminal import ProgressLine
from stepwell.units import counted, size

if TYPE_CHECKING:
    from cas_store import Progress

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command(
    "rm",
    help="Remove runs, as FLOW/RUN. What only they hold is deleted by the next gc.",
    epilog=examples("stepwell rm Squares/3 Squares/4", "stepwell rm Squares/5 --force"),
)
@click.argument("pathspecs", nargs=-1, required=True, metavar="FLOW/RUN...", shell_complete=paths(RUN))
@click.option("--force", is_flag=True, help="Also one that has not ended: a killed one; a running one would break.")
@everywhere
def rm(pathspecs: tuple[str, ...], force: bool, everywhere: bool) -> None:
    """Remove runs; the first that cannot be ends the command."""
    from stepwell.client.objects import Run

    if everywhere:
        look_everywhere()
    with _removing() as remove:
        for pathspec in pathspecs:
            if pathspec.count("/") != 1:
                raise InvalidPathspec(f"'{pathspec}' is no run: name FLOW/RUN")
            remove(Run(pathspec).pathspec, force)


@contextlib.contextmanager
def _removing() -> Iterator[Callable[[str, bool], None]]:
    """Removes runs and says so; raises `StepwellError` in the end where the metadata service could not forget some."""
    from cas_store import MissingObject
    from meta_client import Unsupported

    from stepwell.caring.removing import forget, remove
    from stepwell.client.scope import datastore, metadata_store

    remembered: list[str] = []

    def remove_one(pathspec: str, force: bool) -> None:
        flow, run_id = pathspec.split("/")
        try:
            count = remove(datastore(), flow, run_id, force)
        except MissingObject:
            raise NotFound(
                f"The run {pathspec} is not in the datastore {datastore().root}: there is nothing to remove"
            ) from None
        print(f"Removed {pathspec}: {count} records and logs")
        try:
            forget(metadata_store(), flow, run_id)
        except Unsupported as error:
            remembered.append(f"{pathspec} ({error})")

    yield remove_one
    if remembered:
        raise StepwellError(
            f"The metadata service cannot delete runs and goes on listing {len(remembered)} of them, as removed: {remembered[0]}"
        )


@click.command(
    "prune",
    help="Remove the runs of FLOW, or of all flows, that no --older-than or --keep keeps.",
    epilog=examples(
        "stepwell prune --older-than 90d --keep-last 10 --dry-run",
        "stepwell prune Squares --keep-last 3 --keep-tag release",
    ),
)
@click.argument("flow", required=False)
@click.option("--older-than", callback=read_age, metavar="AGE", help="Only those older than 90s, 10m, 2h, 30d, 4w.")
@click.option("--keep-last", type=click.IntRange(min=0), metavar="N", help="Keep the newest N of each flow.")
@click.option(
    "--keep-tag", "keep_tags", multiple=True, metavar="TAG", help="Keep those with this tag; may be repeated."
)
@click.option("--dry-run", is_flag=True, help="Only print what would be removed.")
@everywhere
def prune(
    flow: str | None,
    older_than: dt.timedelta | None,
    keep_last: int | None,
    keep_tags: tuple[str, ...],
    dry_run: bool,
    everywhere: bool,
) -> None:
    """Remove old runs."""
    from stepwell.caring.removing import Keep, prunable
    from stepwell.client.objects import Flow, flows

    if older_than is None and keep_last is None:
        raise click.UsageError("Say which runs are old: --older-than AGE, or --keep-last N, or both")
    if everywhere:
        look_everywhere()
    keep = Keep(older_than, keep_last or 0, frozenset(keep_tags))
    chosen = list(prunable([Flow(flow)] if flow else flows(), keep))
    with _removing() as remove:
        for run in chosen:
            if dry_run:
                print(f"Would remove {run.pathspec}, of {run.created_at.isoformat(' ', 'seconds')}")
            else:
                remove(run.pathspec, False)
    if not chosen:
        print("There is nothing to remove.")


@click.command(
    "gc",
    help="Delete the objects that no run and no deployment needs any more. To be run daily.",
    epilog=examples("stepwell gc --dry-run", "stepwell gc"),
)
@click.option(
    "--grace",
    default="1d",
    show_default=True,
    callback=read_age,
    metavar="AGE",
    help="Condemned objects are deleted by a call this much later; 0s deletes at once, where nobody else is at work.",
)
@click.option("--dry-run", is_flag=True, help="Only print what would be done.")
@click.option("--resume", is_flag=True, help="Take up a collection that was killed, without waiting.")
@as_json
def gc(grace: dt.timedelta, dry_run: bool, resume: bool, as_json: bool) -> None:
    """Collect garbage; refuses while any record cannot be read."""
    import attrs

    from stepwell.caring.collecting import collect
    from stepwell.client.scope import datastore

    with shown_progress() as watch:
        report = collect(datastore(), grace, dry_run, resume, watch)
    if as_json:
        print(json.dumps(attrs.asdict(report), default=str))
        return
    would = "Would have deleted" if dry_run else "Deleted"
    print(f"{would} {report.deleted:,} objects of {size(report.deleted_bytes)}")
    if report.condemned:
        due = f", to be deleted by a gc after {report.due.astimezone():%Y-%m-%d %H:%M}" if report.due else ""
        print(f"Condemned {report.condemned:,} objects of {size(report.condemned_bytes)}{due}")


@click.command(
    "fsck",
    help="Read and verify everything in the datastore; exits with 1 where something is wrong.",
    epilog=examples("stepwell fsck", "stepwell fsck --quarantine --remove-leftovers 2d"),
)
@click.option("--quarantine", is_flag=True, help="Move damaged objects aside, so that saving the same mends them.")
@click.option("--remove-leftovers", callback=read_age, metavar="AGE", help="Delete what killed writers left, if older.")
def fsck(quarantine: bool, remove_leftovers: dt.timedelta | None) -> None:
    """Check objects, records, and that what records name is there."""
    from stepwell.caring.checking import check
    from stepwell.client.scope import datastore

    with shown_progress() as watch:
        found = check(datastore(), quarantine, remove_leftovers, watch)
    for digest, what in found.objects.damaged.items():
        print(f"damaged: {digest}: {what}")
    for digest, why in found.objects.unreadable.items():
        print(f"unreadable: {digest}: {why}")
    for digest, who in found.missing.items():
        print(f"missing: {digest}, needed by {', '.join(who[:3])}{' and others' if len(who) > 3 else ''}")
    for piece, whole in found.objects.missing.items():
        print(f"missing: {piece}, a part of {whole}")
    for task, later in found.lost.items():
        print(f"lost: the record of {task}, after which {later} ran; resume runs the task again")
    for message in found.unreadable:
        print(f"unreadable: {message}")
    print(
        f"{found.objects.objects:,} objects of {size(found.objects.size_bytes)} and {found.records:,} records were read"
    )
    if found.objects.leftovers:
        left, gone = len(found.objects.leftovers), len(found.objects.removed)
        print(f"{left:,} leftovers of killed writers, {gone:,} of them removed; they do no harm")
    if found.yet_to_come:
        print(f"{found.yet_to_come:,} more objects are in other datastores, and come here when they are first used")
    if not found.ok:
        raise SystemExit(1)


@click.command(
    "usage",
    help="Show who keeps how much in the datastore.",
    epilog=examples("stepwell usage", "stepwell usage --by user --json"),
)
@click.option("--by", type=click.Choice(["flow", "user", "project"]), default="flow", show_default=True)
@as_json
def usage(by: str, as_json: bool) -> None:
    """Print the shares, the largest first, and what the store holds."""
    from stepwell.caring.measuring import shares
    from stepwell.client.scope import datastore

    found = shares(datastore(), by)
    with shown_progress() as watch:
        store = datastore().content.usage(progress=watch)
    if as_json:
        for name, share in found.items():
            print(json.dumps({by: name, "runs": share.runs, "tasks": share.tasks, "bytes": share.size_bytes}))
        print(json.dumps({"objects": store.objects, "bytes": store.logical_bytes, "stored_bytes": store.stored_bytes}))
        return
    width = max(map(len, found), default=0)
    for name, share in found.items():
        print(
            f"{name:{width}}  {size(share.size_bytes):>10}  {counted(share.runs, 'run')}, {counted(share.tasks, 'task')}"
        )
    print(
        f"The store keeps {counted(store.objects, 'object')} of {size(store.logical_bytes)} in {size(store.stored_bytes)}."
    )


@click.command(
    "reindex",
    help="Tell the metadata store what the datastore's records say and it does not know.",
    epilog=examples("stepwell reindex"),
)
def reindex() -> None:
    """Rebuild metadata; exits with 1 where a run could not be told."""
    from stepwell.caring.reindexing import reindex
    from stepwell.client.scope import datastore, metadata_store

    told = runs = problems = 0
    for one in reindex(datastore(), metadata_store(create=True)):
        runs, told = runs + 1, told + one.tasks
        if one.problem:
            problems += 1
            print(f"{one.pathspec}: {one.problem}", file=sys.stderr)
    print(f"{runs:,} runs read; the metadata store was told of {told:,} tasks that it did not know")
    if problems:
        raise SystemExit(1)


@contextlib.contextmanager
def shown_progress() -> Iterator[Callable[[Progress], None]]:
    """Shows on a terminal how far long work is."""
    line = ProgressLine(sys.stderr)
    try:
        yield lambda so_far: line.show(lambda: f"{so_far.stage}: {so_far.objects:,} objects, {size(so_far.size_bytes)}")
    finally:
        line.clear()
