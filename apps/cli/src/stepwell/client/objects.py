"""The Client API, from the top: `Metaflow` (all there is), `Flow`, `Run`, `Step`; `tasks` has what is below.

What exists and how it is tagged comes from the metadata store; what a task left comes from its record in the datastore.
"""

from __future__ import annotations

import datetime as dt
import functools
import time
from collections.abc import Iterable, Iterator

from cas_store import MissingObject
from meta_client import Flow as FlowEntry
from meta_client import Run as RunEntry
from meta_client import Step as StepEntry
from meta_client import Task as TaskEntry

from stepwell.api.trigger import Trigger, read_trigger
from stepwell.client import foreign
from stepwell.client.code import Code, read_code
from stepwell.client.lineage import Lineage, item_order
from stepwell.client.node import Node, exists, local_time, value_of
from stepwell.client.scope import datastore, get_namespace, metadata_store
from stepwell.client.tags import mutate
from stepwell.client.tasks import DataArtifact, Task
from stepwell.client.views import ArtifactView
from stepwell.errors import NotFound
from stepwell.execution.packs import FEWEST
from stepwell.execution.records import EndRecord, RunRecord, find_end, find_task, read_run
from stepwell.execution.step_records import StepRecords

__all__ = ["DataArtifact", "Flow", "Metaflow", "Run", "Step", "Task", "flows"]

_SILENT_SECONDS = 360


def flows() -> list[Flow]:
    """All flows that have runs in the current namespace, by name."""
    entries = sorted(metadata_store().list_flows(), key=lambda flow: flow.flow_id)
    return [flow for flow in map(Flow._of, entries) if flow._has_runs()]


class Metaflow:
    """All there is: the flows that have runs in the current namespace. Iterate, index by name, or ask `in`."""

    @property
    def flows(self) -> list[Flow]:
        """The flows, by name."""
        return flows()

    def __iter__(self) -> Iterator[Flow]:
        return iter(self.flows)

    def __getitem__(self, name: str) -> Flow:
        return Flow(name)

    def __contains__(self, name: str) -> bool:
        return exists(lambda: self[name])

    def __repr__(self) -> str:
        return "Metaflow()"

    def _repr_html_(self) -> str:
        """The flows as a notebook shows them."""
        from stepwell.client.drawing import flows_as_html

        return flows_as_html(self.flows)


class Flow(Node):
    """A flow: its runs, newest first."""

    _depth = 1
    _entry: FlowEntry

    @classmethod
    def _of(cls, entry: FlowEntry) -> Flow:
        flow = cls.__new__(cls)
        flow.path_components, flow._entry = (entry.flow_id,), entry
        return flow

    def _look_up(self) -> FlowEntry:
        return metadata_store().get_flow(self.id)

    def _check_namespace(self) -> None:
        """A flow belongs to everybody; its runs are what a namespace shows or hides."""

    def is_in_namespace(self) -> bool:
        """Whether the namespace in force shows any of its runs."""
        return self._has_runs()

    def runs(self, *tags: str) -> Iterator[Run]:
        """The runs in the current namespace that have all these tags, newest first."""
        scope = get_namespace()
        wanted = [*tags, *([scope] if scope else [])]
        for entry in metadata_store().list_runs(self.id, tags=wanted):
            yield Run._of(entry)

    def __iter__(self) -> Iterator[Run]:
        return self.runs()

    def __getitem__(self, run_id: str | int) -> Run:
        run: Run = self._child(run_id)
        return run

    def __contains__(self, run_id: str | int) -> bool:
        return exists(lambda: self[run_id])

    @property
    def latest_run(self) -> Run | None:
        """The newest run, or None."""
        return next(self.runs(), None)

    @property
    def latest_successful_run(self) -> Run | None:
        """The newest run that succeeded, or None."""
        return next((run for run in self.runs() if run.successful), None)

    def _has_runs(self) -> bool:
        return self.latest_run is not None

    def _repr_html_(self) -> str:
        """The newest runs, as a notebook shows them."""
        from stepwell.client.drawing import flow_as_html

        return flow_as_html(self)


