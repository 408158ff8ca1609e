"""Files that others read while they are written: they see the whole of it, or what was there before."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def write_whole(path: Path, text: str, mode: int | None = None) -> None:
    """Replace a file at once, with these permission bits if they are given.

    A link stays one: what it leads to is replaced. What is no regular file (a pipe), or lies where no other can be made, is
    written to as it is. Raises `OSError`.
    """
    target = path.resolve()
    is_stream = path.as_posix().startswith(("/dev/std", "/dev/fd/", "/proc/"))  # a file, perhaps, that is open
    if path.exists() and (is_stream or not path.is_file() or not os.access(target.parent, os.W_OK)):
        path.write_text(text, encoding="utf-8")
        return
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    if mode is None and target.exists():
        mode = stat.S_IMODE(target.stat().st_mode)
    try:
        partial.touch()
        if mode is not None:
            partial.chmod(mode)
        partial.write_text(text, encoding="utf-8")
        partial.replace(target)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
