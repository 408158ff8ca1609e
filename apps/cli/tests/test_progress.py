"""How far a run is, in words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from stepwell.scheduling.progress import Progress, in_words
from stepwell.terminal import fitting


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_wide_foreach_says_how_many_are_done_and_when_the_rest_will_be() -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.planned("start", 1)
    assert progress.line() == "start, waiting"
    progress.started("start")
    assert progress.line() == "start, running"
    progress.ended("start", done=True)
    progress.planned("train", 1000)
    assert progress.line() == "train 0/1,000 · 1 step done"
    for _ in range(102):
        progress.started("train")
    clock.now = 20.0
    for _ in range(100):
        progress.ended("train", done=True)
    progress.ended("train", done=False)
    progress.started("train")
    assert progress.line() == "train 100/1,000, 2 running, 1 failed, 3 min 0 s left · 1 step done"
    assert progress.summary() == "101 tasks of 2 steps done; 1 attempt failed (train)"


def test_what_was_done_before_says_nothing_of_the_pace() -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.planned("train", 100)
    for _ in range(80):
        progress.taken_over("train")
    progress.started("train")
    clock.now = 10.0
    assert progress.line() == "train 80/100, 1 running"
    for _ in range(10):
        progress.ended("train", done=True)
        progress.started("train")
    assert progress.line() == "train 90/100, 1 running, 10 s left"
    assert progress.summary() == "90 tasks of 1 step done, 80 of them before"


@given(st.floats(0, 10**7))
def test_durations_read_as_people_say_them(seconds: float) -> None:
    words = in_words(seconds).replace(",", "").split()
    units = {"s": 1, "min": 60, "h": 3600}
    told = sum(int(number) * units[unit] for number, unit in zip(words[::2], words[1::2], strict=True))
    assert abs(told - seconds) <= (60 if "h" in words else 0.5)


@given(st.text(max_size=50), st.integers(1, 60))
def test_a_line_never_wraps(text: str, columns: int) -> None:
    assert len(fitting(text, columns)) <= columns
    assert fitting(text, 60) == text
