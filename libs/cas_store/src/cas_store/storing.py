"""Writing pieces and lists: hash, ask, compress, create. The order of writes is the crash argument of FORMAT.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from cas_store import renewing
from cas_store.backend import Backend, Bytes
from cas_store.chunking import CDC_MIN_BYTES, PAGES_BYTES, cut_content, cut_pages, cut_stream
from cas_store.digests import CONTENT_LIST, PAGE_LIST, PIECE, Digest, digest_of, location
from cas_store.errors import MissingObject
from cas_store.frames import PAYS, PAYS_MORE_THAN_A_MAP, encode
from cas_store.lists import encode_list
from cas_store.parallel import in_order
from cas_store.renewing import Beginning, Renewing

WORTH_THREADS_BYTES = 8 * 1024 * 1024


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
        if not (size >= self._backend.ask_first_bytes and self._is_there(name, size)):
            stored = encode(data, pays)
            if not self._backend.create(name, stored):
                self._mend(name, stored)
        self._renewing.put(digest, lambda: self._backend.replace(name, encode(data, pays)), beginning)
        return digest

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
        if not self._backend.exists(name):
            self._backend.create_parts(name, parts(), size)
        self._renewing.put(digest, lambda: self._backend.replace_parts(name, parts(), size), beginning)

    def _create(self, digest: Digest, stored: Bytes, beginning: Beginning) -> None:
        name = location(digest)
        if not self._backend.create(name, stored):
            self._mend(name, stored)
        self._renewing.put(digest, lambda: self._backend.replace(name, stored), beginning)

    def _pieces(self, algorithm: str, pieces: Iterator[Bytes], size: int | None, pays: float = PAYS) -> Digest:
        """What is cut into one piece is that piece; else the pieces first, then the list that names them."""
        began = renewing.clock()
        workers = 1 if size is not None and size < WORTH_THREADS_BYTES else self._backend.parallel
        stored = list(
            in_order(workers, lambda data: (self.piece(data, pays), memoryview(data).nbytes), pieces, workers + 1)
        )
        if not stored:
            return self.piece(b"")
        return stored[0][0] if len(stored) == 1 else self.list(algorithm, stored, began)

    def _is_there(self, name: str, size: int) -> bool:
        try:
            found = self._backend.stat(name)
        except MissingObject:
            return False
        return found.size_bytes > 0 or size == 0  # an empty file is one that a power cut tore: not there

    def _mend(self, name: str, data: Bytes) -> None:
        """Replace a file that a power cut tore."""
        if self._backend.may_tear and not self._is_there(name, memoryview(data).nbytes):
            self._backend.replace(name, data)


def flat(data: Bytes) -> memoryview:
    """The bytes of any contiguous buffer, without a copy."""
    view = memoryview(data)
    if view.format == "B" and view.ndim == 1:
        return view
    return view.cast("B") if view.c_contiguous and view.nbytes else memoryview(view.tobytes())
