"""`ObjectStore`: Python values on top of a content store."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from typing import Any

from cas_store.backend import Bytes
from cas_store.digests import Digest
from cas_store.errors import CasStoreError, UnloadableObject
from cas_store.mapping import same_memory
from cas_store.references import Reference, reference_given
from cas_store.serializers import BUILT_IN, Encoded, Serializer
from cas_store.store import ContentStore, store_given
from cas_store.storing import flat

INLINE_BYTES = 128
"""A head of at most this size travels in its reference: a reference to a stored one takes as much."""
_SCALARS = (int, float, bool, type(None), str)


class ObjectStore:
    """Saves Python values and loads them again. Equal encodings are stored once.

    ``serializers`` come before the built-in ones. Loading a pickle runs code: verified is not trusted, so load only from stores
    whose writers you trust.
    """

    def __init__(self, store: ContentStore, serializers: Iterable[Serializer] = ()) -> None:
        self.store = store_given(store)
        self._serializers = (*serializers, *BUILT_IN)
        self._by_name = {serializer.name: serializer for serializer in reversed(self._serializers)}
        self._custom = len(self._serializers) > len(BUILT_IN)

    def save(self, value: Any, *, previous: Reference | None = None) -> Reference:
        """Store a value; raises `UnserializableObject`, which names the part that cannot be.

        ``previous`` is the reference that the value was loaded from, if it was: where the value is what it was, this very
        reference comes back, and large buffers are compared in memory instead of being hashed. A value counts as unchanged where
        its encoding is equal, or where the original, loaded and encoded again, gives the same bytes.
        """
        if type(value) in _SCALARS and not self._custom and not (isinstance(value, str) and len(value) > INLINE_BYTES):
            head = pickle.dumps(value, 5)
            if len(head) <= INLINE_BYTES:
                reference = Reference("pickle", head, (), len(head))
                return previous if previous == reference else reference
        serializer, encoded = self._encode(value)
        if previous is not None and self._is_unchanged(reference_given(previous), serializer, encoded):
            return previous
        return self._store(serializer, encoded)

    def load(self, reference: Reference) -> Any:
        """The value; its buffers are writable and one's own. Raises `UnloadableObject` where what it needs is not installed."""
        serializer = self._by_name.get(reference_given(reference).serializer)
        if serializer is None:
            raise UnloadableObject(reference.identity, f"no serializer named {reference.serializer!r} is registered")
        head = reference.head if isinstance(reference.head, bytes) else self.store.get(reference.head)
        buffers = [self.store.load(digest) for digest in reference.buffers]
        try:
            return serializer.decode(head, buffers)
        except CasStoreError:
            raise
        except Exception as error:
            key = reference.head if isinstance(reference.head, Digest) else f"the value {reference.identity}"
            raise UnloadableObject(key, f"{type(error).__name__}: {error}") from error

    def _encode(self, value: Any) -> tuple[str, Encoded]:
        serializer = next(one for one in self._serializers if one.handles(value))
        try:
            return serializer.name, serializer.encode(value)
        except CasStoreError:
            raise
        except Exception as error:
            from cas_store.diagnosing import unserializable

            raise unserializable(value, error) from error

    def _store(self, serializer: str, encoded: Encoded) -> Reference:
        small = memoryview(encoded.head).nbytes <= INLINE_BYTES
        head = bytes(encoded.head) if small else self.store.writer.bytes(encoded.head)
        buffers = tuple(self.store.writer.buffer(buffer) for buffer in encoded.buffers)
        if buffers or (isinstance(head, Digest) and head.is_list):
            self.store.backend.flush()
        size = memoryview(encoded.head).nbytes + sum(buffer.nbytes for buffer in encoded.buffers)
        return Reference(serializer, head, buffers, size)

    def _is_unchanged(self, previous: Reference, serializer: str, encoded: Encoded) -> bool:
        if previous.serializer != serializer or len(previous.buffers) != len(encoded.buffers):
            return False
        same = all(map(self._same_buffer, previous.buffers, encoded.buffers))
        return same and (self._same_head(previous.head, encoded.head) or self._varies_alike(previous, encoded))

    def _same_buffer(self, digest: Digest, buffer: memoryview) -> bool:
        return same_memory(self.store.load(digest), flat(buffer))

    def _same_head(self, previous: bytes | Digest, head: Bytes) -> bool:
        stored = previous if isinstance(previous, bytes) else self.store.get(previous)
        return stored == head

    def _varies_alike(self, previous: Reference, encoded: Encoded) -> bool:
        """Whether the bytes differ only by the encoding's own variation: memoised or shared parts, the order of a set."""
        _, again = self._encode(self.load(previous))
        return again.head == encoded.head
