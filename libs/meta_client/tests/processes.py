"""Processes for the tests: children that report what they met."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_NOBODY = 65534
_SECONDS = 240


def python(code: str, *arguments: object, **options: object) -> subprocess.Popen[str]:
    """A fresh interpreter running some code."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def outputs(processes: Sequence[subprocess.Popen[str]]) -> list[str]:
    """What each wrote, once all have ended well."""
    found = []
    for process in processes:
        out, errors = process.communicate(timeout=_SECONDS)
        assert process.returncode == 0, errors
        found.append(out)
    return found


def in_child(action: Callable[[], str], *, without_privileges: bool = False) -> str:
    """What the action gives in a fork of this process; one that may not write everywhere, where asked for."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if without_privileges and os.geteuid() == 0:
                os.setgid(_NOBODY)
                os.setuid(_NOBODY)
            os.write(write, action().encode())
        except BaseException as error:
            os.write(write, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        result = pipe.read().decode()
    os.waitpid(child, 0)
    return result


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait, but not for ever."""
    give_up_at = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.005)


def contents(directory: Path) -> dict[str, bytes]:
    """The files of a directory."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}
