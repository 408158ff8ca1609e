"""`stepwell sync`: publish runs of this machine to the shared mode that the settings name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from stepwell.commands.care import shown_progress
from stepwell.commands.examples import examples
from stepwell.errors import InvalidPathspec, SettingsError
from stepwell.units import size


@click.command(
    "sync",
    help="Publish runs of this machine (all, those of FLOW, or FLOW/RUN) to shared mode.",
    epilog=examples(
        "stepwell sync --dry-run", "stepwell sync Squares/3", "stepwell sync --from ~/old/.stepwell Squares"
    ),
)
@click.argument("pathspecs", nargs=-1, metavar="[FLOW[/RUN]]...")
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The local datastore to read; the default is the nearest .stepwell, from here upwards.",
)
@click.option("--dry-run", is_flag=True, help="Only print what would be published.")
def sync(pathspecs: tuple[str, ...], source: Path | None, dry_run: bool) -> None:
    """Publish; what is there already stays as it is."""
    from meta_client import open_store

    from stepwell.caring.publishing import ACTIVE, PUBLISHED, Place, publish
    from stepwell.client.scope import datastore, metadata_store
    from stepwell.config import local_root
    from stepwell.execution.stores import stores_at

    root = source or local_root()
    target = datastore()
    if target.root == str(root.resolve()):
        raise SettingsError(
            f"There is nothing to publish to: the settings name the local datastore {root}, from which runs would come.\n"
            "Name the shared one: stepwell configure import FILE, or the variables STEPWELL_DATASTORE and STEPWELL_METADATA"
        )
    if not (root / "metadata.db").is_file():
        raise SettingsError(f"{root} is no local datastore: run flows here first, or name another with --from")
    count = 0
    with open_store(f"sqlite:///{root.resolve() / 'metadata.db'}") as local, shown_progress() as watch:
        places = Place(stores_at(str(root.resolve())), local), Place(target, metadata_store(create=True))
        for one in publish(*places, _chosen(pathspecs), dry_run, watch):
            if one.outcome == PUBLISHED:
                count += 1
                moved = f", {one.tasks:,} tasks" + ("" if dry_run else f", {size(one.moved_bytes)} of artifacts moved")
                print(
                    f"{'Would publish' if dry_run else 'Published'} {one.pathspec} as {one.new_pathspec}{moved}",
                    flush=True,
                )
            else:
                why = "it has not ended" if one.outcome == ACTIVE else f"{one.outcome}, as {one.new_pathspec}"
                print(f"Left out {one.pathspec}: {why}", flush=True)
    print(f"{count:,} runs {'would be ' if dry_run else ''}published to {target.root}")


def _chosen(pathspecs: tuple[str, ...]) -> Callable[[str, str], bool]:
    for pathspec in pathspecs:
        if pathspec.count("/") > 1:
            raise InvalidPathspec(f"'{pathspec}' is no flow and no run: name FLOW or FLOW/RUN")
    return lambda flow, run_id: not pathspecs or flow in pathspecs or f"{flow}/{run_id}" in pathspecs
