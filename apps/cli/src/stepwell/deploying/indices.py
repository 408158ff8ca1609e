"""Which items of a foreach the children of an array run, as text that fits into a variable: `0-99,104`. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def as_text(indices: Iterable[int]) -> str:
    """Ascending indices, runs of them as ranges."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def index_at(text: str, position: int) -> int:
    """The index at a position, from 0; raises `IndexError` where there are not so many."""
    for run in text.split(","):
        first, _, last = run.partition("-")
        size = int(last or first) - int(first) + 1
        if position < size:
            return int(first) + position
        position -= size
    raise IndexError(f"the indices {text} end {position + 1} before that")
