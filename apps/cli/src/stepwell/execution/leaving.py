"""The end of a task's process: as an interpreter ends, but that nothing which a step left behind can hold it up for long."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
from typing import NoReturn

SECONDS = 10.0


def begin_anew() -> None:
    """In a fork: what the parent wants done at its own end is not this process's to do."""
    atexit._clear()


def leave(status: int, seconds: float = SECONDS) -> NoReturn:
    """End this process: its threads (daemons apart) may finish and what it registered with `atexit` is called, for so long."""
    if threading.active_count() > 1 or atexit._ncallbacks():
        watch = threading.Timer(seconds, _cut_off, (status, seconds))
        watch.daemon = True
        watch.start()
        with contextlib.suppress(Exception):
            threading._shutdown()  # type: ignore[attr-defined]
            atexit._run_exitfuncs()
    _end(status)


def _cut_off(status: int, seconds: float) -> None:
    names = [one.name for one in threading.enumerate() if one is not threading.main_thread() and not one.daemon]
    what = f"the threads {', '.join(names)}" if names else "what it registered with atexit"
    print(
        f"stepwell: this did not end within {seconds:g} seconds after the step, and is ended: {what}", file=sys.stderr
    )
    _end(status)


def _end(status: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(status)
