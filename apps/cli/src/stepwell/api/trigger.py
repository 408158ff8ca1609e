"""What started a run by itself: `current.trigger`, `Run.trigger`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from stepwell.client.objects import Run

SCHEDULE, RUN, EVENT = "schedule", "run", "event"


@attrs.frozen
class TriggerEvent:
    """One event: its name, its id at EventBridge, when it happened (UTC), and whether it is a schedule, a run or an event."""

    name: str
    id: str
    timestamp: dt.datetime
    type: str


@attrs.frozen
class Trigger:
    """What started a run: its events, and the runs whose end they tell of, if they do.

    Iterate the runs, or index them by their flow's name or their own path.
    """

    events: tuple[TriggerEvent, ...]
    _pathspecs: tuple[str, ...] = ()

    @classmethod
    def from_runs(cls, runs: Iterable[Run]) -> Trigger:
        """The trigger that the end of these runs would be."""
        found = tuple(runs)
        return cls(tuple(map(_end_of, found)), tuple(run.pathspec for run in found))

    @property
    def event(self) -> TriggerEvent | None:
        """The first event; None where there is none."""
        return next(iter(self.events), None)

    @property
    def pathspec(self) -> str | None:
        """The path of the run whose end started this one; None where something else did."""
        return next(iter(self._pathspecs), None)

    @property
    def run(self) -> Run | None:
        """The run whose end started this one, as the Client API shows it; None where something else did."""
        return next(iter(self), None)

    @property
    def runs(self) -> list[Run]:
        """All such runs."""
        return list(self)

    def __iter__(self) -> Iterator[Run]:
        import stepwell

        return map(stepwell.Run, self._pathspecs)

    def __getitem__(self, name: str) -> Run:
        for run in self:
            if name in (run.pathspec, run.path_components[0]):
                return run
        raise KeyError(name)

    def __contains__(self, name: str) -> bool:
        return any(name in (path, path.partition("/")[0]) for path in self._pathspecs)


def _end_of(run: Run) -> TriggerEvent:
    when = (run.finished_at or run.created_at).astimezone(dt.timezone.utc)
    return TriggerEvent(f"{run.path_components[0]}.end", run.pathspec, when, RUN)


def read_trigger(data: Mapping[str, Any] | None) -> Trigger | None:
    """The trigger that a run's claim tells of; None for a run that somebody started."""
    if not data:
        return None
    event = TriggerEvent(
        data["name"], data["id"], dt.datetime.fromisoformat(data["time"].replace("Z", "+00:00")), data["type"]
    )
    return Trigger((event,), (data["run"],) if data.get("run") else ())
