"""How runs and tasks are named in paths.

An all-numeric id is the service's own number; anything else is the name that a client gave.
"""

from __future__ import annotations

import attrs

LARGEST_ID = 2**63 - 1


def is_number(text: str) -> bool:
    """Whether a path's id means a number (by the rule of the original: ``str.isnumeric``)."""
    return text.isnumeric()


def number(text: str) -> int:
    """The number an id means; -1, which no row has, for what is numeric and yet no possible number."""
    try:
        value = int(text)
    except ValueError:  # "½" is numeric, and more digits than int() converts are possible
        return -1
    return value if value <= LARGEST_ID else -1


@attrs.frozen
class RunPath:
    """Names one run."""

    flow: str
    run: str


@attrs.frozen
class StepPath:
    """Names one step of a run."""

    flow: str
    run: str
    step: str


@attrs.frozen
class TaskPath:
    """Names one task of a step."""

    flow: str
    run: str
    step: str
    task: str
