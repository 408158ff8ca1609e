"""No connection crosses a fork: stores let go of theirs before, and start anew on both sides.

SQLite keeps its view of the process's file locks in memory that a fork would copy although locks are not inherited; and two
processes that share a socket read each other's answers.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol


class ForkAware(Protocol):
    """What holds connections."""

    def before_fork(self) -> None:
        """Wait for calls in flight, let no other begin, and close what must not be shared."""

    def after_fork_in_parent(self) -> None:
        """Let calls go on."""

    def after_fork_in_child(self) -> None:
        """Be usable by the only thread that there is."""


_live: weakref.WeakSet[ForkAware] = weakref.WeakSet()
_forking: list[ForkAware] = []
_changing = threading.Lock()


def watch(holder: ForkAware) -> None:
    """Have the holder told of forks for as long as it lives."""
    with _changing:
        _live.add(holder)


def _before() -> None:
    _changing.acquire()
    _forking[:] = list(_live)
    for holder in _forking:
        holder.before_fork()


def _in_parent() -> None:
    for holder in _forking:
        holder.after_fork_in_parent()
    _forking.clear()
    _changing.release()


def _in_child() -> None:
    global _changing
    _changing = threading.Lock()
    for holder in _forking:
        holder.after_fork_in_child()
    _forking.clear()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
