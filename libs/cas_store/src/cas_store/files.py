"""Names as files: each in one of its own, whole or not there, below a directory."""

# A path object costs more than the rest of a small read or write.
# ruff: noqa: PTH100, PTH101, PTH108, PTH116, PTH119, PTH120

from __future__ import annotations

import contextlib
import errno
import operator
import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from itertools import compress
from pathlib import Path
from typing import Literal

from cas_store import writing
from cas_store.backend import RESERVED, Backend, Bytes, Stat, check_name
from cas_store.errors import MissingObject
from cas_store.os_errors import mapped_errors, translated

SYNC_BEFORE_NAMING_BYTES = 256 * 1024
"""Under ``batch``, a file of at least this size is on disk before it gets its name: a power cut can only tear small ones."""
WRITTEN_BACK_SECONDS = 120.0
"""After so long the kernel has brought to disk what was written: by default it begins after 30 s and looks every 5."""

FsyncPolicy = Literal["always", "batch", "never"]


class FileBackend(Backend):
    """Named bytes as files below ``root``. Constructing one touches no disk; directories are made when needed.

    `LocalBackend` says what ``fsync`` and ``mode`` promise.
    """

    parallel = 2
    has_files = True
    may_tear = True
    ask_first_bytes = 4096
    """Asking twice whether a name is there, here and by ``create``, costs more than to compress less than this in vain."""
    together_bytes = 16 * 1024 * 1024

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        fsync: FsyncPolicy = "batch",
        mode: int | None = None,
        way: Literal["unnamed", "linked", "renamed"] | None = None,
    ) -> None:
        if fsync not in ("always", "batch", "never"):
            raise ValueError(f"fsync is {fsync!r}: choose 'always', 'batch' or 'never'")
        if way not in (None, *writing.WAYS):
            raise ValueError(f"way is {way!r}: choose one of {', '.join(writing.WAYS)}, or None for what works best")
        self.root = os.path.abspath(_directory_given(root))
        self.fsync = fsync
        self.mode = mode
        self._way = way
        self._last_written: object = None
        self._flushed: object = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.root!r}, fsync={self.fsync!r})"

    def path(self, name: str) -> Path:
        """Where the name's file is, or would be."""
        return Path(self._path(name))

    def create(self, name: str, data: Bytes) -> bool:
        """Store if the name is free: one file made whole and linked to its name."""
        path = self._path(name)
        return False if os.path.lexists(path) else self._create(name, path, (data,), memoryview(data).nbytes)

    def create_parts(self, name: str, parts: Iterable[Bytes], size: int) -> bool:
        """As ``create``, holding one part at a time."""
        path = self._path(name)
        return False if os.path.lexists(path) else self._create(name, path, parts, size)

    def create_many(self, items: Sequence[tuple[str, Bytes]]) -> list[str]:
        """As ``create`` for each; large ones wait for the disk together."""
        there = [name for name, _ in items if os.path.lexists(self._path(name))]
        known = set(there)
        new = [item for item in items if item[0] not in known]
        waits = [self.fsync == "batch" and memoryview(data).nbytes >= SYNC_BEFORE_NAMING_BYTES for _, data in new]
        others = compress(new, map(operator.not_, waits))
        return there + self._create_together(list(compress(new, waits))) + super().create_many(list(others))

    def replace(self, name: str, data: Bytes) -> None:
        """Store, whatever was there: a temporary file renamed."""
        self.replace_parts(name, (data,), memoryview(data).nbytes)

    def replace_parts(self, name: str, parts: Iterable[Bytes], size: int) -> None:
        """As ``replace``, holding one part at a time."""
        path = self._path(name)
        with mapped_errors(name, path):
            writing.replace_file(self.root, path, parts, self._finish(size))
            self._named(path)

    def read(self, name: str) -> bytes:
        """All bytes."""
        with mapped_errors(name):
            fd = os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC)
            try:
                with open(fd, "rb", buffering=0, closefd=False) as file:
                    return file.readall()
            finally:
                os.close(fd)

    def read_range(self, name: str, offset: int, size: int) -> bytes:
        """Some of the bytes."""
        with mapped_errors(name):
            fd = os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC)
            try:
                return _read(fd, offset, size)
            finally:
                os.close(fd)

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        try:
            self.stat(name)
        except MissingObject:
            return False
        return True

    def stat(self, name: str) -> Stat:
        """Size and time of the file."""
        with mapped_errors(name):
            found = os.stat(self._path(name))
            if stat.S_ISDIR(found.st_mode):
                raise IsADirectoryError(errno.EISDIR, "a directory, which is no name", name)
            return _stat(found)

    def delete(self, name: str) -> None:
        """Remove the file; directories stay."""
        with contextlib.suppress(MissingObject), mapped_errors(name):
            os.unlink(self._path(name))

    def names(self, prefix: str = "") -> Iterator[str]:
        """Sorted names; holds one directory's entries at each level."""
        with mapped_errors(prefix, self.root):
            yield from (name for name in self._walk("", prefix) if name.startswith(prefix))

    def stats(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        """As ``names``, with the stat of each."""
        for name in self.names(prefix):
            with contextlib.suppress(MissingObject):
                yield name, self.stat(name)

    def leftovers(self) -> Iterator[tuple[str, Stat]]:
        """Temporary files of writers that were killed, or are at work right now: mind their age."""
        directory = f"{self.root}/{RESERVED}"
        with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    if entry.name != "lock":
                        yield f"{RESERVED}/{entry.name}", _stat(entry.stat())

    def remove_leftover(self, name: str) -> None:
        """Remove a temporary file."""
        with contextlib.suppress(MissingObject), mapped_errors(name):
            os.unlink(f"{self.root}/{RESERVED}/{os.path.basename(name)}")

    def flush(self) -> None:
        """Bring what this object wrote to disk, under ``batch``; nothing under the others."""
        last = self._last_written
        if self.fsync == "batch" and last is not self._flushed:
            # two threads may both wait: one that returned while the other waits would promise too much
            self._sync_all()
            self._flushed = last

    def rely_on(self, latest: Stat) -> None:
        """What others wrote just now may not be on disk yet: it is flushed as if it were ours."""
        if self.fsync == "never" or time.time() - latest.modified.timestamp() >= WRITTEN_BACK_SECONDS:
            return
        self._written()
        if self.fsync == "always":
            self._sync_all()

    def open_file(self, name: str) -> int | None:
        """A descriptor of the file."""
        try:
            return os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise translated(error, name) from error

    def _path(self, name: str) -> str:
        return f"{self.root}/{check_name(name)}"

    def _create(self, name: str, path: str, parts: Iterable[Bytes], size: int) -> bool:
        with mapped_errors(name, path):
            made = writing.create_file(self.root, path, parts, self._finish(size), self._way)
            if made:
                self._named(path)
            return made

    def _create_together(self, items: Sequence[tuple[str, Bytes]]) -> list[str]:
        """Those that existed. One wait for the disk, as each would otherwise be a commit of the file system's journal."""
        if len(items) < 2 or not self._has_unnamed():
            return super().create_many(items)
        files = [(self._path(name), data) for name, data in items]
        with mapped_errors(items[0][0], self.root):
            made = writing.create_together(self.root, files, self._permit, sync_file_system)
            for path, _ in compress(files, made):
                self._named(path)
        return [name for (name, _), is_new in zip(items, made, strict=True) if not is_new]

    def _has_unnamed(self) -> bool:
        """Whether the file system has files without names, as those of this machine have and those of networks have not."""
        with mapped_errors(None, self.root):
            return (self._way or writing.best_way(self.root)) == "unnamed"

    def _finish(self, size: int) -> writing.Finish:
        early = self.fsync == "always" or (self.fsync == "batch" and size >= SYNC_BEFORE_NAMING_BYTES)

        def finish(fd: int) -> None:
            self._permit(fd)
            if early:
                os.fdatasync(fd)

        return finish

    def _permit(self, fd: int) -> None:
        if self.mode is not None:
            os.fchmod(fd, self.mode)

    def _named(self, path: str) -> None:
        """After a file got its name: make the name durable, or remember that it is not."""
        self._written()
        if self.fsync == "always":
            _sync_directories(path, self.root)
        if self.mode is not None:
            _open_directories(path, self.root, self.mode)

    def _sync_all(self) -> None:
        with mapped_errors(None), contextlib.suppress(FileNotFoundError), _opened_directory(self.root) as fd:
            sync_file_system(fd)

    def _written(self) -> None:
        """Something is to be flushed. A new object each time: threads cannot lose count of it."""
        self._last_written = object()

    def _walk(self, directory: str, prefix: str) -> Iterator[str]:
        with contextlib.suppress(FileNotFoundError):
            for entry in _sorted_entries(f"{self.root}/{directory}"):
                name = directory + entry
                if name.startswith(prefix[: len(name)]) and name != f"{RESERVED}/":
                    yield from self._walk(name, prefix) if name.endswith("/") else (name,)


def _directory_given(root: object) -> str:
    """What can be the path of a directory; what says another thing is not taken for one."""
    path = os.fsdecode(root)  # type: ignore[arg-type]  # which says so of what is no path
    if not path or "://" in path:
        raise ValueError(f"{path!r} is no directory: give a path, and S3Backend for s3://bucket/prefix")
    return path


def _read(fd: int, offset: int, size: int) -> bytes:
    """Bytes of a file; a short read goes on. What is longer than the file is not asked for: it would be allocated."""
    size = min(size, max(os.fstat(fd).st_size - offset, 0))
    data = os.pread(fd, size, offset)
    while len(data) < size and (more := os.pread(fd, size - len(data), offset + len(data))):
        data += more
    return data


def _sorted_entries(path: str) -> list[str]:
    with os.scandir(path) as entries:
        return sorted(entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name for entry in entries)


def _stat(found: os.stat_result) -> Stat:
    return Stat(found.st_size, datetime.fromtimestamp(found.st_mtime, timezone.utc))


def sync_file_system(fd: int) -> None:
    """syncfs(2): one call for any number of files, where one fdatasync each costs milliseconds."""
    import ctypes

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
    elif syncfs(fd):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _directories(path: str, root: str) -> Iterator[str]:
    directory = os.path.dirname(path)
    while len(directory) >= len(root):
        yield directory
        directory = os.path.dirname(directory)


def _sync_directories(path: str, root: str) -> None:
    for directory in _directories(path, root):
        with _opened_directory(directory) as fd:
            os.fsync(fd)


@contextlib.contextmanager
def _opened_directory(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _open_directories(path: str, root: str, mode: int) -> None:
    """Directories get the files' bits, search for whom may read, and writing for the owner; not those of other owners."""
    wanted = mode | (mode & 0o444) >> 2 | 0o700
    for directory in _directories(path, root):
        with contextlib.suppress(PermissionError):
            if os.stat(directory).st_mode & 0o777 != wanted:
                os.chmod(directory, wanted)
