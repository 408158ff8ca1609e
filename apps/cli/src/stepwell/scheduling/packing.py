"""Pack the records of wide steps as their tasks finish: joins, resume, listings and collection read one object then."""

from __future__ import annotations

import contextlib
from collections import defaultdict

from cas_store import Backend, CasStoreError
from flow_graph import FlowGraph, PlannedTask

from stepwell.execution.packs import FEWEST, INDEX, PackWriter
from stepwell.execution.records import RunRecord, TaskRecord, encode, run_directory


class StepPacker:
    """Gathers the records of steps inside a foreach; writes a step's index when no more of its tasks can come."""

    def __init__(self, graph: FlowGraph, claim: RunRecord, records: Backend) -> None:
        self._graph, self._claim, self._records = graph, claim, records
        self._packs: dict[str, PackWriter] = defaultdict(PackWriter)

    def add(self, record: TaskRecord) -> None:
        """A task of the run is done."""
        if record.depth:
            self._packs[record.step].add(record.task_id, encode(record))

    def about_to_start(self, task: PlannedTask) -> None:
        """A task is planned. Where it is the join of an outermost foreach, the steps in there are finished."""
        if not task.path and self._graph[task.step].takes_inputs:
            for step in [step for step in self._packs if self._join_behind(step) == task.step]:
                self._publish(step)

    def close(self) -> None:
        """Write what there is, finished or not: a resume reads it."""
        for step in list(self._packs):
            self._publish(step)

    def _join_behind(self, step: str) -> str | None:
        return self._graph.matching_join(self._graph.foreaches(step)[0])

    def _publish(self, step: str) -> None:
        pack = self._packs.pop(step)
        content = pack.content()
        if pack.count >= FEWEST:
            with contextlib.suppress(CasStoreError):  # without it the records are read one by one
                self._records.replace(f"{run_directory(self._claim.flow, self._claim.run_id)}/{step}/{INDEX}", content)
