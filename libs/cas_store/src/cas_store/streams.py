"""An object as a seekable stream: holds one piece at a time."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING

from cas_store.backend import Backend
from cas_store.digests import FILE, Digest
from cas_store.reading import load_file, read_list, read_piece, sized_piece

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class ObjectStream(io.RawIOBase):
    """A read-only stream over an object; each piece is verified when it is reached."""

    def __init__(self, backend: Backend, digest: Digest) -> None:
        self._backend = backend
        self._digest = digest
        self._pieces = read_list(backend, digest) if digest.is_list else None
        self._at = 0
        self._start = 0
        self._held: memoryview | bytes = b""
        if digest.algorithm == FILE:
            self._held = load_file(backend, digest)
        elif self._pieces is None:
            self._held = read_piece(backend, digest)
        self._size = self._pieces.size if self._pieces else len(self._held)

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """The position in the object."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position, which may be behind the end."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"position {base + offset} is before the start")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill the buffer from one piece; 0 at the end."""
        space = memoryview(buffer).cast("B")
        if self._at >= self._size or not space.nbytes:
            return 0
        self._reach()
        offset = self._at - self._start
        part = self._held[offset : offset + space.nbytes]
        space[: len(part)] = part
        self._at += len(part)
        return len(part)

    def _reach(self) -> None:
        """Hold the piece at the position."""
        if self._pieces is None or self._start <= self._at < self._start + len(self._held):
            return
        piece, start, size = next(self._pieces.covering(self._at, 1))
        self._held, self._start = sized_piece(self._backend, self._digest, piece, start, size), start
