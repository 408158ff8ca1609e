"""rm and prune: forget runs. What only they hold goes with the next `stepwell gc`."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from collections.abc import Iterable, Iterator

import attrs
from cas_store import MissingObject
from meta_client import MetadataStore, NotFound, ServiceStore

from stepwell.client.objects import Flow, Run
from stepwell.errors import StepwellError
from stepwell.execution.records import EndRecord, encode, find_end, find_task, read_run, run_directory
from stepwell.execution.stores import Stores


def remove(stores: Stores, flow: str, run_id: str, force: bool = False) -> int:
    """Delete the records and logs of a run; gives how many there were. Runs that resumed it keep what they took over.

    Its name stays taken, so that nobody else's run gets it. Raises `MissingObject` for no such run, `StepwellError` for one that
    has not ended, unless with `force`. A removal that was interrupted is finished by another.
    """
    claim = read_run(stores.records, flow, run_id)
    end = find_end(stores.records, flow, run_id)
    done = find_task(stores.records, flow, run_id, claim.end_step, "t0")
    if end is None and done is None and not force:
        raise StepwellError(
            f"The run {flow}/{run_id} has not ended; if it was killed, remove it with --force, which breaks one that is running"
        )
    directory = run_directory(flow, run_id)
    kept = {f"{directory}/run.json", f"{directory}/ended.json"}
    gone = EndRecord(successful=False, ended=end.ended if end else time.time(), removed=time.time())
    stores.records.replace(f"{directory}/ended.json", encode(gone))
    names = [name for name in stores.records.names(f"{directory}/") if name not in kept]
    stores.records.delete_many(names)
    empty = attrs.evolve(claim, parameters={}, constants={}, package=None, package_url=None)
    stores.records.replace(f"{directory}/run.json", encode(empty))
    return len(names)


def forget(metadata: MetadataStore, flow: str, run_id: str) -> None:
    """Have a metadata service that many share forget a removed run; a store of one's own goes on listing it, as removed.

    Its number stays taken. Raises `meta_client.Unsupported` where the service cannot.
    """
    if isinstance(metadata, ServiceStore):
        with contextlib.suppress(NotFound):
            metadata.delete_run(flow, run_id)


@attrs.frozen
class Keep:
    """Which runs of a flow stay: those younger than an age, the newest so many, those that have one of some tags."""

    younger_than: dt.timedelta | None = None
    last: int = 0
    tags: frozenset[str] = frozenset()


def prunable(flows: Iterable[Flow], keep: Keep) -> Iterator[Run]:
    """The runs that nothing keeps, of each flow the newest first. Runs that have not ended, or are no longer there, stay."""
    limit = dt.datetime.now() - keep.younger_than if keep.younger_than else None
    for flow in flows:
        counted = 0
        for run in flow.runs():
            if not _is_here(run) or run.removed:
                continue
            counted += 1
            is_young = limit is not None and run.created_at >= limit
            if counted > keep.last and not is_young and not keep.tags & run.tags and run.finished:
                yield run


def _is_here(run: Run) -> bool:
    from stepwell.client.scope import datastore

    try:
        read_run(datastore().records, *run.path_components)
    except MissingObject:
        return False
    return True
