"""What a store stands on: a flat space of named bytes. Eight methods make a backend; the rest has working defaults."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import attrs

from cas_store.errors import BadName

Bytes = bytes | bytearray | memoryview

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]")
_STORED = re.compile(r"v1/[a-z0-9-]{1,32}/[0-9a-f]{2}/[0-9a-f]{64}\Z")
"""The names that a store uses, as they are by far the most frequent."""
RESERVED = ".tmp"
SMALL_PIECES = "v2/small.sqlite"
"""What a local store keeps there is no name: FORMAT.md, "Small pieces"."""
MAX_NAME_BYTES = 900
"""In UTF-8. S3 allows 1,024, a prefix included."""


@attrs.frozen
class Stat:
    """What a backend knows of a name without reading it; ``modified`` is by the backend's own clock, in UTC."""

    size_bytes: int
    modified: datetime


def check_name(name: str) -> str:
    """The name itself if every backend can keep it and it stays below its root; `BadName` otherwise."""
    if isinstance(name, str) and _STORED.match(name):
        return name
    if not isinstance(name, str) or _FORBIDDEN.search(name) or len(name) > MAX_NAME_BYTES:
        raise BadName(name)
    parts = name.split("/")
    if parts[0] == RESERVED or name.startswith(SMALL_PIECES):
        raise BadName(name)
    for part in parts:
        if part in ("", ".", "..") or (len(part) > 63 and len(part.encode("utf-8", "surrogatepass")) > 255):
            raise BadName(name)
    if not name.isascii():
        try:
            length = len(name.encode("utf-8"))
        except UnicodeEncodeError as error:
            raise BadName(name) from error
        if length > MAX_NAME_BYTES:
            raise BadName(name)
    return name


class Backend(ABC):
    """Named bytes that are written whole or not at all.

    Names are relative paths with ``/`` between their parts. A reader sees all of a name's bytes or `MissingObject`, never a part;
    once ``create`` or ``replace`` returned, every reader everywhere sees them. Subclasses raise `cas_store.errors` only.
    `cas_store.testing.backends` holds the suite that says whether one keeps its promises.
    """

    parallel: int = 1
    """How many calls at once make sense: 1 where a call is cheap, more where it waits."""

    ask_first_bytes: int = 0
    """Ask whether a name exists before creating it with this many bytes or more; below, creating is the question."""
    has_files: bool = False
    """Whether ``open_file`` gives descriptors: what is kept raw can then be mapped."""
    small_bytes: int = 0
    """Pieces of at most this length are given to ``create_many`` where several come together; 0 where that gains nothing."""
    together_bytes: int = 0
    """Of something large, so many bytes of pieces at a time are given to ``create_many``; 0: one at a time, to ``create``."""
    may_tear: bool = False
    """Whether a power cut can leave a name with less than what was written."""

    @abstractmethod
    def create(self, name: str, data: Bytes) -> bool:
        """Store atomically if the name is free. True if this call made it; False if it existed, which stays unchanged."""

    @abstractmethod
    def replace(self, name: str, data: Bytes) -> None:
        """Store atomically, whatever was there."""

    @abstractmethod
    def read(self, name: str) -> bytes:
        """All bytes; raises `MissingObject`."""

    @abstractmethod
    def read_range(self, name: str, offset: int, size: int) -> bytes:
        """The bytes from ``offset``, at most ``size`` of them, fewer where the end is nearer; raises `MissingObject`."""

    @abstractmethod
    def stat(self, name: str) -> Stat:
        """Size and time of the last write; raises `MissingObject`."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Remove; nothing happens if there is nothing."""

    @abstractmethod
    def names(self, prefix: str = "") -> Iterator[str]:
        """All names that start with ``prefix``, sorted by code point, in memory that does not grow with their number."""

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Whether the name is taken, without listing."""

    def create_many(self, items: Sequence[tuple[str, Bytes]]) -> list[str]:
        """As ``create`` for each of different names; those that existed. Override it where many small ones can share the effort.

        A name whose bytes follow from it (a piece's) may be made twice by racing writers; whichever is read is right.
        """
        return [name for name, data in items if not self.create(name, data)]

    def create_parts(self, name: str, parts: Iterable[Bytes], size: int) -> bool:
        """As ``create``, of ``size`` bytes given in parts; override it where large data need not be held in memory."""
        return self.create(name, b"".join(parts))

    def replace_parts(self, name: str, parts: Iterable[Bytes], size: int) -> None:
        """As ``replace``, of ``size`` bytes given in parts; override it where large data need not be held in memory."""
        self.replace(name, b"".join(parts))

    def stats(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        """As ``names``, with each name's `Stat`; override it where a listing knows both."""
        from cas_store.errors import MissingObject

        for name in self.names(prefix):
            try:
                yield name, self.stat(name)
            except MissingObject:  # deleted since it was listed
                continue

    def delete_many(self, names: Iterable[str]) -> None:
        """As ``delete`` for each; override it where one request can do many."""
        for name in names:
            self.delete(name)

    def leftovers(self) -> Iterator[tuple[str, Stat]]:
        """What interrupted writes left behind, and the stat of each; removable with ``remove_leftover`` once old enough."""
        return iter(())

    def remove_leftover(self, name: str) -> None:  # noqa: B027 (a default, not a duty)
        """Remove what ``leftovers`` named."""

    def damage(self) -> Mapping[str, str]:
        """Which of the backend's own files, that hold many names, are damaged, and what was seen; reads all of them."""
        return {}

    def set_aside(self, name: str, aside: str) -> Iterator[tuple[str, bytes]]:
        """Move what ``damage`` named to the name ``aside``; what it held, names and bytes, as far as that can be read."""
        return iter(())

    def flush(self) -> None:  # noqa: B027 (a default, not a duty)
        """Make durable what was written since the last flush, where the policy asks for it."""

    def rely_on(self, latest: Stat) -> None:  # noqa: B027
        """A writer says that names are stored which it found, this one written last: they have to be as durable as its own."""

    def warm_up(self) -> None:  # noqa: B027
        """Import and set up now what the first call would, without asking the storage anything: see `ContentStore.warm_up`."""

    def open_file(self, name: str) -> int | None:
        """A file descriptor to map the name's bytes from, or None where there are no files; raises `MissingObject`."""
        return None
