"""Doing several things at once, in order, with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")
R = TypeVar("R")


def in_order(workers: int, act: Callable[[T], R], items: Iterable[T], ahead: int | None = None) -> Iterator[R]:
    """``act`` of each item, in the order of the items, ``workers`` at a time and at most ``ahead`` of what was taken.

    The threads live as long as the iteration, so nothing is left behind that a fork could break. The first error ends it.
    """
    if workers <= 1:
        yield from map(act, items)
        return
    from concurrent.futures import ThreadPoolExecutor

    window = ahead or 2 * workers
    with ThreadPoolExecutor(workers, "cas_store") as pool:
        running: deque[Future[R]] = deque()
        try:
            for item in items:
                running.append(pool.submit(act, item))
                if len(running) >= window:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
