"""The quotas of AWS that a machine can meet, from the service quotas of Step Functions and Batch as published in 2026."""

from __future__ import annotations

import re

from sched_sfn import arguments
from sched_sfn.errors import InvalidName, QuotaExceeded

PAYLOAD = 256 * 1024
"""Bytes of the input or output of a state or an execution."""
EVENTS = 25_000
"""Events in the history of an execution."""
DEFINITION = 1024 * 1024
"""Bytes of a definition."""
STATE_NAME = 80
NAME = 80
"""Characters of the name of a machine or an execution."""
CONCURRENT_ITERATIONS = 40
CONCURRENT_CHILDREN = 10_000
ARRAY = 10_000
"""Children of an array job; two at least."""
OVERRIDES = 8 * 1024
"""Bytes of the container overrides of a job."""
ATTEMPTS = 10
SHORTEST_TIMEOUT = 60
"""Seconds of a job's attempt."""
LONGEST_TIMEOUT = 99_999_999
"""Seconds of a state or an execution."""
JOB_NAME = 128

FORBIDDEN = re.compile(r"""[\s?*<>{}\[\]"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]""")


def require(what: str, quota: str, limit: int, actual: int, advice: str, step: str | None = None) -> None:
    """Raise QuotaExceeded if `actual` is above `limit`."""
    if actual > limit:
        raise QuotaExceeded(what, quota, limit, actual, advice, step)


def check_name(kind: str, name: str) -> str:
    """The name of a machine or an execution. Raises InvalidName, InvalidArgument."""
    arguments.text(f"The name of {kind}", name)
    if not 1 <= len(name) <= NAME:
        raise InvalidName(kind, name, f"it has {len(name)} characters, and AWS takes 1 to {NAME}")
    if found := FORBIDDEN.search(name):
        raise InvalidName(kind, name, f"AWS takes no {found[0]!r} in it")
    return name
