"""When a request may be sent again, and after what pause."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from enum import Enum

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 3.0


class Fate(Enum):
    """What became of a request that got no proper answer."""

    NOT_DONE = "it was never carried out: no connection, or too many requests"
    REFUSED = "the service says that it could not carry it out"
    UNKNOWN = "it may have been carried out: the connection broke, or the answer did"


ALWAYS = frozenset(Fate)
"""For requests that do the same when sent twice."""

UNLESS_UNKNOWN = frozenset({Fate.NOT_DONE, Fate.REFUSED})
"""For requests that create something new each time."""

ONLY_IF_NOT_DONE = frozenset({Fate.NOT_DONE})
"""For requests whose sender can find out what was carried out."""


def pause_s(tries: int, headers: Mapping[str, str]) -> float:
    """Seconds to wait after so many tries: doubled each time, with jitter, and never less than the service asks for."""
    longest = min(_FIRST_PAUSE_S * 2.0 ** min(tries - 1, 10), _LONGEST_PAUSE_S)
    return max(random.uniform(longest / 2, longest), _retry_after_s(headers))


def _retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds, or a date, as the header has it; 0 where there is none that can be read."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return 0.0
    aware = when if when.tzinfo else when.replace(tzinfo=timezone.utc)
    return max(0.0, (aware - datetime.now(timezone.utc)).total_seconds())
