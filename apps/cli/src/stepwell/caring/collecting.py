"""gc: delete the objects that no record needs any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from cas_store import Digest, Progress, SweepReport

from stepwell.caring.walking import held
from stepwell.errors import RecordError, StepwellError
from stepwell.execution.stores import Stores


def collect(
    stores: Stores,
    grace: timedelta,
    dry_run: bool = False,
    resume: bool = False,
    watch: Callable[[Progress], None] | None = None,
) -> SweepReport:
    """Delete what an earlier call condemned and is still needed by nothing, condemn what is needed by nothing now.

    Every record of the datastore is read. Where one cannot be, nothing is deleted, and `StepwellError` names it: what it keeps
    alive is unknown.
    """

    def live() -> Iterator[Digest]:
        for one in held(stores.records):
            for _, digest in one.digests():
                yield digest

    try:
        return stores.content.collect_garbage(live(), grace=grace, dry_run=dry_run, resume=resume, progress=watch)
    except RecordError as error:
        raise StepwellError(f"Nothing was deleted, as a record cannot be read: {error}") from error