class Run(Node):
    """A run: its steps, its tags, and what its last step left.

    Runs that another tool recorded in the same metadata service are listed too; their data raises `ForeignRun`.
    """

    _depth = 2
    _entry: RunEntry

    @classmethod
    def _of(cls, entry: RunEntry) -> Run:
        run = cls.__new__(cls)
        run.path_components, run._entry = (entry.flow_id, str(entry.run_id)), entry
        return run

    def _look_up(self) -> RunEntry:
        return metadata_store().get_run(*self.path_components)

    @functools.cached_property
    def _claim(self) -> RunRecord:
        if self._is_foreign:
            raise foreign.refusal(self.pathspec)
        flow, run_id = self.path_components
        try:
            return read_run(datastore().records, flow, run_id)
        except MissingObject:
            raise NotFound(
                f"The run {self.pathspec} is not in the datastore {datastore().root}.\n"
                "Was it run with another datastore, or removed?"
            ) from None

    @property
    def _is_foreign(self) -> bool:
        return foreign.is_foreign(self.system_tags)

    # Tags

    def add_tag(self, *tags: str) -> None:
        """Add tags; raises `InvalidTag` for more than a run may have, or what can be none, and then adds nothing."""
        self._entry = mutate(self._entry, add=tags)

    def add_tags(self, tags: Iterable[str]) -> None:
        """Add tags."""
        self._entry = mutate(self._entry, add=tags)

    def remove_tag(self, *tags: str) -> None:
        """Remove tags that people gave; those that are not there do not matter."""
        self._entry = mutate(self._entry, remove=tags)

    def remove_tags(self, tags: Iterable[str]) -> None:
        """Remove tags."""
        self._entry = mutate(self._entry, remove=tags)

    def replace_tag(self, old: str, new: str) -> None:
        """Put one tag in another's place, at once."""
        self._entry = mutate(self._entry, add=[new], remove=[old])

    def replace_tags(self, old: Iterable[str], new: Iterable[str]) -> None:
        """Remove tags and add others, at once; a tag in both ends present."""
        self._entry = mutate(self._entry, add=new, remove=old)

    # Steps

    def steps(self, *tags: str) -> Iterator[Step]:
        """The steps that ran, newest first; none where the run lacks one of the tags."""
        if self.tags.issuperset(tags):
            for entry in reversed(metadata_store().list_steps(*self.path_components)):
                yield Step._of(entry, self.path_components[1])

    def __iter__(self) -> Iterator[Step]:
        return self.steps()

    def __getitem__(self, step: str) -> Step:
        found: Step = self._child(step)
        return found

    def __contains__(self, step: str) -> bool:
        return exists(lambda: self[step])

    # How it went

    @property
    def origin_run_id(self) -> str | None:
        """The id of the run that this one resumed, or None."""
        return None if self._is_foreign else self._claim.origin_run_id

    @property
    def origin_pathspec(self) -> str | None:
        """The run that this one resumed, or None."""
        return f"{self.path_components[0]}/{self.origin_run_id}" if self.origin_run_id else None

    @property
    def origin_datastore(self) -> str | None:
        """The root of the datastore that has the run which this one resumed; None where it is the same, or there is none."""
        return None if self._is_foreign else self._claim.origin_datastore

    @property
    def trigger(self) -> Trigger | None:
        """What started the run by itself, in production: a schedule, an event, another run; None where somebody did."""
        return None if self._is_foreign else read_trigger(self._claim.trigger)

    @property
    def execution_arn(self) -> str | None:
        """The execution that the run is, in production; None elsewhere."""
        return None if self._is_foreign else self._claim.execution_arn

    @property
    def _end(self) -> EndRecord | None:
        return find_end(datastore().records, *self.path_components)

    @property
    def end_task(self) -> Task | None:
        """The task that ended the run; None where it never got there."""
        if self._is_foreign:
            entry = foreign.end_task(*self.path_components)
            return Task._of(entry, self.path_components[1]) if entry else None
        flow, run_id = self.path_components
        record = find_task(datastore().records, flow, run_id, self._claim.end_step, "t0")
        return Task(f"{self.pathspec}/{record.step}/{record.task_id}") if record else None

    @property
    def successful(self) -> bool:
        """Whether the run reached its end."""
        return self.end_task is not None

    @property
    def finished(self) -> bool:
        """Whether the run is over."""
        return self.successful or self._end is not None

    @property
    def finished_at(self) -> dt.datetime | None:
        """When the run ended, local time; None while it has not."""
        if (end := self._end) is not None:
            return local_time(end.ended)
        last = self.end_task
        return last.finished_at if last else None

    @property
    def lost(self) -> bool:
        """Whether it never ended, but its scheduler, which used to say that it lives, has said nothing for six minutes."""
        beat = self._entry.last_heartbeat_ts
        return beat is not None and time.time() - beat > _SILENT_SECONDS and not self.finished

    @property
    def removed(self) -> bool:
        """Whether its tasks' records were deleted: only its name and tags are left."""
        end = self._end
        return end is not None and end.removed is not None

    @property
    def code(self) -> Code | None:
        """The code that its jobs ran with; None for a run on one machine, which needs no package of it."""
        if self._claim.package is None:
            return None
        known = {name: value_of(self.system_tags, name) for name in ("python_version", "stepwell_version", "runtime")}
        info = {"flow_name": self._claim.flow, "script": self._claim.file, "user": self._claim.user, **known}
        return read_code(datastore().content, self._claim.package, info)

    @property
    def data(self) -> ArtifactView | None:
        """The artifacts of the last step as attributes; None where the run never got there."""
        end = self.end_task
        return end.data if end else None

    def _repr_html_(self) -> str:
        """The run as a notebook shows it: its graph, and what ran when."""
        from stepwell.client.drawing import run_as_html

        return run_as_html(self)


