"""Where content is cut: the one place that decides it. Part of digests, so never change it. DESIGN.md says why, FORMAT.md what.

Buffers (arrays, columns) are cut at multiples of a fixed, page-aligned length: in-place changes and appends keep all other
pieces, and pieces stored raw map side by side into one address range. Byte streams (bytes, files, long pickles) are cut where
their content says (FastCDC): insertions keep all other pieces as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pyfastcdc import FastCDC

MIB = 1024 * 1024
MAX_PIECE_BYTES = 16 * MIB
"""No piece is longer, so no reader has to allocate more for one. Pages of huge buffers reach it."""

PAGES_BYTES = 2 * MIB
"""Length of a buffer's pieces, doubled until there are at most `MAX_PAGES` or they reach `MAX_PIECE_BYTES`."""
MAX_PAGES = 4096
"""A process may have 65,530 maps; one loaded buffer uses no more than this."""

CDC_MIN_BYTES, CDC_AVERAGE_BYTES, CDC_MAX_BYTES = MIB // 4, MIB, 4 * MIB
CDC_NORMALIZATION: Literal[2] = 2
WINDOW_BYTES = 2 * CDC_MAX_BYTES
"""What a stream's reader holds at most before it cuts."""


def page_length(size: int) -> int:
    """Length of the pieces of a buffer of ``size`` bytes, all but the last."""
    length = PAGES_BYTES
    while size > length * MAX_PAGES and length < MAX_PIECE_BYTES:
        length *= 2
    return length


def cut_pages(view: memoryview) -> Iterator[memoryview]:
    """The pieces of a buffer, without a copy."""
    length = page_length(view.nbytes)
    for start in range(0, view.nbytes, length):
        yield view[start : start + length]


def cut_content(view: memoryview) -> Iterator[memoryview]:
    """The pieces of a byte string, without a copy."""
    for chunk in _cutter().cut_buf(view):
        yield view[chunk.offset : chunk.offset + chunk.length]


def cut_stream(source: Any) -> Iterator[bytes]:
    """The pieces of a stream, the same as ``cut_content`` of its bytes, holding at most `WINDOW_BYTES`."""
    window = bytearray(WINDOW_BYTES)
    held = 0
    ended = False
    while not ended:
        added = _fill(source, memoryview(window)[held:])
        held += added
        ended = held < WINDOW_BYTES
        used = 0
        for piece in cut_content(memoryview(window)[:held]):
            # a piece that ends where the window ends may have gone on
            if held - used < CDC_MAX_BYTES and not ended:
                break
            used += piece.nbytes
            yield bytes(piece)
        window[: held - used] = window[used:held]
        held -= used


def _fill(source: Any, space: memoryview) -> int:
    """Read until the space is full or the stream ends; how many bytes that were."""
    total = 0
    readinto = getattr(source, "readinto", None)
    while total < space.nbytes:
        if readinto is not None:
            count = readinto(space[total:]) or 0
        else:
            data = source.read(space.nbytes - total) or b""
            count = len(data)
            space[total : total + count] = data
        if not count:
            break
        total += count
    return total


def _cutter() -> FastCDC:
    """A cutter of one's own: they are not made to be shared between threads."""
    from pyfastcdc import FastCDC

    return FastCDC(
        CDC_AVERAGE_BYTES,
        min_size=CDC_MIN_BYTES,
        max_size=CDC_MAX_BYTES,
        normalized_chunking=CDC_NORMALIZATION,
        seed=0,
    )
