"""Reading objects: every byte that leaves here was verified."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator, Sequence

from cas_store import mapping
from cas_store.backend import Backend
from cas_store.chunking import MAX_PAGES
from cas_store.digests import FILE, PAGE_LIST, Digest, location
from cas_store.errors import DamagedObject, MissingObject
from cas_store.frames import MAX_FILE_BYTES, MAX_HEADER_BYTES, decode, is_right, plain_size
from cas_store.lists import MAX_LIST_BYTES, PieceList, decode_list
from cas_store.parallel import in_order
from cas_store.verified import WORTH_BYTES, Verified

WORTH_THREADS_BYTES = 8 * 1024 * 1024
FILE_PART_BYTES = 8 * 1024 * 1024


def read_piece(backend: Backend, digest: Digest, part_of: Digest | None = None) -> bytes:
    """A piece, verified."""
    stored = read_bounded(backend, digest, MAX_FILE_BYTES, part_of)
    try:
        return decode(digest, stored)
    except DamagedObject as error:
        raise DamagedObject(digest, error.detail, part_of) from error.__cause__


def read_list(backend: Backend, digest: Digest) -> PieceList:
    """The list of an object's pieces, verified."""
    return decode_list(digest, read_bounded(backend, digest, MAX_LIST_BYTES))


def read_stored(backend: Backend, digest: Digest, part_of: Digest | None = None) -> bytes:
    """The file of a piece or a list as it is stored, verified."""
    stored = read_bounded(backend, digest, MAX_LIST_BYTES if digest.is_list else MAX_FILE_BYTES, part_of)
    if digest.is_list:
        decode_list(digest, stored)
    else:
        decode(digest, stored)
    return stored


def read_bounded(backend: Backend, digest: Digest, limit: int, part_of: Digest | None = None) -> bytes:
    """A file's bytes, unless there are more than any sound file of its kind has."""
    try:
        stored = backend.read_range(location(digest), 0, limit + 1)
    except MissingObject as error:
        raise MissingObject(digest, part_of) from error
    if len(stored) > limit:
        raise DamagedObject(digest, f"its file is longer than the {limit} bytes that one can have", part_of)
    return stored


def read_parts(backend: Backend, digest: Digest) -> Iterator[bytes]:
    """An object's bytes in order, in parts of at most some MiB, read ahead in parallel where that pays.

    The parts of a ``sha256-file`` are verified together: the last one comes only when all were right.
    """
    if digest.is_list:
        pieces = read_list(backend, digest)
        workers = backend.parallel if pieces.size >= WORTH_THREADS_BYTES else 1
        yield from in_order(workers, lambda piece: sized_piece(backend, digest, *piece), pieces.pieces())
    elif digest.algorithm == FILE:
        yield from _read_file(backend, digest)
    else:
        yield read_piece(backend, digest)


def sized_piece(backend: Backend, whole: Digest, piece: Digest, start: int, size: int) -> bytes:
    """A piece of an object, verified, and of the length that the object's list gives."""
    data = read_piece(backend, piece, whole)
    if len(data) != size:
        raise DamagedObject(whole, f"its list gives {piece} {size} bytes, it has {len(data)}")
    return data


def _read_file(backend: Backend, digest: Digest) -> Iterator[bytes]:
    size = file_size(backend, digest)
    name = location(digest)
    spans = range(0, size, FILE_PART_BYTES)
    state = hashlib.sha256()
    held: bytes | None = None
    for part in in_order(backend.parallel, lambda at: backend.read_range(name, at, FILE_PART_BYTES), spans):
        if held is not None:
            yield held
        state.update(part)
        held = part
    if state.hexdigest() != digest.hex:
        raise DamagedObject(digest, f"its {size} bytes have another digest")
    yield held or b""


def file_size(backend: Backend, digest: Digest) -> int:
    """Length of the digest's file as it is stored."""
    try:
        return backend.stat(location(digest)).size_bytes
    except MissingObject as error:
        raise MissingObject(digest) from error


def object_size(backend: Backend, digest: Digest) -> int:
    """Length of an object, from as few bytes as tell it."""
    if digest.is_list:
        return read_list(backend, digest).size
    size = file_size(backend, digest)
    if digest.algorithm == FILE:
        return size
    return plain_size(digest, backend.read_range(location(digest), 0, MAX_HEADER_BYTES), size)


