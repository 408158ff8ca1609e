"""Register records from a thread of its own: whoever produces them never waits for the store.

While the store is away the records wait, in memory; what the store refuses for good is left out, not held against the others.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from meta_client.batches import Record
from meta_client.errors import InvalidRequest, MetaClientError, NotFound, ServiceError, StorageFailure
from meta_client.protocol import MetadataStore
from meta_client.records import Run, Step, Task

if TYPE_CHECKING:
    from typing_extensions import Self

_GATHER_S, _MOST_GATHER_S = 0.05, 0.5  # many records come at about the same time
_GATHER_FOR_CALLS = 20  # for so many times what the last call took: the store is kept busy for a small part of the time
_RETRY_S, _RETRY_AT_THE_END_S = 2.0, 0.2
_A_FILE_AT_THE_END_S = 3.0  # a disk that is full stays so while somebody looks at a prompt that does not come
_LAST_CALL_S = 5.0  # for a call that is under way when the time is over
_HEARTBEAT_S = 10.0
_LATE_AT_ONCE = 100
_REFUSALS = (400, 413, 422)


class BackgroundWriter:
    """Registers records with ``store.register_many``, in batches, and sends the heartbeats of ``alive`` meanwhile.

    From its thread, ``on_away`` is called with the error when the store is away for the first time, and ``on_refused`` with each
    record that the store will never keep. Use it in a ``with`` statement, or `close` it; it does not close the store.
    """

    def __init__(
        self,
        store: MetadataStore,
        alive: Run | Task | None = None,
        *,
        on_away: Callable[[MetaClientError], None] = lambda error: None,
        on_refused: Callable[[Record, MetaClientError], None] = lambda record, error: None,
    ) -> None:
        self._store, self._alive = store, alive
        self._on_away, self._on_refused = on_away, on_refused
        self._waiting: list[Record] = []
        self._taken: list[Record] = []
        self._late: deque[Iterator[list[Record]]] = deque()
        self._ending_at: float | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._write, name="meta-client-writer", daemon=True)
        self._thread.start()

    def add(self, records: Iterable[Record]) -> None:
        """Queue records; returns at once."""
        with self._changed:
            self._waiting.extend(records)
            self._changed.notify()

    def add_late(self, make: Callable[[], Iterator[list[Record]]]) -> None:
        """Queue what ``make`` gives, to be made and registered when nothing else waits; returns at once."""
        with self._changed:
            self._late.append(_lazily(make))
            self._changed.notify()

    def close(self, timeout: float = 30.0) -> int:
        """Register what waits, for at most so many seconds, and end the thread; how many records are left, at least.

        For a file that cannot be written, three seconds are enough. What a call that never returns was given counts as left.
        """
        with self._changed:
            self._ending_at = time.monotonic() + timeout
            self._changed.notify()
        self._thread.join(timeout + _LAST_CALL_S)
        with self._changed:
            left = len(self._waiting) + len(self._taken)
            if self._thread.is_alive():  # it may be making what comes late
                return max(left, 1)
            return left + sum(len(some) for late in self._late for some in late)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self) -> None:
        beat_at = time.monotonic() + _HEARTBEAT_S
        was_away = False
        while True:
            batch = self._next(beat_at)
            began = time.monotonic()
            try:
                if batch:
                    self._register(batch)
                    self._taken = []
                if self._alive is not None and time.monotonic() >= beat_at and self._ending_at is None:
                    self._store.heartbeat(self._alive)
                    beat_at = time.monotonic() + _HEARTBEAT_S
            except MetaClientError as error:
                with self._changed:
                    self._waiting, self._taken = self._taken + self._waiting, []
                if not was_away:
                    self._on_away(error)
                    was_away = True
                if not self._wait_to_retry(error):
                    return
                beat_at = time.monotonic()
                continue
            if self._ending_at is not None and not self._waiting and not self._late:
                return
            self._gather(time.monotonic() - began)

    def _gather(self, took: float) -> None:
        """Let records come together, until the end is near."""
        with self._changed:
            pause = min(max(_GATHER_S, _GATHER_FOR_CALLS * took), _MOST_GATHER_S)
            self._changed.wait_for(lambda: self._ending_at is not None, pause)

    def _next(self, beat_at: float) -> list[Record]:
        """What waits; nothing where a heartbeat is due first."""
        with self._changed:
            if not self._waiting and not self._late and self._ending_at is None:
                self._changed.wait(max(0.0, beat_at - time.monotonic()) if self._alive is not None else None)
            self._taken, self._waiting = self._waiting, []
        if not self._taken:
            self._taken = self._next_late()
        return self._taken

    def _next_late(self) -> list[Record]:
        """Some of what may be registered late, made now; nothing at the end of one of its sources."""
        if not self._late:
            return []
        some = [record for records in itertools.islice(self._late[0], _LATE_AT_ONCE) for record in records]
        if not some:
            self._late.popleft()
        return some

    def _register(self, batch: Sequence[Record]) -> None:
        """Register a batch, without the records that the store refuses."""
        try:
            self._store.register_many(batch)
        except (InvalidRequest, NotFound, ServiceError) as error:
            if isinstance(error, ServiceError) and error.status not in _REFUSALS:
                raise
            if isinstance(error, NotFound):
                self._require_runs(batch)
                batch = sorted(batch, key=_depth)  # no half holds what belongs to something of the other
            if len(batch) == 1:
                self._on_refused(batch[0], error)
                return
            middle = len(batch) // 2
            self._register(batch[:middle])
            self._register(batch[middle:])

    def _require_runs(self, batch: Iterable[Record]) -> None:
        """Raise `NotFound` where a run is gone: then all that comes is refused, which one message says better than thousands."""
        for flow, run in {(record.flow_id, record.run_id) for record in batch}:
            self._store.get_run(flow, run)

    def _wait_to_retry(self, error: MetaClientError) -> bool:
        """Wait a while; False where trying again is pointless or the time is over."""
        with self._changed:
            if not error.retryable and self._ending_at is not None:
                return False
            if isinstance(error, StorageFailure) and self._ending_at is not None:
                self._ending_at = min(self._ending_at, time.monotonic() + _A_FILE_AT_THE_END_S)
            self._changed.wait(_RETRY_S if self._ending_at is None else _RETRY_AT_THE_END_S)
            return self._ending_at is None or time.monotonic() < self._ending_at


def _depth(record: Record) -> int:
    return 0 if isinstance(record, Step) else 1 if isinstance(record, Task) else 2


def _lazily(make: Callable[[], Iterator[list[Record]]]) -> Iterator[list[Record]]:
    yield from make()