class Step(Node):
    """A step of a run: its tasks."""

    _depth = 3
    _entry: StepEntry

    @classmethod
    def _of(cls, entry: StepEntry, run_id: str) -> Step:
        step = cls.__new__(cls)
        step.path_components, step._entry = (entry.flow_id, run_id, entry.step_name), entry
        return step

    def _look_up(self) -> StepEntry:
        return metadata_store().get_step(*self.path_components)

    def tasks(self, *tags: str) -> Iterator[Task]:
        """The tasks of the step, in item order; none where the run lacks one of the tags."""
        if self.tags.issuperset(tags):
            entries = self._entries()
            shelf = StepRecords(datastore().records, *self.path_components) if len(entries) >= FEWEST else None
            for entry in sorted(entries, key=lambda entry: item_order(str(entry.task_id))):
                yield Task._of(entry, self.path_components[1], shelf)

    def _entries(self) -> list[TaskEntry]:
        return metadata_store().list_tasks(*self.path_components)

    def __iter__(self) -> Iterator[Task]:
        return self.tasks()

    def __getitem__(self, task_id: str | int) -> Task:
        task: Task = self._child(task_id)
        return task

    def __contains__(self, task_id: str | int) -> bool:
        return exists(lambda: self[task_id])

    @property
    def task(self) -> Task:
        """The first task of the step; the only one outside a foreach. Raises `NotFound` where none began."""
        first = next(self.tasks(), None)
        if first is None:
            raise NotFound(f"The step {self.pathspec} has no task (yet)")
        return first

    def control_tasks(self, *tags: str) -> Iterator[Task]:
        """The tasks in control of gangs, one of each; none where the step is of no gang, or the run lacks one of the tags."""
        if self._lineage.is_gang(self.id):
            yield from (task for task in self.tasks(*tags) if task.index == 0)

    @property
    def control_task(self) -> Task | None:
        """The first task that is in control of a gang; None where the step is of none."""
        return next(self.control_tasks(), None)

    @property
    def finished_at(self) -> dt.datetime | None:
        """When the last of its tasks was done, local time; None while one is not."""
        ends = [task.finished_at for task in self.tasks()]
        return max((end for end in ends if end), default=None) if all(ends) else None

    @property
    def environment_info(self) -> dict[str, str]:
        """What its first task ran with: versions of Python and stepwell, the user, the code package if there is one."""
        return self.task.environment_info

    @property
    def origin_pathspec(self) -> str | None:
        """The step from which a resumed run took over the first task of this one; None where that ran itself."""
        origin = self.task.origin_pathspec
        return origin.rpartition("/")[0] if origin else None

    @property
    def parent_steps(self) -> Iterator[Step]:
        """The steps from which tasks came here, oldest first."""
        lineage = self._lineage
        yield from (self.parent[name] for name in lineage.step_parents(self.id))

    @property
    def child_steps(self) -> Iterator[Step]:
        """The steps to which this one's tasks went, oldest first."""
        lineage = self._lineage
        yield from (self.parent[name] for name in lineage.step_children(self.id))

    @property
    def _lineage(self) -> Lineage:
        flow, run_id, _ = self.path_components
        return Lineage(flow, run_id)

    def _repr_html_(self) -> str:
        """The first tasks, as a notebook shows them."""
        from stepwell.client.drawing import step_as_html

        return step_as_html(self)
