"""Atomic file writing: a file gets its name when it is whole, by the best means that the file system has.

Three ways, best first. ``unnamed``: a file without a name (O_TMPFILE), linked when whole; a kill leaves nothing behind.
``linked``: a temporary name, hard-linked. ``renamed``: a temporary name, renamed under a lock, for file systems without hard
links. What a directory's file system has is found out by trying, once per process and root.
"""

# A path object costs more than the rest of a small write.
# ruff: noqa: PTH103, PTH104, PTH108, PTH120

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from cas_store.backend import RESERVED, Bytes

WAYS = ("unnamed", "linked", "renamed")
_LACKING = {
    errno.EOPNOTSUPP,
    errno.ENOTSUP,
    errno.EISDIR,
    errno.EINVAL,
    errno.EPERM,
    errno.ENOSYS,
    errno.EXDEV,
    errno.EMLINK,
    errno.EBADF,
}
_known: dict[str, int] = {}

Finish = Callable[[int], None]


def create_file(root: str, path: str, parts: Iterable[Bytes], finish: Finish, way: str | None = None) -> bool:
    """Make ``path`` hold ``parts`` unless it exists; whether this call made it. ``finish`` sees the whole file's descriptor.

    The directory is made when needed. ``parts`` is iterated again only if it is a tuple: with others, what the file system lacks
    is found out beforehand.
    """
    if way is None and root not in _known and not isinstance(parts, tuple):
        _find_out(root)
    ways = (way,) if way else WAYS[_known.get(root, 0 if hasattr(os, "O_TMPFILE") else 1) :]
    for used in ways:
        try:
            made = _IN_THAT_WAY[used](root, path, parts, finish)
        except _Lacking as lacking:
            error = lacking.error
        else:
            if made:
                _known[root] = WAYS.index(used)
            return made
    raise error


def best_way(root: str) -> str:
    """The best way that works there."""
    if root not in _known:
        _find_out(root)
    return WAYS[_known[root]]


def _find_out(root: str) -> None:
    """Which way works, by an empty file."""
    probe = f"{root}/{RESERVED}/{os.getpid()}-{os.urandom(8).hex()}"
    create_file(root, probe, (), lambda _: None)
    os.unlink(probe)


def replace_file(root: str, path: str, parts: Iterable[Bytes], finish: Finish) -> None:
    """Make ``path`` hold ``parts``, whatever was there."""
    with _temporary(root, parts, finish) as temporary:
        _made_directory(path, lambda: os.rename(temporary, path))


class _Lacking(Exception):
    def __init__(self, error: OSError) -> None:
        super().__init__(error)
        self.error = error


def create_together(root: str, files: Sequence[tuple[str, Bytes]], permit: Finish, finish: Finish) -> list[bool]:
    """As ``create_file`` for each path and its bytes, where `best_way` is ``unnamed``; whether this call made it.

    ``permit`` sees each file's descriptor; ``finish`` sees the first one's when all are written and none has its name.
    """
    fds: list[int] = []
    try:
        for _, data in files:
            fds.append(_unnamed(root))
            write_all(fds[-1], (data,))
            permit(fds[-1])
        finish(fds[0])
        return [_link(fd, path) for fd, (path, _) in zip(fds, files, strict=True)]
    finally:
        for fd in fds:
            os.close(fd)


def _create_unnamed(root: str, path: str, parts: Iterable[Bytes], finish: Finish) -> bool:
    try:
        fd = _unnamed(root)
    except OSError as error:
        raise (_Lacking(error) if error.errno in _LACKING - {errno.EPERM} else error) from None
    try:
        write_all(fd, parts)
        finish(fd)
        try:
            return _link(fd, path)
        except OSError as error:
            raise (_Lacking(error) if isinstance(parts, tuple) and _lacks_links(error) else error) from None
    finally:
        os.close(fd)


def _unnamed(root: str) -> int:
    # in the root, not in the file's directory: ext4 finds a free inode faster where the last one was
    return _made_directory(f"{root}/", lambda: os.open(root, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o666))


def _link(fd: int, path: str) -> bool:
    """Give a file this name; False where it is taken."""
    # src_dir_fd only makes Python pass AT_SYMLINK_FOLLOW; without it the link is to /proc's symlink
    source = f"/proc/self/fd/{fd}"
    try:
        _made_directory(path, lambda: os.link(source, path, src_dir_fd=fd, follow_symlinks=True))
    except FileExistsError:
        return False
    return True


def _create_linked(root: str, path: str, parts: Iterable[Bytes], finish: Finish) -> bool:
    with _temporary(root, parts, finish) as temporary:
        try:
            _made_directory(path, lambda: os.link(temporary, path))
        except FileExistsError:
            return False
        except OSError as error:
            raise (_Lacking(error) if isinstance(parts, tuple) and _lacks_links(error) else error) from None
    return True


def _create_renamed(root: str, path: str, parts: Iterable[Bytes], finish: Finish) -> bool:
    with _temporary(root, parts, finish) as temporary, _locked(root):
        if os.path.lexists(path):
            return False
        _made_directory(path, lambda: os.rename(temporary, path))
    return True


_IN_THAT_WAY = {"unnamed": _create_unnamed, "linked": _create_linked, "renamed": _create_renamed}


def _lacks_links(error: OSError) -> bool:
    return error.errno in _LACKING or error.errno == errno.ENOENT  # ENOENT: no /proc


def write_all(fd: int, parts: Iterable[Bytes]) -> None:
    """Write every byte; a short write goes on."""
    for part in parts:
        view = memoryview(part)
        while view.nbytes:
            view = view[os.write(fd, view) :]


@contextlib.contextmanager
def _temporary(root: str, parts: Iterable[Bytes], finish: Finish) -> Iterator[str]:
    """A whole file under a temporary name, which is gone afterwards whatever happens short of a kill."""
    temporary = f"{root}/{RESERVED}/{os.getpid()}-{os.urandom(8).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    fd = _made_directory(temporary, lambda: os.open(temporary, flags, 0o666))
    try:
        try:
            write_all(fd, parts)
            finish(fd)
        finally:
            os.close(fd)
        yield temporary
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


@contextlib.contextmanager
def _locked(root: str) -> Iterator[None]:
    import fcntl

    fd = os.open(f"{root}/{RESERVED}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)  # Linux turns this into a byte-range lock on NFS; a killed holder releases it
        yield
    finally:
        os.close(fd)


def _made_directory(path: str, act: Callable[[], int | None]) -> int:
    """What ``act`` gives; the directory of ``path`` is made only when it turns out to be missing."""
    try:
        return act() or 0
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return act() or 0
