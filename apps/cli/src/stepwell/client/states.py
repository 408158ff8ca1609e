"""The state of a run or a task, in one word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stepwell.errors import RecordError

if TYPE_CHECKING:
    from stepwell.client.objects import Run
    from stepwell.client.tasks import Task

STATES = ("running", "completed", "failed", "lost", "removed", "unreadable")


def state_of(of: Run | Task) -> str:
    """One of `STATES`, of which lost and removed are for runs only; raises `RecordError` where a record cannot be read."""
    if of.successful:
        return "completed"
    if getattr(of, "removed", False):
        return "removed"
    if getattr(of, "lost", False):
        return "lost"
    return "failed" if of.finished else "running"


def listed_state(of: Run | Task) -> str:
    """The state among those of others, which a record that is damaged or of a later version does not keep from being listed."""
    try:
        return state_of(of)
    except RecordError:
        return "unreadable"
