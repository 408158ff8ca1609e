"""One sweep at a time: who holds the lease with the highest number may delete. FORMAT.md, "Collection"."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta
from types import TracebackType

from cas_store.backend import Backend
from cas_store.condemned import PREFIX
from cas_store.errors import MissingObject, SweepRefused

LEASES = PREFIX + "lease-"
RENEW_SECONDS = 60.0
ABANDONED = timedelta(minutes=15)
"""A lease that was not renewed for so long is one of a sweep that was killed."""


class Lease:
    """Held within its ``with`` block; raises `SweepRefused` on entering while another sweep is at work.

    ``take_over`` asserts that whoever holds it was killed.
    """

    def __init__(self, backend: Backend, take_over: bool = False) -> None:
        self._backend = backend
        self._take_over = take_over
        self._name = ""
        self._renewed = 0.0

    def __enter__(self) -> Lease:
        others = list(self._backend.names(LEASES))
        if others and not self._take_over:
            self._refuse_if_fresh(others[-1])
        number = int(others[-1][len(LEASES) :]) + 1 if others else 1
        self._name = f"{LEASES}{number:012d}"
        self._renewed = time.monotonic()
        if not self._backend.create(self._name, _holder()):
            raise SweepRefused("another sweep began at the same moment: let it do the work")
        self._backend.delete_many(others)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._backend.delete(self._name)

    def now(self) -> datetime:
        """The time by the backend's own clock."""
        self._backend.replace(self._name, _holder())
        return self._backend.stat(self._name).modified

    def tick(self) -> None:
        """Keep the lease; to be called at least every few minutes, costs nothing most of the time."""
        if time.monotonic() - self._renewed >= RENEW_SECONDS:
            self.check()

    def check(self) -> None:
        """Keep the lease; raises `SweepRefused` where another sweep took it over."""
        if list(self._backend.names(LEASES))[-1:] != [self._name]:
            raise SweepRefused("another sweep took over, as this one was silent for too long: let it do the work")
        self._renewed = time.monotonic()
        self._backend.replace(self._name, _holder())

    def _refuse_if_fresh(self, name: str) -> None:
        try:
            renewed = self._backend.stat(name).modified
            holder = self._backend.read(name).decode(errors="replace")
        except MissingObject:  # it ended just now
            return
        if backend_time(self._backend) - renewed < ABANDONED:
            raise SweepRefused(
                f"a sweep is at work ({holder}, last heard of at {renewed:%Y-%m-%d %H:%M:%S} UTC): let it finish; "
                f"if it was killed, wait {ABANDONED.seconds // 60} minutes or say that it is to be resumed"
            )


def backend_time(backend: Backend) -> datetime:
    """The time by the backend's own clock, told by a file that is written for it."""
    name = f"{PREFIX}clock-{os.urandom(4).hex()}"
    backend.replace(name, b"")
    try:
        return backend.stat(name).modified
    finally:
        backend.delete(name)


def _holder() -> bytes:
    import socket

    return f"process {os.getpid()} on {socket.gethostname()}".encode()
