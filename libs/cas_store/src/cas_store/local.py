"""A backend on a local directory, or on a mounted one."""

# A path object costs more than the rest of a small read or write.
# ruff: noqa: PTH100, PTH101, PTH108, PTH116, PTH119, PTH120

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from cas_store import writing
from cas_store.backend import RESERVED, Backend, Bytes, Stat, check_name
from cas_store.errors import (
    AccessDenied,
    BackendError,
    BackendUnavailable,
    BadName,
    CasStoreError,
    MissingObject,
    StoreFull,
)

SYNC_BEFORE_NAMING_BYTES = 256 * 1024
"""Under ``batch``, a file of at least this size is on disk before it gets its name: a power cut can only tear small ones."""

FsyncPolicy = Literal["always", "batch", "never"]


class LocalBackend(Backend):
    """Named bytes as files below ``root``. Constructing one touches no disk; directories are made when needed.

    ``fsync`` says what survives a *power cut* (a killed process never loses or tears anything that was acknowledged, under any
    policy):

    - ``always``: whatever was acknowledged.
    - ``batch``: whatever was acknowledged before a ``flush`` that returned. The store flushes at the end of each ``put_many``,
      and of each ``put`` or ``save`` of several pieces. A single small write is not waited for: the kernel brings it to disk
      within about half a minute. A torn file can only be one that was not flushed; it is noticed when read,
      and mended when stored again.
    - ``never``: what the kernel had written back.

    ``mode`` sets the permission bits of files whatever the umask is, and of new directories with search for whom may read.
    """

    parallel = 2
    has_files = True
    ask_first_bytes = 4096
    """Asking twice whether a name is there, here and by ``create``, costs more than to compress less than this in vain."""

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
        self.root = os.path.abspath(os.fspath(root))
        self.fsync = fsync
        self.mode = mode
        self.may_tear = fsync != "always"
        self._way = way
        self._unflushed = False

    def __repr__(self) -> str:
        return f"LocalBackend({self.root!r}, fsync={self.fsync!r})"

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

    def replace(self, name: str, data: Bytes) -> None:
        """Store, whatever was there: a temporary file renamed."""
        self.replace_parts(name, (data,), memoryview(data).nbytes)

    def replace_parts(self, name: str, parts: Iterable[Bytes], size: int) -> None:
        """As ``replace``, holding one part at a time."""
        path = self._path(name)
        with _mapped_errors(name):
            writing.replace_file(self.root, path, parts, self._finish(size))
            self._named(path)

    def read(self, name: str) -> bytes:
        """All bytes."""
        with _mapped_errors(name):
            fd = os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC)
            try:
                with open(fd, "rb", buffering=0, closefd=False) as file:
                    return file.readall()
            finally:
                os.close(fd)

    def read_range(self, name: str, offset: int, size: int) -> bytes:
        """Some of the bytes."""
        with _mapped_errors(name):
            fd = os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC)
            try:
                return os.pread(fd, size, offset)
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
        with _mapped_errors(name):
            found = os.stat(self._path(name))
            if stat.S_ISDIR(found.st_mode):
                raise IsADirectoryError(errno.EISDIR, "a directory, which is no name", name)
            return _stat(found)

    def delete(self, name: str) -> None:
        """Remove the file; directories stay."""
        with contextlib.suppress(MissingObject), _mapped_errors(name):
            os.unlink(self._path(name))

    def names(self, prefix: str = "") -> Iterator[str]:
        """Sorted names; holds one directory's entries at each level."""
        with _mapped_errors(prefix):
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
        with contextlib.suppress(MissingObject), _mapped_errors(name):
            os.unlink(f"{self.root}/{RESERVED}/{os.path.basename(name)}")

    def flush(self) -> None:
        """Bring what this object wrote to disk, under ``batch``; nothing under the others."""
        if self.fsync == "batch" and self._unflushed:
            self._unflushed = False
            with _mapped_errors(None):
                sync_file_system(self.root)

    def open_file(self, name: str) -> int | None:
        """A descriptor of the file."""
        with _mapped_errors(name):
            return os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC)

    def _path(self, name: str) -> str:
        return f"{self.root}/{check_name(name)}"

    def _create(self, name: str, path: str, parts: Iterable[Bytes], size: int) -> bool:
        with _mapped_errors(name):
            made = writing.create_file(self.root, path, parts, self._finish(size), self._way)
            if made:
                self._named(path)
            return made

    def _finish(self, size: int) -> writing.Finish:
        early = self.fsync == "always" or (self.fsync == "batch" and size >= SYNC_BEFORE_NAMING_BYTES)

        def finish(fd: int) -> None:
            if self.mode is not None:
                os.fchmod(fd, self.mode)
            if early:
                os.fdatasync(fd)

        return finish

    def _named(self, path: str) -> None:
        """After a file got its name: make the name durable, or remember that it is not."""
        self._unflushed = True
        if self.fsync == "always":
            _sync_directories(path, self.root)
        if self.mode is not None:
            _open_directories(path, self.root, self.mode)

    def _walk(self, directory: str, prefix: str) -> Iterator[str]:
        with contextlib.suppress(FileNotFoundError):
            for entry in _sorted_entries(f"{self.root}/{directory}"):
                name = directory + entry
                if name.startswith(prefix[: len(name)]) and name != f"{RESERVED}/":
                    yield from self._walk(name, prefix) if name.endswith("/") else (name,)


