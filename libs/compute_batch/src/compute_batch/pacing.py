"""How long to wait: between looks at jobs, and after AWS said "slow down". Pure but for the dice."""

from __future__ import annotations

import random

import attrs

from compute_batch.arguments import seconds


@attrs.frozen(kw_only=True)
class Pace:
    """How often unfinished jobs are looked at: every `least_seconds` after a change, ever more rarely up to `most_seconds`.

    Many jobs are looked at more rarely: `seconds_per_call` is kept between the calls that one look takes, on average.
    """

    least_seconds: float = attrs.field(default=1.0, validator=seconds)
    most_seconds: float = attrs.field(default=30.0, validator=seconds)
    growth: float = attrs.field(default=1.3, validator=seconds)
    seconds_per_call: float = attrs.field(default=0.2, validator=seconds)

    def after(self, waited: float, *, changed: bool, calls: int = 1) -> float:
        """Seconds to the next look, if the last one came `waited` seconds after the one before it and took `calls`."""
        least = max(self.least_seconds, calls * self.seconds_per_call)
        return least if changed else max(least, min(waited * self.growth, self.most_seconds))

    def after_throttling(self, waited: float) -> float:
        """Seconds to the next look, if AWS refused the last one."""
        return min(max(waited, self.least_seconds) * 2, max(self.most_seconds, self.least_seconds))


@attrs.frozen(kw_only=True)
class Patience:
    """How long one call is tried again while AWS throttles it or cannot be reached: `budget_seconds` in all.

    Waits grow from `first_seconds` by doubling up to `most_seconds`, each drawn at random below that, so that many clients do
    not come back all at once.
    """

    budget_seconds: float = attrs.field(default=120.0, validator=seconds)
    first_seconds: float = attrs.field(default=0.5, validator=seconds)
    most_seconds: float = attrs.field(default=20.0, validator=seconds)

    def wait(self, failures: int, spent: float) -> float | None:
        """Seconds to wait after that many failures and seconds; None if the budget does not allow it."""
        longest = min(self.first_seconds * 2.0 ** min(failures - 1, 30), self.most_seconds)
        chosen = random.uniform(longest / 2, longest)
        return chosen if spent + chosen <= self.budget_seconds else None


IMPATIENT = Patience(budget_seconds=0)
"""One try, no wait."""
