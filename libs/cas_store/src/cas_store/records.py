"""Digests as records of one length, for lists of millions: sorted records are in the order of the digests' names in a backend."""

from __future__ import annotations

from cas_store.digests import CONTENT_LIST, FILE, PAGE_LIST, PIECE, Digest

BY_NAME = (CONTENT_LIST, FILE, PAGE_LIST, PIECE)
"""In the order of their names below ``v1/`` (``-`` comes before ``/``): lists before pieces, which collection relies on."""
_CODES = {algorithm: bytes([code]) for code, algorithm in enumerate(BY_NAME)}

RECORD_BYTES = 33
"""One byte of algorithm, 32 of hash. FORMAT.md, "Sweep files", is the specification."""


def pack(digest: Digest) -> bytes:
    """The record of a digest."""
    return _CODES[digest.algorithm] + bytes.fromhex(digest.hex)


def pack_piece(raw: bytes) -> bytes:
    """The record of the piece with this hash."""
    return _CODES[PIECE] + raw


def unpack(record: bytes) -> Digest:
    """The digest of a record; raises `IndexError` where the algorithm is none of ours."""
    return Digest(BY_NAME[record[0]], record[1:RECORD_BYTES].hex())