def read_whole(backend: Backend, digest: Digest) -> bytes:
    """An object's bytes in one allocation."""
    if not digest.is_list and digest.algorithm != FILE:
        return read_piece(backend, digest)
    whole = io.BytesIO()
    for part in read_parts(backend, digest):
        whole.write(part)
    return whole.getvalue()


def load_buffer(backend: Backend, verified: Verified, digest: Digest) -> memoryview:
    """An object's bytes as writable memory of one's own: mapped from files where there are files and they hold raw bytes."""
    pieces = _mappable(backend, digest) if mapping.SUPPORTED else []
    if pieces and (view := _Mapped(backend, verified, digest, pieces).view()) is not None:
        return view
    if digest.is_list:
        return _load_list(backend, read_list(backend, digest))
    return memoryview(bytearray(read_whole(backend, digest)))


def _load_list(backend: Backend, pieces: PieceList) -> memoryview:
    whole = mapping.new_memory(pieces.size)

    def fill(piece: tuple[Digest, int, int]) -> None:
        digest, start, size = piece
        whole[start : start + size] = sized_piece(backend, pieces.digest, digest, start, size)

    workers = backend.parallel if pieces.size >= WORTH_THREADS_BYTES else 1
    for _ in in_order(workers, fill, pieces.pieces()):
        pass
    return whole


Piece = tuple[Digest, int, int]


def _mappable(backend: Backend, digest: Digest) -> list[Piece]:
    """The pieces to map, if maps can hold them: each starts at a page, and they are not too many."""
    if digest.algorithm == FILE:
        size = file_size(backend, digest)
        return [(digest, 0, size)] if size >= WORTH_BYTES else []
    pieces = list(read_list(backend, digest).pieces()) if digest.algorithm == PAGE_LIST else []
    aligned = all(start % mapping.PAGE_BYTES == 0 for _, start, _ in pieces)
    return pieces if aligned and len(pieces) <= MAX_PAGES else []


class _Mapped:
    """One object in one address range: raw pieces mapped, the others decompressed into it."""

    def __init__(self, backend: Backend, verified: Verified, digest: Digest, pieces: list[Piece]) -> None:
        self._backend = backend
        self._verified = verified
        self._digest = digest
        self._pieces = pieces

    def view(self) -> memoryview | None:
        """The bytes, verified now or before; None where the backend has no files."""
        first = self._open(self._pieces[0][0])
        if first is None:
            return None
        os.close(first)
        _, start, size = self._pieces[-1]
        self._region = mapping.Region(start + size)
        identities = [self._map(piece) for piece in self._pieces]
        mapped = [identity for identity in identities if identity is not None]
        trusted = bool(mapped) and self._verified.holds(self._digest, mapped)
        todo = [
            (piece, known) for piece, known in zip(self._pieces, identities, strict=True) if not (trusted and known)
        ]
        workers = (os.cpu_count() or 1) if start + size >= WORTH_THREADS_BYTES else 1
        for _ in in_order(workers if todo else 1, lambda one: self._verify(*one), todo):
            pass
        if mapped and not trusted:
            self._verified.remember(self._digest, mapped)
        return self._region.view()

    def _open(self, digest: Digest) -> int | None:
        try:
            return self._backend.open_file(location(digest))
        except MissingObject as error:
            raise MissingObject(digest, self._digest) from error

    def _map(self, piece: Piece) -> Sequence[int] | None:
        """The identity of the file that now is mapped at its place, or None where it is no raw one."""
        digest, start, size = piece
        fd = self._open(digest)
        if fd is None:
            return None
        try:
            identity = mapping.identity(fd)
            return identity if identity[2] == size and self._region.map_file(fd, start, size) else None
        finally:
            os.close(fd)

    def _verify(self, piece: Piece, known: Sequence[int] | None) -> None:
        digest, start, size = piece
        view = self._region.view()[start : start + size]
        if known and is_right(digest, view):
            return
        if digest.algorithm == FILE:
            raise DamagedObject(digest, f"its {size} bytes have another digest")
        view[:] = sized_piece(self._backend, self._digest, digest, start, size)  # a frame, or damage: reading tells


def load_file(backend: Backend, digest: Digest) -> memoryview:
    """The bytes of a ``sha256-file``, verified: mapped where there are files, else in memory."""
    return load_buffer(backend, Verified(backend), digest)
