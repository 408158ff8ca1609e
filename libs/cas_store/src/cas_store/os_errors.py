"""The one place where errors of the operating system become ours."""

from __future__ import annotations

import errno

from cas_store.errors import (
    AccessDenied,
    BackendError,
    BackendUnavailable,
    BadName,
    CasStoreError,
    MissingObject,
    StoreFull,
)

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


class mapped_errors:  # noqa: N801 (used like a function; as a generator it would cost more than a system call)
    """Within it, an ``OSError`` comes out as ours about the name; ``in_the_way``: what a file can take the place of."""

    __slots__ = ("_in_the_way", "_name")

    def __init__(self, name: str | None, in_the_way: str = "") -> None:
        self._name = name
        self._in_the_way = in_the_way

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self._in_the_way and isinstance(error, (NotADirectoryError, FileExistsError)):
            raise BackendError(
                f"a file is in the way of {self._in_the_way}: check the store's path", self._name
            ) from error
        if isinstance(error, OSError):
            raise translated(error, self._name) from error


def translated(error: OSError, name: str | None) -> CasStoreError:
    """Ours, which says what to do; ``name`` is what the file system was asked for."""
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
