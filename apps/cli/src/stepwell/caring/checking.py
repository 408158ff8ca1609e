"""fsck: whether every object is what was put, and every record can be read and finds what it names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import attrs
from cas_store import CasStoreError, Digest, FsckReport, Progress

from stepwell.caring.walking import ROOTS, RUNS, held_by
from stepwell.errors import RecordError
from stepwell.execution.packs import INDEX
from stepwell.execution.stores import Stores


@attrs.frozen
class Findings:
    """What was found: of the objects, of the records (`unreadable`: messages), and what records name that is not there.

    `missing` gives for each object what needs it. `yet_to_come` counts those that are not here, but in a datastore
    from which they come when they are first used.
    """

    objects: FsckReport
    records: int
    unreadable: tuple[str, ...]
    missing: dict[Digest, tuple[str, ...]]
    yet_to_come: int = 0

    @property
    def ok(self) -> bool:
        """Whether everything is whole."""
        return self.objects.ok and not (self.unreadable or self.missing)


def check(
    stores: Stores,
    quarantine: bool = False,
    remove_leftovers: timedelta | None = None,
    watch: Callable[[Progress], None] | None = None,
) -> Findings:
    """Read everything; see `ContentStore.fsck` for the two options."""
    objects = stores.content.fsck(quarantine=quarantine, remove_leftovers=remove_leftovers, progress=watch)
    needed: dict[Digest, list[str]] = {}
    unreadable: list[str] = []
    count = 0
    for prefix in (RUNS, ROOTS):
        for name in stores.records.names(prefix):
            try:
                found = held_by(stores.records, name)
            except (RecordError, CasStoreError) as error:
                unreadable.append(str(error))
                continue
            count += len(found) if not name.endswith(f"/{INDEX}") else 0  # copies of what is counted where it is
            for what, digest in (pair for one in found for pair in one.digests()):
                needed.setdefault(digest, []).append(what)
    absent = [digest for digest in needed if digest not in stores.content]
    try:
        missing = {digest: tuple(needed[digest]) for digest in stores.content.lacking(absent)}
    except (RecordError, CasStoreError) as error:
        unreadable.append(f"{len(absent):,} objects are not here, and whether they can come is not known: {error}")
        return Findings(objects, count, tuple(unreadable), {})
    return Findings(objects, count, tuple(unreadable), missing, len(absent) - len(missing))
