"""What waits for a far datastore is done beside the run loop, in bounded number, and its result comes back to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cas_store import LocalBackend, MemoryBackend
from stepwell.scheduling.aside import Aside
from stepwell.scheduling.loop import EventLoop


@pytest.fixture
def loop() -> Iterator[EventLoop]:
    loop = EventLoop()
    yield loop
    loop.close()


@pytest.fixture
def aside(loop: EventLoop) -> Iterator[Aside]:
    """Before a store that is no directory."""
    aside = Aside(loop, MemoryBackend())
    yield aside
    aside.close()


def outcome(result: Callable[[], object]) -> object:
    try:
        return result()
    except ValueError as error:
        return error


def test_at_a_directory_it_is_done_at_once_by_the_loop_itself(loop: EventLoop, tmp_path: Path) -> None:
    done: list[object] = []
    Aside(loop, LocalBackend(tmp_path)).do(threading.get_ident, lambda result: done.append(result()))
    assert done == [threading.get_ident()]


def test_elsewhere_a_thread_does_it_and_the_loop_is_told(loop: EventLoop, aside: Aside) -> None:
    done: list[tuple[object, int]] = []
    aside.do(threading.get_ident, lambda result: done.append((result(), threading.get_ident())))
    while not done:
        loop.run_once()
    ((worker, told),) = done
    assert worker != told == threading.get_ident()


def test_an_error_is_raised_to_whoever_asks_for_the_result(loop: EventLoop, aside: Aside) -> None:
    done: list[object] = []
    error = ValueError("away")

    def work() -> None:
        raise error

    aside.do(work, lambda result: done.append(outcome(result)))
    while not done:
        loop.run_once()
    assert done == [error]


def test_it_is_full_while_very_much_waits(loop: EventLoop, aside: Aside) -> None:
    store_is_back = threading.Event()
    done: list[bool] = []
    while not aside.is_full:
        aside.do(store_is_back.wait, lambda result: done.append(result()))
    asked = aside._undone
    assert asked > aside.records.parallel
    store_is_back.set()
    while len(done) < asked:
        loop.run_once()
    assert not aside.is_full
