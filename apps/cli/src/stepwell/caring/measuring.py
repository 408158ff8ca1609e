"""usage: who keeps how much."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs
from cas_store import Reference

from stepwell.caring.walking import StoredRun, read_claim, read_tasks, stored_runs
from stepwell.execution.records import RunRecord
from stepwell.execution.stores import Stores


@attrs.define
class Share:
    """What one flow, user or project keeps: values of `size_bytes` together, as encoded, each counted once.

    What several share is counted for each of them, so the shares may come to more than the store holds.
    """

    runs: int = 0
    tasks: int = 0
    size_bytes: int = 0
    _seen: set[str] = attrs.field(factory=set, repr=False)

    def add(self, stores: Stores, run: StoredRun, claim: RunRecord) -> None:
        """Count a run."""
        self.runs += 1
        for values in (claim.constants, claim.parameters):
            self._add_values(values.values())
        for task in read_tasks(stores.records, run):
            self.tasks += 1
            self._add_values(task.artifacts.values())

    def _add_values(self, references: Iterable[Reference]) -> None:
        for reference in references:
            if reference.identity not in self._seen:
                self._seen.add(reference.identity)
                self.size_bytes += reference.size_bytes


def _project(claim: RunRecord) -> str:
    tags = (tag for tag in claim.system_tags if tag.startswith("project:"))
    return next((tag.partition(":")[2] for tag in tags), "(none)")


GROUPS: dict[str, Callable[[RunRecord], str]] = {
    "flow": lambda claim: claim.flow,
    "user": lambda claim: claim.user,
    "project": _project,
}


def shares(stores: Stores, by: str) -> dict[str, Share]:
    """What each flow, user or project (`by`) keeps, the largest first; raises `RecordError`."""
    found: dict[str, Share] = {}
    for run in stored_runs(stores.records):
        claim = read_claim(stores.records, run)
        if claim is not None:
            found.setdefault(GROUPS[by](claim), Share()).add(stores, run, claim)
    return dict(sorted(found.items(), key=lambda item: (-item[1].size_bytes, item[0])))
