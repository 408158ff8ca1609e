"""How far a run is: what became of the tasks of each step, in one line."""

from __future__ import annotations

import time
from collections.abc import Callable

import attrs

from stepwell.units import counted

_WIDE = 20
_ENOUGH_DONE, _ENOUGH_SECONDS = 5, 1.0


@attrs.define
class StepProgress:
    """The tasks of one step so far. `failed` counts attempts; `begun` is when the first task started, by the clock."""

    name: str
    planned: int = 0
    done: int = 0
    taken_over: int = 0
    running: int = 0
    failed: int = 0
    begun: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether all that was planned is done, as far as is known."""
        return self.done == self.planned

    def seconds_left(self, now: float) -> float | None:
        """How long it takes yet, at the pace so far; None where that says nothing."""
        ran = self.done - self.taken_over
        if self.begun is None or self.planned < _WIDE or ran < _ENOUGH_DONE or now - self.begun < _ENOUGH_SECONDS:
            return None
        return (now - self.begun) / ran * (self.planned - self.done)

    def describe(self, now: float) -> str:
        """As in `train 412/1,000, 16 running, 2 failed, 3 min 20 s left`."""
        parts = [f"{self.name} {self.done:,}/{self.planned:,}" if self.planned > 1 else self.name]
        if self.running or self.planned == 1:
            parts.append(f"{self.running:,} running" if self.planned > 1 else "running" if self.running else "waiting")
        if self.failed:
            parts.append(f"{self.failed:,} failed")
        if (left := self.seconds_left(now)) is not None:
            parts.append(f"{in_words(left)} left")
        return ", ".join(parts)


class Progress:
    """Counts what happens to tasks, by step."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steps: dict[str, StepProgress] = {}

    def of(self, step: str) -> StepProgress:
        """The count of a step."""
        return self._steps.setdefault(step, StepProgress(step))

    def planned(self, step: str, count: int) -> None:
        """So many tasks more will run, or are taken over."""
        self.of(step).planned += count

    def started(self, step: str) -> None:
        """An attempt begins."""
        one = self.of(step)
        one.running += 1
        one.begun = self._clock() if one.begun is None else one.begun

    def ended(self, step: str, done: bool) -> None:
        """An attempt is over."""
        one = self.of(step)
        one.running -= 1
        one.done += done
        one.failed += not done

    def withdrawn(self, step: str) -> None:
        """An attempt is over, and counts for nothing."""
        self.of(step).running -= 1

    def taken_over(self, step: str) -> None:
        """A task need not run."""
        one = self.of(step)
        one.done += 1
        one.taken_over += 1

    def line(self) -> str:
        """What is under way, the latest first, and how many steps are done."""
        now = self._clock()
        open_steps = [one.describe(now) for one in reversed(self._steps.values()) if not one.is_over]
        over = sum(one.is_over for one in self._steps.values())
        return " · ".join([*open_steps, *([counted(over, "step") + " done"] if over else [])])

    def summary(self) -> str:
        """As in `1,003 tasks of 4 steps done, 1,000 of them before; 2 attempts failed (train)`."""
        steps = self._steps.values()
        done, before = sum(one.done for one in steps), sum(one.taken_over for one in steps)
        said = f"{counted(done, 'task')} of {counted(sum(one.done > 0 for one in steps), 'step')} done"
        if before:
            said += f", {before:,} of them before"
        if failed := [one for one in steps if one.failed]:
            attempts = counted(sum(one.failed for one in failed), "attempt")
            said += f"; {attempts} failed ({', '.join(one.name for one in failed)})"
        return said


def in_words(seconds: float) -> str:
    """As in `8 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"
