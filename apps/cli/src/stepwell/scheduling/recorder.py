"""Metadata writes of a run, by a thread of their own: a task never waits for the metadata store.

While the store is away the records wait; what cannot be written by the end is reported, and the run is none the worse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from meta_client import BackgroundWriter, MetadataStore

from stepwell.scheduling.signals import interruptible

if TYPE_CHECKING:
    from meta_client import Artifact, Metadatum, Run, Step, Task

    Record = Step | Task | Artifact | Metadatum


class Recorder:
    """Writes the history of a run to the metadata store.

    `warn` is told, once, when the store is away, and at the end how many records were lost.
    """

    def __init__(self, store: MetadataStore, run: Run, warn: Callable[[str], None]) -> None:
        self._run, self._warn = run, warn
        self._writer = BackgroundWriter(
            store,
            run,
            on_away=lambda error: warn(f"The metadata store does not answer, the run goes on without it: {error}"),
            on_refused=lambda record, error: warn(
                f"The metadata store cannot keep a record of run {run.run_id}: {error}"
            ),
        )

    def record(self, records: Iterable[Record]) -> None:
        """Queue records; returns at once."""
        self._writer.add(records)

    def record_late(self, make: Callable[[], Iterator[list[Record]]]) -> None:
        """Queue what `make` gives, to be made and written when nothing else waits; returns at once."""
        self._writer.add_late(make)

    def close(self, timeout: float = 30.0) -> None:
        """Write what waits, for at most so many seconds, and no longer than until a person asks to end."""
        lost: int | str
        try:
            with interruptible():
                lost = self._writer.close(timeout)
        except KeyboardInterrupt:
            lost = "some"
        if lost:
            self._warn(
                f"The metadata store could not be reached: {lost} records of run {self._run.run_id} are missing there. "
                "The artifacts and results are safe in the datastore; once the store is back, tell it: stepwell reindex"
            )
