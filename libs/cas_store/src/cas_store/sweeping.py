"""Garbage collection in two phases: condemn, wait out the grace, mark again, delete. FORMAT.md, "Collection", argues it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, timezone

import attrs

from cas_store import condemned as sweep_files
from cas_store.backend import Backend
from cas_store.condemned import Condemned
from cas_store.digests import PIECE, Digest, location
from cas_store.errors import DamagedObject, MissingObject
from cas_store.leases import Lease
from cas_store.marking import protect, refuse_later_versions, unprotected
from cas_store.parallel import in_order
from cas_store.progress import Meter, Watch
from cas_store.records import RECORD_BYTES, unpack
from cas_store.references import Reference
from cas_store.renewing import REREAD_SECONDS
from cas_store.spilling import Spill, ascending
from cas_store.verified import name_of

SHORTEST_GRACE = timedelta(seconds=4 * REREAD_SECONDS)
BATCH_RECORDS = 500
BATCH_SECONDS = 300.0
"""What was not deleted so long after its batch was announced is announced again: a third of what writers wait for."""

Live = Iterable[Digest | Reference | str]


@attrs.frozen
class SweepReport:
    """What one call did. Bytes are those of files, as stored.

    ``condemned`` may be deleted from ``due`` on, by a later call; ``deleted`` was by this one; ``spared`` was condemned by an
    earlier one and is live or was written again since. In a dry run all of it is what would have happened.
    """

    condemned: int = 0
    condemned_bytes: int = 0
    due: datetime | None = None
    deleted: int = 0
    deleted_bytes: int = 0
    spared: int = 0
    dry_run: bool = False


def collect(
    backend: Backend, live: Live, grace: timedelta, *, resume: bool = False, watch: Watch | None = None
) -> SweepReport:
    """One step of collection; see `ContentStore.collect_garbage`."""
    check_grace(grace)
    refuse_later_versions(backend)
    with Lease(backend, resume) as lease:
        waiting = _waiting(backend, grace)
        now = lease.now()
        if waiting is not None and now < waiting.due:
            return SweepReport(waiting.objects, waiting.size_bytes, waiting.due)
        return _Sweep(backend, lease, watch).run(live, now - grace, grace, waiting)


def rehearse(backend: Backend, live: Live, grace: timedelta, watch: Watch | None = None) -> SweepReport:
    """What `collect` would do now; writes nothing."""
    check_grace(grace)
    refuse_later_versions(backend)
    waiting = _waiting(backend, grace)
    now = datetime.now(timezone.utc)
    with Spill(RECORD_BYTES) as protected:
        with Meter("marking", watch) as meter:
            protect(backend, live, waiting.before if waiting else now - grace, protected, meter.add)
        report = SweepReport(dry_run=True, due=now + grace)
        if waiting is not None and now < waiting.due:
            return attrs.evolve(report, condemned=waiting.objects, condemned_bytes=waiting.size_bytes, due=waiting.due)
        condemned_before = ascending(sweep_files.records(backend, waiting)) if waiting else lambda _: False
        with Meter("looking for garbage", watch) as meter:
            for record, size in unprotected(backend, protected, now - grace, meter.add):
                report = _counted(report, condemned_before(record) or not grace, size)
    return report


def check_grace(grace: timedelta) -> None:
    """Raise `ValueError` for a grace in which writers may not learn of the sweep."""
    if not isinstance(grace, timedelta):
        raise TypeError(f"a grace of {grace!r} has no unit: give a timedelta, such as timedelta(days=1)")
    if grace and grace < SHORTEST_GRACE:
        raise ValueError(
            f"a grace of {grace} is too short for writers to learn of the sweep: give at least {SHORTEST_GRACE}, "
            "or timedelta(0) if nobody else uses the store"
        )


class _Sweep:
    def __init__(self, backend: Backend, lease: Lease, watch: Watch | None) -> None:
        self._backend = backend
        self._lease = lease
        self._watch = watch

    def run(self, live: Live, before: datetime, grace: timedelta, waiting: Condemned | None) -> SweepReport:
        """Mark; delete what was condemned by an earlier call; in place of its list, condemn what is garbage now."""
        report = SweepReport()
        with Spill(RECORD_BYTES) as protected:
            with Meter("marking", self._watch) as meter:
                protect(self._backend, live, waiting.before if waiting else before, protected, self._ticking(meter))
            if waiting is not None:
                report = self._delete(waiting, protected, report)
            condemned = self._condemn(protected, before, grace)
            if condemned is not None and not grace:
                report = self._delete(condemned, protected, report)
                sweep_files.discard(self._backend)
                return report
        if condemned is None:
            return report
        return attrs.evolve(
            report, condemned=condemned.objects, condemned_bytes=condemned.size_bytes, due=condemned.due
        )

    def _condemn(self, protected: Spill, before: datetime, grace: timedelta) -> Condemned | None:
        sweep_files.discard(self._backend)
        with Meter("condemning", self._watch) as meter:
            found = unprotected(self._backend, protected, before, self._ticking(meter))
            return sweep_files.publish(self._backend, found, before, grace)

    def _delete(self, condemned: Condemned, protected: Spill, report: SweepReport) -> SweepReport:
        """Delete what is condemned and still not protected, batch by batch, from where an interrupted sweep was."""
        start = self._interrupted_at(condemned)
        stays = ascending(protected)
        with Meter("deleting", self._watch) as meter:
            for records in _batches(_readable(self._backend, condemned, start)):
                doomed = [record for record in records if not stays(record)]
                sizes = self._delete_batch(condemned, doomed) if doomed else []
                meter.add(sum(sizes), len(records))
                report = attrs.evolve(
                    report,
                    deleted=report.deleted + len(sizes),
                    deleted_bytes=report.deleted_bytes + sum(sizes),
                    spared=report.spared + len(records) - len(sizes),
                )
        return report

    def _interrupted_at(self, condemned: Condemned) -> bytes:
        """The record at which an interrupted sweep of this list was."""
        try:
            batch = sweep_files.current_batch(self._backend)
        except DamagedObject:
            batch = None
        return batch.records[:RECORD_BYTES] if batch is not None and batch.sweep == condemned.id else b""

    def _delete_batch(self, condemned: Condemned, records: list[bytes]) -> list[int]:
        """The sizes of what was deleted: what nobody wrote since it was condemned, seen after the batch was announced."""
        while True:
            self._lease.check()
            announced = time.monotonic()
            sweep_files.announce_batch(self._backend, condemned, records)
            digests = [unpack(record) for record in records]
            sizes = list(in_order(self._backend.parallel, lambda digest: self._old_size(digest, condemned), digests))
            doomed = [(digest, size) for digest, size in zip(digests, sizes, strict=True) if size is not None]
            if time.monotonic() - announced < BATCH_SECONDS:
                self._backend.delete_many([name for digest, _ in doomed for name in _names(digest)])
                return [size for _, size in doomed]

    def _old_size(self, digest: Digest, condemned: Condemned) -> int | None:
        try:
            stat = self._backend.stat(location(digest))
        except MissingObject:
            return None
        return stat.size_bytes if stat.modified <= condemned.before else None

    def _ticking(self, meter: Meter) -> Callable[[], None]:
        def tick() -> None:
            self._lease.tick()
            meter.add()

        return tick


def _waiting(backend: Backend, grace: timedelta) -> Condemned | None:
    """The list of an earlier call; without a grace, or if it is damaged, it counts for nothing, and the next one replaces it."""
    try:
        return sweep_files.current(backend) if grace else None
    except DamagedObject:
        return None


def _readable(backend: Backend, condemned: Condemned, start: bytes) -> Iterator[bytes]:
    """The records of a list, up to a part that a power cut took: what that named will be condemned anew."""
    try:
        yield from sweep_files.records(backend, condemned, start)
    except (DamagedObject, MissingObject):
        return


def _batches(records: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(records)
    while batch := list(itertools.islice(rest, BATCH_RECORDS)):
        yield batch


def _names(digest: Digest) -> tuple[str, ...]:
    """An object's file, and what is remembered of its verification."""
    return (location(digest),) if digest.algorithm == PIECE else (location(digest), name_of(digest))


def _counted(report: SweepReport, deleted: bool, size: int) -> SweepReport:
    if deleted:
        return attrs.evolve(report, deleted=report.deleted + 1, deleted_bytes=report.deleted_bytes + size)
    return attrs.evolve(report, condemned=report.condemned + 1, condemned_bytes=report.condemned_bytes + size)
