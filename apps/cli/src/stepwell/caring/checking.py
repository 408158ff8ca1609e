"""fsck: whether every object is what was put, and every record can be read and finds what it names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import attrs
from cas_store import CasStoreError, Digest, FsckReport, Progress

from stepwell.caring.walking import ROOTS, RUNS, held_by
from stepwell.errors import RecordError
from stepwell.execution.stores import Stores


@attrs.frozen
class Findings:
    """What was found: of the objects, of the records (`unreadable`: messages), and what records name that is not there.

    `missing` gives for each object what needs it.
    """

    objects: FsckReport
    records: int
    unreadable: tuple[str, ...]
    missing: dict[Digest, tuple[str, ...]]

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
                one = held_by(stores.records, name)
            except (RecordError, CasStoreError) as error:
                unreadable.append(str(error))
                continue
            if one is not None:
                count += 1
                for what, digest in one.digests():
                    needed.setdefault(digest, []).append(what)
    missing = {digest: tuple(who) for digest, who in needed.items() if not stores.content.contains(digest)}
    return Findings(objects, count, tuple(unreadable), missing)
