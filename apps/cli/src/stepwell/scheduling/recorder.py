"""Metadata writes of a run, in batches, by one thread: a task never waits for the metadata store.

While the store is away the records wait; what cannot be written by the end is reported, and the run is none the worse.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from meta_client import InvalidRequest, MetaClientError, MetadataStore

if TYPE_CHECKING:
    from meta_client import Artifact, Metadatum, Run, Step, Task

    Record = Step | Task | Artifact | Metadatum

_PAUSE_SECONDS = 0.05
_RETRY_SECONDS = 2.0
_HEARTBEAT_SECONDS = 10.0


class Recorder:
    """Writes the history of a run to the metadata store from a thread of its own.

    `warn` is told, once, when the store is away, and at the end how many records were lost.
    """

    def __init__(self, store: MetadataStore, run: Run, warn: Callable[[str], None]) -> None:
        self._store, self._run, self._warn = store, run, warn
        self._waiting: list[Record] = []
        self._ending_at: float | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._write, name="stepwell-metadata", daemon=True)
        self._thread.start()

    def record(self, records: Iterable[Record]) -> None:
        """Queue records; returns at once."""
        with self._changed:
            self._waiting.extend(records)
            self._changed.notify()

    def close(self, timeout: float = 30.0) -> None:
        """Write what waits, for at most so many seconds, and end the thread."""
        with self._changed:
            self._ending_at = time.monotonic() + timeout
            self._changed.notify()
        self._thread.join(timeout + 5)
        lost = len(self._waiting)
        if lost or self._thread.is_alive():
            self._warn(
                f"The metadata store could not be reached: {lost} records of run {self._run.run_id} are missing there. "
                "The artifacts and results are safe in the datastore"
            )

    def _write(self) -> None:
        beat_at = time.monotonic() + _HEARTBEAT_SECONDS
        warned = False
        while True:
            with self._changed:
                if not self._waiting and self._ending_at is None:
                    self._changed.wait(max(0.0, beat_at - time.monotonic()))
                batch = self._waiting
                self._waiting = []
            try:
                if batch:
                    self._register(batch)
                if time.monotonic() >= beat_at and self._ending_at is None:
                    self._store.heartbeat(self._run)
                    beat_at = time.monotonic() + _HEARTBEAT_SECONDS
            except MetaClientError as error:
                self._put_back(batch)
                if not warned:
                    self._warn(f"The metadata store does not answer, the run goes on without it: {error}")
                    warned = True
                if not self._wait_to_retry(error):
                    return
                beat_at = time.monotonic()
                continue
            if self._ending_at is not None and not self._waiting:
                return
            if self._ending_at is None:
                time.sleep(_PAUSE_SECONDS)  # let a batch gather: many tasks end at about the same time

    def _register(self, batch: Sequence[Record]) -> None:
        """Register a batch; a record that no store could keep is left out, and said so, not held against the others."""
        try:
            self._store.register_many(batch)
        except InvalidRequest as error:
            if len(batch) == 1:
                self._warn(f"The metadata store cannot keep a record of run {self._run.run_id}: {error}")
                return
            middle = len(batch) // 2
            self._register(batch[:middle])
            self._register(batch[middle:])

    def _put_back(self, batch: list[Record]) -> None:
        with self._changed:
            self._waiting = batch + self._waiting

    def _wait_to_retry(self, error: MetaClientError) -> bool:
        """Wait a while; False where trying again is pointless or the time is over."""
        with self._changed:
            if not error.retryable and self._ending_at is not None:
                return False
            self._changed.wait(_RETRY_SECONDS if self._ending_at is None else 0.2)
            return self._ending_at is None or time.monotonic() < self._ending_at
