"""`ReadThroughStore`: a store that gets from others what it does not have, when it is first read, and keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, TypeVar

import attrs

from cas_store.backend import Backend
from cas_store.copying import CopyReport, copy
from cas_store.digests import Digest
from cas_store.errors import DamagedObject, MissingObject
from cas_store.parallel import in_order
from cas_store.progress import Watch
from cas_store.references import Reference, digests_of
from cas_store.store import ContentStore, ObjectStat

T = TypeVar("T")
Sources = Callable[[], Iterable[ContentStore]]


class ReadThroughStore(ContentStore):
    """A content store that gets an object from others when it is first read, verified and whole, and keeps it from then on.

    ``sources`` gives the others in the order in which they are asked. It is called where something is missing, and only there:
    what is here is read at no cost, also when no source answers. What is written is written here; ``contains``, iterating,
    ``usage``, ``fsck`` and ``collect_garbage`` are about what is here. Reading needs the right to write, as what comes is kept.
    """

    def __init__(self, backend: Backend, sources: Sources) -> None:
        super().__init__(backend)
        if not callable(sources):
            raise TypeError(f"{sources!r:.200} cannot be called: give what gives the stores, such as lambda: [store]")
        self.sources = sources

    def __repr__(self) -> str:
        return f"ReadThroughStore({self.backend!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """For other processes: the backend, and where the sources come from."""
        return type(self), (self.backend, self.sources)

    def get(self, digest: Digest) -> bytes:
        """All bytes of an object."""
        return self._through(super().get, digest)

    def load(self, digest: Digest) -> memoryview:
        """See `ContentStore.load`."""
        return self._through(super().load, digest)

    def open(self, digest: Digest) -> BinaryIO:
        """See `ContentStore.open`; the whole object comes here first."""
        return self._through(super().open, digest)

    def parts(self, digest: Digest) -> Iterator[bytes]:
        """See `ContentStore.parts`; the whole object comes here first."""
        self.fetch([digest])
        return super().parts(digest)

    def stat(self, digest: Digest) -> ObjectStat:
        """See `ContentStore.stat`; the whole object comes here first."""
        return self._through(super().stat, digest)

    def fetch(self, digests: Iterable[Digest | Reference | str], *, progress: Watch | None = None) -> CopyReport:
        """Get now what of these is not here, several at once where that pays; what is here is counted as ``present``.

        Raises `MissingObject` for the first that no source has, after all others came; `DamagedObject` for one that a source
        has and that is not what was put.
        """
        asked = list(dict.fromkeys(digests_of(digests)))
        wanted = [digest for digest in asked if not self.contains(digest)]
        report = CopyReport(0, 0, len(asked) - len(wanted))
        for source in self.sources() if wanted else ():
            held = _held(source, wanted)
            report = _sum(report, self._copy(source, held, progress))
            wanted = [digest for digest in wanted if digest not in held]
        if wanted:
            raise MissingObject(wanted[0], sources=tuple(repr(source.backend) for source in self.sources()))
        return report

    def lacking(self, digests: Iterable[Digest | Reference | str]) -> Iterator[Digest]:
        """Those of the digests that neither this store nor any source has; asks, and gets nothing."""
        wanted = [digest for digest in dict.fromkeys(digests_of(digests)) if not self.contains(digest)]
        for source in self.sources() if wanted else ():
            held = _held(source, wanted)
            wanted = [digest for digest in wanted if digest not in held]
        yield from wanted

    def _through(self, read: Callable[[Digest], T], digest: Digest) -> T:
        try:
            return read(digest)
        except MissingObject:
            if digest in self:  # a piece of what is here: that is damage, which a source is not asked to hide
                raise
        self.fetch([digest])
        return read(digest)

    def _copy(self, source: ContentStore, digests: Iterable[Digest], progress: Watch | None) -> CopyReport:
        try:
            return copy(source, self, digests, progress=progress)
        except DamagedObject as error:
            raise DamagedObject(error.key, f"{error.detail}, in {source.backend!r}", error.part_of) from error


def _held(source: ContentStore, digests: list[Digest]) -> dict[Digest, None]:
    """Those of the digests that a source has, in their order."""
    there = in_order(source.backend.parallel, source.contains, digests)
    return {digest: None for digest, is_there in zip(digests, there, strict=True) if is_there}


def _sum(one: CopyReport, other: CopyReport) -> CopyReport:
    return attrs.evolve(
        one,
        copied=one.copied + other.copied,
        copied_bytes=one.copied_bytes + other.copied_bytes,
        present=one.present + other.present,
    )
