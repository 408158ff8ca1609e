"""How one piece lies in its file: the bytes themselves, or one zstd frame of them. FORMAT.md, "Pieces", is the specification.

Compression is storage's own business: it changes neither identity nor what a reader gets.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

from cas_store.backend import Bytes
from cas_store.chunking import MAX_PIECE_BYTES
from cas_store.digests import Digest, digest_of
from cas_store.errors import DamagedObject

if TYPE_CHECKING:
    from types import ModuleType

MAGIC = b"\x28\xb5\x2f\xfd"
"""The first bytes of a zstd frame. Bytes that start like this themselves are always framed, so a file is never ambiguous."""

LEVEL = 1
PAYS = 1.15
"""A probe that shrinks by less predicts that compression costs more than it saves."""
PAYS_MORE_THAN_A_MAP = 16.0
"""What is kept in one of the pages that would be mapped shrinks by more, or is kept raw: DESIGN.md, "Raw where it is mapped"."""
SMALLEST = 96
"""Shorter pieces are not worth a frame's header."""
PROBE_WHOLE_BYTES = 32 * 1024
PROBE_SAMPLES, PROBE_SAMPLE_BYTES = 4, 4096
MAX_HEADER_BYTES = 18
"""Of a zstd frame: enough to know the length of what it holds."""
MAX_FILE_BYTES = MAX_PIECE_BYTES + MAX_PIECE_BYTES // 128 + 1024
"""No piece's file is longer, so no reader reads more."""


def encode(data: Bytes, pays: float = PAYS) -> Bytes:
    """What to keep in the file of a piece: ``data`` itself (the same object) where it does not shrink to 1/``pays``."""
    view = memoryview(data)
    must = view[:4] == MAGIC
    if not must and (view.nbytes < SMALLEST or not _may_pay(view, pays)):
        return data
    frame = _compress(view)
    return frame if must or len(frame) * pays <= view.nbytes else data


def _may_pay(view: memoryview, pays: float) -> bool:
    """Whether a few samples shrink enough: costs some 3 % of hashing, and is right where whole pieces were tried (DESIGN.md)."""
    if view.nbytes <= PROBE_WHOLE_BYTES:
        return True  # trying is as cheap as probing
    step = (view.nbytes - PROBE_SAMPLE_BYTES) // (PROBE_SAMPLES - 1)
    sample = b"".join(view[at * step : at * step + PROBE_SAMPLE_BYTES] for at in range(PROBE_SAMPLES))
    return len(_compress(memoryview(sample))) * pays <= len(sample)


def _compress(view: memoryview) -> bytes:
    """One frame that declares its size. A compressor is kept by each thread: making one takes longer than a small frame."""
    compressor = getattr(_of_thread, "compressor", None) or codec().ZstdCompressor(LEVEL)
    _of_thread.compressor = None  # an interrupted one is not used again
    compressor.set_pledged_input_size(view.nbytes)
    frame: bytes = compressor.compress(view, compressor.FLUSH_FRAME)
    _of_thread.compressor = compressor
    return frame


_of_thread = threading.local()


def decode(digest: Digest, stored: bytes) -> bytes:
    """The piece that the file's bytes hold, verified; `DamagedObject` names what it is not."""
    data = _unframed(digest, stored) if stored[:4] == MAGIC else stored
    if not is_right(digest, data):
        raise DamagedObject(digest, f"its {len(data)} bytes have another digest")
    return data


def is_right(digest: Digest, data: Bytes) -> bool:
    """Whether the bytes have that digest."""
    return digest_of(digest.algorithm, data).hex == digest.hex


def plain_size(digest: Digest, start: bytes, file_size: int) -> int:
    """How long the piece is whose file starts like this and has that many bytes; nothing is decompressed."""
    if start[:4] != MAGIC:
        return file_size
    try:
        declared = codec().get_frame_info(start).decompressed_size
    except Exception as error:
        raise DamagedObject(digest, f"it starts like a zstd frame but is none ({error})") from error
    if declared is None or declared > MAX_PIECE_BYTES:
        raise DamagedObject(digest, f"its frame declares {declared} bytes, where at most {MAX_PIECE_BYTES} are allowed")
    return int(declared)


def _unframed(digest: Digest, stored: bytes) -> bytes:
    """Decompress at most what the frame declares, which was bounded before anything was allocated."""
    size = plain_size(digest, stored[:MAX_HEADER_BYTES], len(stored))
    decompressor = codec().ZstdDecompressor()
    try:
        data: bytes = decompressor.decompress(stored, size + 1)
    except Exception as error:
        raise DamagedObject(digest, f"its frame cannot be decompressed ({error})") from error
    if len(data) != size or not decompressor.eof or decompressor.unused_data:
        raise DamagedObject(digest, f"its frame declares {size} bytes and holds others")
    return data


def codec() -> ModuleType | Any:
    """The codec: part of Python from 3.14 on, before that its backport. Imported when first needed."""
    global _codec
    if _codec is None:
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd
        _codec = zstd
    return _codec


_codec: Any = None