def _sorted_entries(path: str) -> list[str]:
    with os.scandir(path) as entries:
        return sorted(entry.name + "/" if entry.is_dir(follow_symlinks=False) else entry.name for entry in entries)


def _stat(found: os.stat_result) -> Stat:
    return Stat(found.st_size, datetime.fromtimestamp(found.st_mtime, timezone.utc))


def sync_file_system(root: str) -> None:
    """syncfs(2): one call for any number of files, where one fdatasync each costs milliseconds."""
    import ctypes

    with contextlib.suppress(FileNotFoundError):
        fd = os.open(root, os.O_RDONLY | os.O_CLOEXEC)
        try:
            syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
            if syncfs is None:
                os.sync()
            elif syncfs(fd):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), root)
        finally:
            os.close(fd)


def _directories(path: str, root: str) -> Iterator[str]:
    directory = os.path.dirname(path)
    while len(directory) >= len(root):
        yield directory
        directory = os.path.dirname(directory)


def _sync_directories(path: str, root: str) -> None:
    for directory in _directories(path, root):
        fd = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _open_directories(path: str, root: str, mode: int) -> None:
    """Directories get the files' bits, search for whom may read, and writing for the owner; not those of other owners."""
    wanted = mode | (mode & 0o444) >> 2 | 0o700
    for directory in _directories(path, root):
        with contextlib.suppress(PermissionError):
            if os.stat(directory).st_mode & 0o777 != wanted:
                os.chmod(directory, wanted)


_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PASSING = {
    errno.EAGAIN,
    errno.EINTR,
    errno.ESTALE,
    errno.ETIMEDOUT,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.EBUSY,
}


class _mapped_errors:  # noqa: N801 (used like a function; as a generator it would cost more than a system call)
    """The one place where errors of the operating system become ours."""

    __slots__ = ("_name",)

    def __init__(self, name: str | None) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, OSError):
            raise _ours(error, self._name) from error


def _ours(error: OSError, name: str | None) -> CasStoreError:
    if isinstance(error, (FileNotFoundError, IsADirectoryError, NotADirectoryError)):
        return MissingObject(name)
    where = f"{name or 'the store'} ({error.strerror or error})"
    if error.errno in _DENIED:
        return AccessDenied(f"not permitted: {where}: check the owner, the mode and the mount", name)
    if error.errno in _FULL:
        return StoreFull(f"no space left for {where}: make room and try again", name)
    if error.errno == errno.ENAMETOOLONG:
        return BadName(name)
    if error.errno in _PASSING:
        return BackendUnavailable(f"busy: {where}: try again", name)
    return BackendError(f"the file system failed: {where}: check the disk", name)
