"""How a value becomes a short head and any number of buffers, by type."""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from typing import Any, Protocol

import attrs

from cas_store.backend import Bytes

OUT_OF_BAND_BYTES = 16 * 1024
"""A buffer of at least this size becomes an object of its own; smaller ones stay in the head."""


@attrs.frozen
class Encoded:
    """A value as bytes: a head, and the buffers that it refers to by position."""

    head: Bytes
    buffers: tuple[memoryview, ...] = ()


class Serializer(Protocol):
    """Turns values of some types into bytes and back.

    ``name`` goes into references: it must never change its meaning. ``decode`` gets writable buffers of its own.
    """

    name: str

    def handles(self, value: object) -> bool:
        """Whether this value is for this serializer."""

    def encode(self, value: Any) -> Encoded:
        """The value as bytes."""

    def decode(self, head: Bytes, buffers: Sequence[memoryview]) -> Any:
        """The value again."""


_MOVED = {"pathlib._local": "pathlib"}
"""Where some Python versions have classes that all have elsewhere: what 3.13 writes of a path, others have to find."""


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        return super().find_class(_MOVED.get(module, module), name)


class PickleSerializer:
    """Everything that pickles, protocol 5: large buffers out of band, so that they are neither copied nor part of the head."""

    name = "pickle"

    def handles(self, value: object) -> bool:
        """Every value."""
        return True

    def encode(self, value: Any) -> Encoded:
        """Pickle; buffers that are not contiguous or are small stay inside."""
        buffers: list[memoryview] = []

        def aside(buffer: pickle.PickleBuffer) -> bool:
            try:
                view = buffer.raw()
            except BufferError:
                return True
            if view.nbytes < OUT_OF_BAND_BYTES:
                return True
            buffers.append(view)
            return False

        sink = io.BytesIO()
        pickle.Pickler(sink, 5, buffer_callback=aside).dump(value)
        return Encoded(sink.getvalue(), tuple(buffers))

    def decode(self, head: Bytes, buffers: Sequence[memoryview]) -> Any:
        """Unpickle: this runs code that the pickle names, so only from stores whose writers are trusted."""
        return _Unpickler(io.BytesIO(head), buffers=buffers).load()


class BytesSerializer:
    """``bytes`` and ``bytearray`` of some length: the head is the content, cut by content like any byte string."""

    def __init__(self, kind: type[bytes] | type[bytearray]) -> None:
        self.name = kind.__name__
        self._kind = kind

    def handles(self, value: object) -> bool:
        """Exactly this type, from some length on."""
        return type(value) is self._kind and len(value) >= OUT_OF_BAND_BYTES

    def encode(self, value: Any) -> Encoded:
        """The content itself."""
        return Encoded(value)

    def decode(self, head: Bytes, buffers: Sequence[memoryview]) -> Any:
        """The content again."""
        return head if type(head) is self._kind else self._kind(head)


class TextSerializer:
    """``str`` of some length: the head is its UTF-8."""

    name = "str"

    def handles(self, value: object) -> bool:
        """Exactly this type, from some length on."""
        return type(value) is str and len(value) >= OUT_OF_BAND_BYTES

    def encode(self, value: Any) -> Encoded:
        """UTF-8; lone surrogates as if they were characters. What is ASCII is that already, and is not copied."""
        return Encoded(_ascii_view(value) if value.isascii() else value.encode("utf-8", "surrogatepass"))

    def decode(self, head: Bytes, buffers: Sequence[memoryview]) -> Any:
        """The text again."""
        return str(head, "utf-8", "surrogatepass")


def _ascii_view(text: str) -> memoryview:
    """The bytes of an ASCII text where they are; the view keeps the text alive."""
    import ctypes

    class Text(ctypes.Array[ctypes.c_char]):
        _type_, _length_ = ctypes.c_char, len(text)

    where = ctypes.pythonapi.PyUnicode_AsUTF8
    where.argtypes, where.restype = [ctypes.py_object], ctypes.c_void_p
    bytes_of_text = Text.from_address(where(text))
    bytes_of_text.text = text  # type: ignore[attr-defined]
    return memoryview(bytes_of_text).cast("B").toreadonly()


BUILT_IN: tuple[Serializer, ...] = (
    BytesSerializer(bytes),
    BytesSerializer(bytearray),
    TextSerializer(),
    PickleSerializer(),
)
