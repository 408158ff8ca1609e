"""An attempt's log while it runs: written to the datastore now and then, so that it can be followed, and whole at the end."""

from __future__ import annotations

import time

import attrs
from cas_store import Backend, CasStoreError

from stepwell.execution.logs import HEAD_BYTES, TAIL_BYTES, LogBuffer, log_name
from stepwell.execution.spec import TaskSpec
from stepwell.execution.stores import Stores

LOOK_SECONDS = 0.5
"""How often whoever holds running attempts should ask each log whether it is due."""
_LOCAL_SECONDS, _S3_SECONDS, _S3_MOST_SECONDS, _GROWTH = 1.0, 5.0, 60.0, 1.5
_USUAL_MIB = (HEAD_BYTES + TAIL_BYTES) >> 20
_BYTES_PER_PAUSE = 1 << 20
"""Each so many bytes of a log make its pauses longer by one, as it is written anew each time."""


@attrs.define
class KeptLog:
    """The log of one attempt. What ends within the first pause is written once, at its end.

    `pause` is in seconds, about how far what can be read lags behind; it grows up to `longest`.
    """

    records: Backend
    name: str
    pause: float
    longest: float
    lines: LogBuffer = attrs.field(factory=LogBuffer)
    _kept_bytes: int = 0
    _due_at: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._due_at = time.monotonic() + self.pause

    def add(self, stream: str, line: bytes) -> None:
        """Add one line of a stream ("o" or "e"), without its line break."""
        self.lines.add(stream, line)

    def keep_if_due(self) -> None:
        """Write what was printed so far, if that is more than last time and the pause is over; a failure waits for the next."""
        size, now = self.lines.beginning_bytes, time.monotonic()
        if size == self._kept_bytes or now < self._due_at:
            return
        self.pause = min(self.pause * _GROWTH, self.longest)
        self._due_at = now + self.pause * (1 + size // _BYTES_PER_PAUSE)
        try:
            self.records.replace(self.name, self.lines.beginning())
        except CasStoreError:
            return
        self._kept_bytes = size

    def close(self) -> None:
        """Write all of it; nothing where nothing was printed. Raises `CasStoreError`."""
        if content := self.lines.content():
            self.records.replace(self.name, content)


def log_of(spec: TaskSpec, stores: Stores, most_mib: int = _USUAL_MIB) -> KeptLog:
    """The log to keep of an attempt: most of `most_mib` of its beginning, the rest of its end."""
    head = most_mib * (1 << 20) * HEAD_BYTES // (HEAD_BYTES + TAIL_BYTES)
    lines = LogBuffer(head, most_mib * (1 << 20) - head)
    name = log_name(spec.flow, spec.run_id, spec.step, spec.task_id, spec.attempt)
    pauses = (_LOCAL_SECONDS, _LOCAL_SECONDS) if stores.is_local else (_S3_SECONDS, _S3_MOST_SECONDS)
    return KeptLog(stores.records, name, *pauses, lines)
