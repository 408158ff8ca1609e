"""Writing pieces and lists: hash, ask, compress, create. The order of writes is the crash argument of FORMAT.md."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from operator import attrgetter

from cas_store import renewing
from cas_store.backend import Backend, Bytes, Stat
from cas_store.chunking import CDC_MIN_BYTES, PAGES_BYTES, cut_content, cut_pages, cut_stream
from cas_store.digests import CONTENT_LIST, PAGE_LIST, PIECE, Digest, digest_of, location
from cas_store.errors import MissingObject
from cas_store.frames import PAYS, PAYS_MORE_THAN_A_MAP, encode
from cas_store.lists import encode_list
from cas_store.parallel import in_order
from cas_store.renewing import Beginning, Renewing

WORTH_THREADS_BYTES = 8 * 1024 * 1024
BATCH_PIECES, BATCH_BYTES = 4096, 8 * 1024 * 1024
"""Small pieces that go to a backend together: that many, or of so many bytes."""


class Writer:
    """Stores content below one backend; holds no content itself."""

    def __init__(self, backend: Backend, writers: Renewing) -> None:
        self._backend = backend
        self._renewing = writers
        self._page_pays = PAYS_MORE_THAN_A_MAP if backend.has_files else PAYS

    def bytes(self, data: Bytes) -> Digest:
        """Store a byte string, cut by its content."""
        view = flat(data)
        if view.nbytes <= CDC_MIN_BYTES:
            return self.piece(view)
        return self._pieces(CONTENT_LIST, cut_content(view), view.nbytes)

    def many(self, contents: Iterable[Bytes]) -> Iterator[Digest]:
        """As ``bytes`` for each, in order; small ones that follow each other go to the backend together."""
        small = self._backend.small_bytes
        for is_small, views in itertools.groupby(map(flat, contents), lambda view: view.nbytes <= small):
            if is_small and small:
                for batch in _batches(views, BATCH_BYTES):
                    yield from self._together(batch)
            else:
                yield from map(self.bytes, views)

    def buffer(self, data: Bytes) -> Digest:
        """Store a buffer, cut at fixed lengths."""
        view = flat(data)
        if view.nbytes <= PAGES_BYTES:
            return self.piece(view)
        return self._pieces(PAGE_LIST, cut_pages(view), view.nbytes, self._page_pays)

    def stream(self, source: object) -> Digest:
        """Store what a stream gives until it ends, cut by its content: the same digest as of its bytes."""
        return self._pieces(CONTENT_LIST, cut_stream(source), None)

    def piece(self, data: Bytes, pays: float = PAYS) -> Digest:
        """Store bytes as one piece, unless they are there; compressed where they shrink to 1/``pays``."""
        beginning = self._renewing.begin()
        digest = digest_of(PIECE, data)
        name = location(digest)
        size = memoryview(data).nbytes
        found = self._known(name, size)
        if found is None:
            stored = encode(data, pays)
            if not self._backend.create(name, stored):
                found = self._met(name, stored)
        self._rely_on([found])
        self._renewing.put(digest, partial(self._rewrite, name, data, pays), beginning)
        return digest

    def _together(self, views: Sequence[memoryview], pays: float = PAYS) -> list[Digest]:
        """Store each as one piece, in one call of the backend."""
        beginning = self._renewing.begin()
        digests = [digest_of(PIECE, view) for view in views]
        contents = dict(zip(map(location, digests), views, strict=True))
        known = {name: self._known(name, view.nbytes) for name, view in contents.items()}
        stored = {name: encode(contents[name], pays) for name, found in known.items() if found is None}
        met = [self._met(name, stored[name]) for name in self._backend.create_many(list(stored.items()))]
        self._rely_on([*known.values(), *met])
        for digest, (name, view) in zip(dict.fromkeys(digests), contents.items(), strict=True):
            self._renewing.put(digest, partial(self._rewrite, name, view, pays), beginning)
        return digests

    def _rewrite(self, name: str, data: Bytes, pays: float = PAYS) -> None:
        self._backend.replace(name, encode(data, pays))

    def list(self, algorithm: str, pieces: Sequence[tuple[Digest, int]], began: float) -> Digest:
        """Store a list whose pieces are stored, since ``began`` by `renewing.clock`."""
        if self._renewing.is_old(began):
            self._renewing.confirm(digest for digest, _ in pieces)
        _, view = self._renewing.begin()
        digest, data = encode_list(algorithm, pieces)
        self._create(digest, data, (began, view))
        return digest

    def adopt(self, digest: Digest, stored: Bytes) -> None:
        """Store the verified file of a piece, or of a list whose pieces are stored, as another store keeps it."""
        self._create(digest, stored, self._renewing.begin())

    def file(self, digest: Digest, parts: Callable[[], Iterable[Bytes]], size: int) -> None:
        """Store a plain file; ``parts`` gives its bytes, any number of times."""
        beginning = self._renewing.begin()
        name = location(digest)
        found = self._found(name, size)
        if found is None and not self._backend.create_parts(name, parts(), size) and self._backend.may_tear:
            self._backend.replace_parts(name, parts(), size)  # torn by a power cut, or made by another just now
        self._rely_on([found])
        self._renewing.put(digest, lambda: self._backend.replace_parts(name, parts(), size), beginning)

    def _create(self, digest: Digest, stored: Bytes, beginning: Beginning) -> None:
        name = location(digest)
        if not self._backend.create(name, stored):
            self._rely_on([self._met(name, stored)])
        self._renewing.put(digest, lambda: self._backend.replace(name, stored), beginning)

    def _pieces(self, algorithm: str, pieces: Iterator[Bytes], size: int | None, pays: float = PAYS) -> Digest:
        """What is cut into one piece is that piece; else the pieces first, then the list that names them."""
        began = renewing.clock()
        workers = 1 if size is not None and size < WORTH_THREADS_BYTES else self._backend.parallel

        def store(views: Sequence[memoryview]) -> list[tuple[Digest, int]]:
            digests = self._together(views, pays) if len(views) > 1 else [self.piece(views[0], pays)]
            return [(digest, view.nbytes) for digest, view in zip(digests, views, strict=True)]

        batches = _batches(map(memoryview, pieces), self._backend.together_bytes)
        stored = list(itertools.chain.from_iterable(in_order(workers, store, batches, workers + 1)))
        if not stored:
            return self.piece(b"")
        return stored[0][0] if len(stored) == 1 else self.list(algorithm, stored, began)

    def _known(self, name: str, size: int) -> Stat | None:
        """What is there, if it was worth asking."""
        return self._found(name, size) if size >= self._backend.ask_first_bytes else None

    def _found(self, name: str, size: int) -> Stat | None:
        try:
            found = self._backend.stat(name)
        except MissingObject:
            return None
        return found if found.size_bytes or not size else None  # an empty file is one that a power cut tore: not there

    def _met(self, name: str, data: Bytes) -> Stat | None:
        """What was there when it was to be created; a file that a power cut tore is replaced."""
        if not self._backend.may_tear:
            return None
        found = self._found(name, memoryview(data).nbytes)
        if found is None:
            self._backend.replace(name, data)
        return found

    def _rely_on(self, found: Iterable[Stat | None]) -> None:
        there = [stat for stat in found if stat is not None]
        if there:
            self._backend.rely_on(max(there, key=attrgetter("modified")))


def _batches(views: Iterable[memoryview], most_bytes: int) -> Iterator[list[memoryview]]:
    """Some at a time: what one call of a backend is given."""
    batch: list[memoryview] = []
    size = 0
    for view in views:
        batch.append(view)
        size += view.nbytes
        if len(batch) >= BATCH_PIECES or size >= most_bytes:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def flat(data: Bytes) -> memoryview:
    """The bytes of any contiguous buffer, without a copy."""
    try:
        view = memoryview(data)
    except TypeError:
        kind = type(data).__name__
        raise TypeError(f"{kind} is no buffer: give bytes; a pathlib.Path or a stream goes to put()") from None
    if view.format == "B" and view.ndim == 1:
        return view
    return view.cast("B") if view.c_contiguous and view.nbytes else memoryview(view.tobytes())
