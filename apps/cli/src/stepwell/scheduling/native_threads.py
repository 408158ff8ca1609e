"""Threads that no Python code knows, which native libraries start when they are imported: a fork does not have them.

Whose they are is told by their stacks: the library nearest to where a thread began, below the C library's own start of threads.
"""

from __future__ import annotations

import os
import struct
import sys
import threading
import time
from pathlib import Path

import attrs

MENDED_AT_FORK = ("openblas",)
"""Libraries whose pools end before a fork and begin anew after it when they are needed: tested, each."""
_OF_THE_SYSTEM = ("libc.so", "libc-", "libpthread", "ld-linux", "ld-musl", "libpython", "libstdc++", "[")
_MOST_STACK_BYTES = 256 << 10
_PATIENCE_SECONDS, _PAUSE_SECONDS = 1.0, 0.01
_WORD = struct.calcsize("P")


@attrs.frozen
class _Mapping:
    """A part of this process's memory; `path` is the file that it shows, or a name in brackets, or empty."""

    start: int
    end: int
    is_code: bool
    path: str


def unmendable_threads() -> list[str]:
    """Who started the native threads that would be missing in a fork, by module or library; empty where there are none.

    A thread that cannot be assigned counts as "an unknown library". Linux only.
    """
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while True:
        owners = {thread: owner_of(thread) for thread in _native_threads()}
        if None not in owners.values() or time.monotonic() > give_up_at:
            break
        time.sleep(_PAUSE_SECONDS)  # one that has just been started, or that spins, has no stack to read yet
    libraries = {owner or "" for owner in owners.values()}
    worrying = {path for path in libraries if not any(name in Path(path).name for name in MENDED_AT_FORK)}
    return sorted({module_of(path) for path in worrying})


def _native_threads() -> set[int]:
    known = {thread.native_id for thread in threading.enumerate()}
    known.add(os.getpid())  # the main thread's, which Python before 3.13 does not know after a fork
    return {int(task.name) for task in Path("/proc/self/task").iterdir()} - known


def owner_of(thread: int) -> str | None:
    """The path of the library whose code a thread began in; None where that cannot be told."""
    try:
        words = Path(f"/proc/self/task/{thread}/syscall").read_text().split()
        mappings = _read_mappings()
        stack_pointer = int(words[-2], 16)
        stack = next(one for one in mappings if one.start <= stack_pointer < one.end)
        content = _read_memory(stack_pointer, min(stack.end, stack_pointer + _MOST_STACK_BYTES))
    except (OSError, ValueError, IndexError, StopIteration):  # it runs at this moment, or is gone, or hides
        return None
    code = [one for one in mappings if one.is_code and one.path and not _is_systems(one.path)]
    addresses = (word for (word,) in struct.iter_unpack("P", content[: len(content) // _WORD * _WORD]))
    passed = [one.path for address in addresses for one in code if one.start <= address < one.end]
    return passed[-1] if passed else None


def module_of(path: str) -> str:
    """What people call a library: the module that it is, or the package that brings it."""
    for name, module in list(sys.modules.items()):
        if getattr(module, "__file__", None) == path:
            return name
    parts = Path(path).parts
    if "site-packages" in parts[:-1]:
        return parts[parts.index("site-packages") + 1].removesuffix(".libs")
    return Path(path).name or "an unknown library"


def _is_systems(path: str) -> bool:
    return Path(path).name.startswith(_OF_THE_SYSTEM) or path == os.path.realpath(sys.executable)


def _read_mappings() -> list[_Mapping]:
    return [_parse_mapping(line.split(maxsplit=5)) for line in Path("/proc/self/maps").read_text().splitlines()]


def _parse_mapping(words: list[str]) -> _Mapping:
    start, _, end = words[0].partition("-")
    return _Mapping(int(start, 16), int(end, 16), "x" in words[1], words[5] if len(words) > 5 else "")


def _read_memory(start: int, end: int) -> bytes:
    with Path("/proc/self/mem").open("rb", buffering=0) as memory:
        memory.seek(start)
        return memory.read(end - start)
