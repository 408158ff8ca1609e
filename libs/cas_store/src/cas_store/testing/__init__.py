"""For those who write backends, or want to see their own program meet a failing one.

`cas_store.testing.backends` is the suite that says whether a backend keeps its promises (it needs pytest);
`cas_store.testing.faults` wraps a backend in one that fails, tears, delays or lies on a schedule.
"""

from cas_store.testing.faults import (
    Call,
    Delay,
    Fail,
    Fault,
    FaultyBackend,
    Flip,
    LoseAnswer,
    Tear,
    Truncate,
    at,
    every,
    seeded,
)

__all__ = [
    "Call",
    "Delay",
    "Fail",
    "Fault",
    "FaultyBackend",
    "Flip",
    "LoseAnswer",
    "Tear",
    "Truncate",
    "at",
    "every",
    "seeded",
]
