"""Writers beside a sweep: what is condemned is written anew. FORMAT.md, "Collection", argues every constant here."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator

from cas_store import condemned as sweep_files
from cas_store.backend import Backend, Stat
from cas_store.condemned import Condemned
from cas_store.digests import FILE, Digest, location
from cas_store.errors import DamagedObject, MissingObject
from cas_store.parallel import in_order
from cas_store.reading import file_size, read_list, read_parts, read_stored
from cas_store.records import pack

REREAD_SECONDS = 900.0
"""A writer's knowledge of the sweep is never older. No sweep waits less than four times as long before it deletes."""
RECENT_SECONDS = REREAD_SECONDS / 2
ABANDONED_SECONDS = 900.0
"""A batch that is announced for so long is one of a sweep that was killed: sweeps give up a batch after a third of it."""
POLL_SECONDS = 0.2
HELD_PARTS = 128
"""Of the list of the condemned, in memory: 17 MiB."""
HELD_RECENT = 20_000

Rewrite = Callable[[], None]
Beginning = tuple[float, "View"]
"""When a writer began, by `clock`, and what it knew of the sweep then."""
sleep = time.sleep


def clock() -> float:
    """Seconds that go on while the machine sleeps, where the system has such a clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.time()


class Renewing:
    """A writer's view of the sweep under way, if any. Safe to share between threads."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._view = View(backend, None, clock() - REREAD_SECONDS)
        self._recent = Recent()
        self._abandoned: set[bytes] = set()

    def begin(self) -> Beginning:
        """To be called before a writer asks whether something is stored, and to be given to ``put``."""
        view = self._view
        now = clock()
        if now - view.read_at >= REREAD_SECONDS:
            view = self._view = view.again()  # two threads may both do it: no lock that a fork could leave locked
        return now, view

    def put(self, digest: Digest, rewrite: Rewrite, beginning: Beginning) -> None:
        """A writer stored the digest, or found it stored, and relies on it."""
        began, view = beginning
        self._settle(digest, rewrite, view)
        now = clock()
        if now - began < RECENT_SECONDS:
            self._recent.add(digest, now)

    def confirm(self, digests: Iterable[Digest]) -> None:
        """Make sure that no sweep deletes these before a record of them, made within `REREAD_SECONDS`, is seen by one."""
        files = self._files(digests)
        latest: Stat | None = None
        for first in files:  # no threads where there is nothing to ask
            asked = itertools.chain([first], files)
            for found in in_order(self._backend.parallel, lambda one: self._confirm(*one), asked):
                latest = found if latest is None or found.modified > latest.modified else latest
        if latest is not None:
            self._backend.rely_on(latest)

    def forget(self) -> None:
        """Rely on nothing that was put: something was deleted by other ways than a sweep beside writers."""
        self._recent = Recent()

    def is_old(self, began: float) -> bool:
        """Whether what was put then has to be confirmed before a list may rely on it."""
        return clock() - began > REREAD_SECONDS

    def _files(self, digests: Iterable[Digest]) -> Iterator[tuple[Digest, Digest | None]]:
        """What is to be confirmed for these: all files of an object that was not put just now, and the list they are part of."""
        now = clock()
        for digest in digests:
            if self._recent.holds(digest, now):
                continue
            if digest.is_list:
                yield from ((piece, digest) for piece in read_list(self._backend, digest).digests())
            yield digest, None

    def _confirm(self, digest: Digest, part_of: Digest | None) -> Stat:
        _, view = self.begin()
        try:
            found = self._backend.stat(location(digest))
        except MissingObject as error:
            raise MissingObject(digest, part_of) from error
        self._settle(digest, lambda: renew(self._backend, digest, part_of), view)
        return found

    def _settle(self, digest: Digest, rewrite: Rewrite, view: View) -> None:
        """Where the digest is condemned: write it, until it is there and cannot be deleted any more."""
        if not view.holds(digest):
            return
        while True:
            rewrite()
            self._wait_while_deleted(pack(digest))
            if self._backend.exists(location(digest)):
                break
        self._backend.flush()  # what was there before may have been on disk for long
        view.renewed.add(digest)

    def _wait_while_deleted(self, record: bytes) -> None:
        since, token = clock(), b""
        while (batch := sweep_files.current_batch(self._backend)) and batch.holds(record):
            if batch.token != token:
                since, token = clock(), batch.token
            if token in self._abandoned or clock() - since >= ABANDONED_SECONDS:
                self._abandoned.add(token)
                return
            sleep(POLL_SECONDS)


class View:
    """What a writer knows of the sweep since ``read_at``, and what it has renewed in it."""

    def __init__(
        self, backend: Backend, condemned: Condemned | None, read_at: float, *, is_unknown: bool = False
    ) -> None:
        self._backend = backend
        self._condemned = condemned
        self._is_unknown = is_unknown
        self._parts: dict[int, bytes] = {}
        self.read_at = read_at
        self.renewed: set[Digest] = set()

    def again(self) -> View:
        """The view of now: with what is known already where the sweep is still the same."""
        now = clock()
        try:
            condemned = sweep_files.current(self._backend)
        except DamagedObject:  # a power cut tore the list, and the next sweep replaces it: writing anew is always right
            return View(self._backend, None, now, is_unknown=True)
        view = View(self._backend, condemned, now)
        if condemned is not None and self._condemned is not None and condemned.id == self._condemned.id:
            view._parts, view.renewed = self._parts, self.renewed
        return view

    def holds(self, digest: Digest) -> bool:
        """Whether the digest is condemned and was not renewed, or may have been deleted since by a sweep that ended."""
        if self._condemned is None or digest in self.renewed:
            return self._is_unknown and digest not in self.renewed
        record = pack(digest)
        number = self._condemned.part_of(record)
        if number is None:
            return False
        try:
            return sweep_files.part_holds(self._part(self._condemned, number), record)
        except (MissingObject, DamagedObject):
            self.read_at -= REREAD_SECONDS  # out of date
            return True

    def _part(self, condemned: Condemned, number: int) -> bytes:
        part = self._parts.get(number)
        if part is None:
            part = sweep_files.read_part(self._backend, condemned, number)
            if len(self._parts) >= HELD_PARTS:
                self._parts.clear()
            self._parts[number] = part
        return part


class Recent:
    """The digests of the last `RECENT_SECONDS`, up to twice `HELD_RECENT` of them: forgetting one costs a question, no more."""

    def __init__(self) -> None:
        self._began = clock()
        self._now: set[Digest] = set()
        self._before: set[Digest] = set()

    def add(self, digest: Digest, now: float) -> None:
        """Remember."""
        self._turn(now)
        self._now.add(digest)

    def holds(self, digest: Digest, now: float) -> bool:
        """Whether it was added in the time."""
        self._turn(now)
        return digest in self._now or digest in self._before

    def _turn(self, now: float) -> None:
        age = now - self._began
        if age >= RECENT_SECONDS / 2 or len(self._now) >= HELD_RECENT:
            self._before = self._now if age < RECENT_SECONDS else set()
            self._now = set()
            self._began = now


def renew(backend: Backend, digest: Digest, part_of: Digest | None = None) -> None:
    """Write a stored object's file anew, the same bytes, verified on the way."""
    if digest.algorithm == FILE:
        backend.replace_parts(location(digest), read_parts(backend, digest), file_size(backend, digest))
    else:
        backend.replace(location(digest), read_stored(backend, digest, part_of))
