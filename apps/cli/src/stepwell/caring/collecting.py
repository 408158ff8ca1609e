"""gc: delete the objects that no record needs any more."""

from __future__ import annotations

import functools
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
    alive is unknown. A grace that is too short for running tasks to learn of it is a `StepwellError` as well. What is not here
    yet, as it comes from another datastore when it is first used, keeps nothing alive; that datastore is asked whether it has it.
    """

    def live() -> Iterator[Digest]:
        yet_to_come = _yet_to_come(stores)
        for one in held(stores.records):
            for _, digest in one.digests():
                if not yet_to_come(digest):
                    yield digest

    try:
        return stores.content.collect_garbage(live(), grace=grace, dry_run=dry_run, resume=resume, progress=watch)
    except RecordError as error:
        raise StepwellError(f"Nothing was deleted, as a record cannot be read: {error}") from error
    except ValueError as error:
        raise StepwellError(f"Nothing was deleted: {error}") from error


def _yet_to_come(stores: Stores) -> Callable[[Digest], bool]:
    """Says of a digest whether its pieces cannot be told here, as only another datastore has the list of them."""
    if not stores.content.sources():
        return lambda digest: False

    @functools.cache
    def is_elsewhere(digest: Digest) -> bool:
        return digest not in stores.content and not list(stores.content.lacking([digest]))

    return lambda digest: digest.is_list and is_elsewhere(digest)
