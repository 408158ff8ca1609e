"""`Reference`: what stands for a stored value, small enough for a record."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from cas_store.digests import Digest
from cas_store.errors import DamagedReference, UnsupportedFormat

VERSION = 1


def digests_of(items: Iterable[Digest | Reference | str]) -> Iterator[Digest]:
    """The digests that these digests (or their texts) and references name; raises `BadDigest`."""
    if isinstance(items, (Digest, Reference, str)):
        raise TypeError(f"{items!r:.200} is one, not several: give an iterable, such as [it]")
    for item in items:
        if isinstance(item, Reference):
            yield from item.digests()
        else:
            yield Digest.parse(item)


@attrs.frozen
class Reference:
    """A stored value: which serializer, its head (inline, or the digest of it), its buffers.

    Equal encodings are equal references.
    ``to_json`` gives a small JSON-able value, ``from_json`` reads it back; ``identity`` is one text for comparing and keying.
    """

    serializer: str
    head: bytes | Digest
    buffers: tuple[Digest, ...] = ()
    size_bytes: int = attrs.field(default=0, eq=False)

    @property
    def is_inline(self) -> bool:
        """Whether the reference holds the whole value itself."""
        return isinstance(self.head, bytes) and not self.buffers

    @property
    def identity(self) -> str:
        """A text of 64 hexadecimal digits that is equal exactly where the encodings are."""
        return hashlib.sha256(json.dumps(self._parts(), sort_keys=True).encode()).hexdigest()

    def digests(self) -> tuple[Digest, ...]:
        """What the store has to keep for this value."""
        return (self.head, *self.buffers) if isinstance(self.head, Digest) else self.buffers

    def to_json(self) -> dict[str, Any]:
        """A small value of dictionaries, lists, texts and numbers."""
        return {"v": VERSION, **self._parts(), "size": self.size_bytes}

    @classmethod
    def from_json(cls, data: Any) -> Reference:
        """Read what ``to_json`` gave; raises `DamagedReference`, or `UnsupportedFormat` for a later version."""
        try:
            if data["v"] != VERSION:
                raise UnsupportedFormat("a reference", data["v"])
            inline = data.get("inline")
            head = Digest.parse(data["head"]) if inline is None else base64.b64decode(inline, validate=True)
            buffers = tuple(Digest.parse(text) for text in data.get("buffers", ()))
            return cls(str(data["as"]), head, buffers, int(data["size"]))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise DamagedReference(str(data)[:200]) from error

    def _parts(self) -> dict[str, Any]:
        parts: dict[str, Any] = {"as": self.serializer}
        if isinstance(self.head, Digest):
            parts["head"] = str(self.head)
        else:
            parts["inline"] = base64.b64encode(self.head).decode()
        if self.buffers:
            parts["buffers"] = [str(digest) for digest in self.buffers]
        return parts


def reference_given(reference: object) -> Reference:
    """An argument that has to be a reference; `TypeError` says how to make one."""
    if isinstance(reference, Reference):
        return reference
    raise TypeError(
        f"{reference!r:.200} is no Reference: give what save() gave, or Reference.from_json of its to_json()"
    )
