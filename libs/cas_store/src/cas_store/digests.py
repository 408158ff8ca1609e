"""Digests: the identity of content, with the algorithm named in it. FORMAT.md, "Digests", is the specification."""

from __future__ import annotations

import hashlib
import re

import attrs

from cas_store.errors import BadDigest, UnsupportedFormat

PIECE = "sha256"
"""One piece of at most ``MAX_PIECE_BYTES``: the SHA-256 of its bytes."""
FILE = "sha256-file"
"""The bytes as they are in one file of any size: the SHA-256 of its bytes."""
CONTENT_LIST = "sha256-cdc"
"""Cut where the content says: the SHA-256 of the list of pieces."""
PAGE_LIST = "sha256-pages"
"""Cut at multiples of a fixed length: the SHA-256 of the list of pieces."""

ALGORITHMS = (PIECE, FILE, CONTENT_LIST, PAGE_LIST)
LISTS = (CONTENT_LIST, PAGE_LIST)
VERSION_PREFIX = "v1/"

_SHAPE = re.compile(r"([a-z0-9-]{1,32}):([0-9a-f]{64})\Z")
_LOCATION = re.compile(r"v1/([a-z0-9-]{1,32})/([0-9a-f]{2})/([0-9a-f]{64})\Z")


@attrs.frozen(order=True, repr=False)
class Digest:
    """The identity of some content. Equal bytes stored the same way have equal digests, everywhere and always.

    ``str(digest)`` is ``algorithm:hex``, ``Digest.parse`` reads it back.
    """

    algorithm: str
    hex: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"

    def __repr__(self) -> str:
        return f"Digest.parse({str(self)!r})"

    @property
    def is_list(self) -> bool:
        """Whether the content is kept in several pieces, named by a list."""
        return self.algorithm in LISTS

    @classmethod
    def parse(cls, text: str | Digest) -> Digest:
        """Read what ``str(digest)`` gave; raises `BadDigest`, or `UnsupportedFormat` for a later algorithm."""
        if isinstance(text, Digest):
            return text
        match = _SHAPE.match(text) if isinstance(text, str) else None
        if match is None:
            raise BadDigest(text)
        if match[1] not in ALGORITHMS:
            raise UnsupportedFormat(text, match[1])
        return cls(match[1], match[2])


def digest_of(algorithm: str, data: bytes | bytearray | memoryview) -> Digest:
    """The digest of these bytes under a name: the bytes themselves, or those of a list."""
    return Digest(algorithm, hashlib.sha256(data).hexdigest())


def location(digest: Digest) -> str:
    """The name under which a backend keeps the digest's file."""
    return f"{VERSION_PREFIX}{digest.algorithm}/{digest.hex[:2]}/{digest.hex}"


def digest_given(digest: object) -> Digest:
    """An argument that has to be a digest; `TypeError` says how to make one of a text."""
    if isinstance(digest, Digest):
        return digest
    raise TypeError(f"{digest!r:.200} is no Digest: give what put() gave, or Digest.parse(text)")


def digest_at(name: str) -> Digest | None:
    """The digest whose file has this name, or None where the name is none of ours."""
    match = _LOCATION.match(name)
    if match is None or match[1] not in ALGORITHMS or match[3][:2] != match[2]:
        return None
    return Digest(match[1], match[3])
