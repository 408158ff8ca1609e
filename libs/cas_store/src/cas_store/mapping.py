"""Memory maps: files side by side in one address range, private and writable, without a copy.

One anonymous map reserves the range; each file is then mapped over its part of it (MAP_FIXED), which Python's own mmap cannot
ask for. Closing the anonymous map, which happens when nothing refers to it any more, releases all.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

MAP_FIXED = 0x10
PAGE_BYTES = mmap.PAGESIZE
WORTH_HUGE_PAGES_BYTES = 4 * 1024 * 1024
SUPPORTED = sys.platform == "linux"
_PROTECTION = getattr(mmap, "PROT_READ", 0) | getattr(mmap, "PROT_WRITE", 0)
_FLAGS = getattr(mmap, "MAP_PRIVATE", 0) | MAP_FIXED
"""Looked up once: a piece is mapped in a few microseconds."""


class Region:
    """``size`` bytes of zeros in one range, over which files can be mapped."""

    def __init__(self, size: int) -> None:
        import ctypes

        self._map = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self._mmap = _mmap()

    def view(self) -> memoryview:
        """All of it, writable; keeps the maps alive."""
        return memoryview(self._map)

    def map_file(self, fd: int, start: int, size: int) -> bool:
        """Put the file's first ``size`` bytes at ``start`` (a multiple of the page size); False where it cannot be mapped."""
        wanted = self._address + start
        return bool(self._mmap(wanted, size, _PROTECTION, _FLAGS, fd, 0) == wanted)


def new_memory(size: int) -> memoryview:
    """``size`` writable zeros of one's own; where the system has huge pages, of those: touching small ones takes longer."""
    if size < WORTH_HUGE_PAGES_BYTES or not hasattr(mmap, "MADV_HUGEPAGE"):
        return memoryview(bytearray(size))
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # a kernel without them
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(memory)


def same_memory(left: memoryview, right: memoryview) -> bool:
    """Whether two buffers hold the same bytes, at memory speed: memcmp, without copies."""
    if left.nbytes != right.nbytes:
        return False
    if left.nbytes < 64 * 1024:
        return left.tobytes() == right.tobytes()
    return not _memcmp()(_address(left), _address(right), left.nbytes)


def identity(fd: int) -> Sequence[int]:
    """What changes when a file does: device, inode, size, times of content and of inode."""
    found = os.fstat(fd)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@cache
def _mmap() -> Any:
    import ctypes

    function = ctypes.CDLL(None, use_errno=True).mmap
    function.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    function.restype = ctypes.c_void_p
    return function


@cache
def _memcmp() -> Any:
    import ctypes

    function = ctypes.CDLL(None).memcmp
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
    return function


@cache
def _buffer_type() -> Any:
    import ctypes

    class Buffer(ctypes.Structure):
        """Py_buffer, of which only the first field is used."""

        _fields_ = (("address", ctypes.c_void_p), ("rest", ctypes.c_byte * 256))

    return Buffer


def _address(view: memoryview) -> int:
    """Where a contiguous buffer is, read-only ones too. The view must outlive the use of it."""
    import ctypes

    buffer = _buffer_type()()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(view), ctypes.byref(buffer), 0)
    try:
        return int(buffer.address or 0)
    finally:
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(buffer))
