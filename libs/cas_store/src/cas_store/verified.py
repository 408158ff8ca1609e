"""Which files were verified before, by any process: remembered in the store, trusted until a file changes.

What is remembered of an object is the identity of each of its files (device, inode, size, times of content and inode) when all
of them were read and had the right digest. It lies under the object's digest, so one small read serves all its pieces.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

from cas_store.backend import Backend
from cas_store.digests import VERSION_PREFIX, Digest, digest_at
from cas_store.errors import CasStoreError

PREFIX = "verified/v1/"
WORTH_BYTES = 1024 * 1024
"""Verifying less is as cheap as remembering."""
_IDENTITY = struct.Struct("<QQQqq")
Identities = Sequence[Sequence[int]]


class Verified:
    """The memory of one store."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._known: dict[Digest, bytes] = {}

    def holds(self, digest: Digest, identities: Identities) -> bool:
        """Whether exactly these files were verified as the object's."""
        wanted = _pack(identities)
        if self._known.get(digest) == wanted:
            return True
        try:
            remembered = self._backend.read(name_of(digest))
        except CasStoreError:  # never verified, or the memory cannot be read: verifying again is always right
            return False
        if remembered != wanted + hashlib.sha256(wanted).digest():
            return False
        self._known[digest] = wanted
        return True

    def remember(self, digest: Digest, identities: Identities) -> None:
        """From now on these files are the object's; a store that cannot be written to is remembered in this process."""
        packed = _pack(identities)
        self._known[digest] = packed
        try:
            self._backend.replace(name_of(digest), packed + hashlib.sha256(packed).digest())
        except CasStoreError:
            return


def name_of(digest: Digest) -> str:
    """The name of what is remembered of an object."""
    return f"{PREFIX}{digest.algorithm}/{digest.hex[:2]}/{digest.hex}"


def digest_of_name(name: str) -> Digest | None:
    """The digest that ``name_of`` gives this name."""
    return digest_at(VERSION_PREFIX + name[len(PREFIX) :]) if name.startswith(PREFIX) else None


def _pack(identities: Identities) -> bytes:
    return b"".join(_IDENTITY.pack(*identity) for identity in identities)
