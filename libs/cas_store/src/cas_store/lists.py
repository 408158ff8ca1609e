"""The list of the pieces of something large: its bytes decide its digest. FORMAT.md, "Lists", is the specification."""

from __future__ import annotations

import itertools
import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator

import attrs

from cas_store.chunking import MAX_PIECE_BYTES
from cas_store.digests import CONTENT_LIST, PAGE_LIST, PIECE, Digest, digest_of
from cas_store.errors import DamagedObject, UnsupportedFormat

MAGIC = b"CASL"
VERSION = 1
_KINDS = {CONTENT_LIST: 1, PAGE_LIST: 2}
_HEAD = struct.Struct("<4sBBHIQ")
_ENTRY = struct.Struct("<I32s")
MAX_PIECES = 1 << 24
MAX_LIST_BYTES = _HEAD.size + MAX_PIECES * _ENTRY.size


@attrs.frozen
class PieceList:
    """Pieces in order. ``ends[i]`` is where piece ``i`` ends in the whole."""

    digest: Digest
    hashes: tuple[bytes, ...]
    ends: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of the whole."""
        return self.ends[-1]

    def pieces(self) -> Iterator[tuple[Digest, int, int]]:
        """Digest, start and length of each piece."""
        start = 0
        for raw, end in zip(self.hashes, self.ends, strict=True):
            yield Digest(PIECE, raw.hex()), start, end - start
            start = end

    def digests(self) -> Iterator[Digest]:
        """Digest of each piece."""
        return (Digest(PIECE, raw.hex()) for raw in self.hashes)

    def covering(self, offset: int, size: int) -> Iterator[tuple[Digest, int, int]]:
        """The pieces that hold some of the bytes from ``offset`` on: digest, start and length of each."""
        first = bisect_right(self.ends, offset)
        for at in range(first, len(self.ends)):
            start = self.ends[at - 1] if at else 0
            if start >= offset + size:
                return
            yield Digest(PIECE, self.hashes[at].hex()), start, self.ends[at] - start


def encode_list(algorithm: str, pieces: Iterable[tuple[Digest, int]]) -> tuple[Digest, bytes]:
    """The digest and the bytes of a list of (digest, length)."""
    entries = [_ENTRY.pack(size, bytes.fromhex(digest.hex)) for digest, size in pieces]
    total = sum(int.from_bytes(entry[:4], "little") for entry in entries)
    data = _HEAD.pack(MAGIC, VERSION, _KINDS[algorithm], 0, len(entries), total) + b"".join(entries)
    return digest_of(algorithm, data), data


def decode_list(digest: Digest, data: bytes) -> PieceList:
    """Read a list, verified; `DamagedObject` or `UnsupportedFormat`."""
    if digest_of(digest.algorithm, data).hex != digest.hex:
        raise DamagedObject(digest, "its list of pieces has another digest")
    magic, version, kind, _, count, total = _HEAD.unpack_from(data) if len(data) >= _HEAD.size else (b"", 0, 0, 0, 0, 0)
    if magic == MAGIC and version > VERSION:
        raise UnsupportedFormat(str(digest), version)
    sound = (
        magic == MAGIC and kind == _KINDS[digest.algorithm] and len(data) == _HEAD.size + count * _ENTRY.size and count
    )
    entries = list(_ENTRY.iter_unpack(data[_HEAD.size :])) if sound else []
    ends = tuple(itertools.accumulate(size for size, _ in entries))
    if not entries or ends[-1] != total or not all(0 < size <= MAX_PIECE_BYTES for size, _ in entries):
        raise DamagedObject(digest, "its list of pieces is not well-formed")
    return PieceList(digest, tuple(raw for _, raw in entries), ends)
