"""The Client API: `Flow`, `Run`, `Step`, `Task`, `DataArtifact`.

What exists and how it is tagged comes from the metadata store; what a task left comes from its record in the datastore.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator
from typing import Any

import attrs
from cas_store import MissingObject, Reference
from meta_client import NotFound as NoSuchRecord
from meta_client import Run as RunEntry
from meta_client import Task as TaskEntry

from stepwell.client.scope import datastore, get_namespace, metadata_store
from stepwell.errors import InvalidPathspec, NamespaceMismatch, NotFound
from stepwell.execution.artifacts import load_artifact
from stepwell.execution.logs import LogLine, log_name, read_log
from stepwell.execution.records import (
    EndRecord,
    FailureRecord,
    RunRecord,
    TaskRecord,
    find_end,
    find_failure,
    find_task,
    read_run,
)


def flows() -> list[Flow]:
    """All flows that have runs in the current namespace, by name."""
    names = sorted(flow.flow_id for flow in metadata_store().list_flows())
    return [flow for flow in (Flow(name) for name in names) if flow._has_runs()]


class _Node:
    """What all levels share: a path, tags, a time."""

    _depth = 0

    def __init__(self, pathspec: str) -> None:
        parts = tuple(pathspec.split("/"))
        if len(parts) != self._depth or not all(parts):
            form = "/".join(("Flow", "run", "step", "task", "artifact")[: self._depth])
            raise InvalidPathspec(f"'{pathspec}' is no path of a {type(self).__name__}: it has the form {form}")
        self.path_components = parts
        self._check()

    def _check(self) -> None:
        raise NotImplementedError

    @property
    def pathspec(self) -> str:
        """The path that names the object, such as `Flow/12/train/t0`."""
        return "/".join(self.path_components)

    @property
    def id(self) -> str:
        """The last part of the path."""
        return self.path_components[-1]

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self.pathspec}')"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.path_components == self.path_components

    def __hash__(self) -> int:
        return hash((type(self), self.path_components))


class Flow(_Node):
    """A flow: its runs, newest first."""

    _depth = 1

    def _check(self) -> None:
        try:
            metadata_store().get_flow(self.id)
        except NoSuchRecord:
            raise NotFound(
                f"There is no flow '{self.id}' in this metadata store; stepwell ls lists what there is"
            ) from None

    def runs(self, *tags: str) -> Iterator[Run]:
        """The runs in the current namespace that have all these tags, newest first."""
        scope = get_namespace()
        wanted = [*tags, *([scope] if scope else [])]
        for entry in metadata_store().list_runs(self.id, tags=wanted):
            yield Run._of(entry)

    def __iter__(self) -> Iterator[Run]:
        return self.runs()

    def __getitem__(self, run_id: str | int) -> Run:
        return Run(f"{self.id}/{run_id}")

    def __contains__(self, run_id: str | int) -> bool:
        return _exists(lambda: self[run_id])

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


class Run(_Node):
    """A run: its steps, and what its last step left."""

    _depth = 2
    _entry: RunEntry

    @classmethod
    def _of(cls, entry: RunEntry) -> Run:
        run = cls.__new__(cls)
        run.path_components = (entry.flow_id, str(entry.run_id))
        run._entry = entry
        return run

    def _check(self) -> None:
        flow, run_id = self.path_components
        try:
            self._entry = metadata_store().get_run(flow, run_id)
        except NoSuchRecord:
            raise NotFound(f"There is no run '{self.pathspec}'; stepwell ls {flow} lists what there is") from None
        scope = get_namespace()
        if scope and scope not in self.tags:
            raise NamespaceMismatch(
                f"The run {self.pathspec} is not in the namespace '{scope}'; look everywhere with namespace(None)"
            )

    @functools.cached_property
    def _claim(self) -> RunRecord:
        flow, run_id = self.path_components
        try:
            return read_run(datastore().records, flow, run_id)
        except MissingObject:
            raise NotFound(
                f"The run {self.pathspec} is not in the datastore {datastore().root}.\n"
                "Was it run with another datastore, or by another tool that shares this metadata service?"
            ) from None

    @property
    def user_tags(self) -> frozenset[str]:
        """The tags that people gave."""
        return frozenset(self._entry.tags or ())

    @property
    def system_tags(self) -> frozenset[str]:
        """The tags that stepwell gave."""
        return frozenset(self._entry.system_tags or ())

    @property
    def tags(self) -> frozenset[str]:
        """All tags."""
        return self.user_tags | self.system_tags

    def add_tag(self, *tags: str) -> None:
        """Add tags."""
        self._mutate(add=tags)

    def remove_tag(self, *tags: str) -> None:
        """Remove tags."""
        self._mutate(remove=tags)

    def _mutate(self, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> None:
        metadata_store().mutate_tags(self._entry, add=list(add), remove=list(remove))
        self._check()

    @property
    def created_at(self) -> dt.datetime:
        """When the run was registered, local time."""
        return _time((self._entry.ts_epoch or 0) / 1000)

    def steps(self) -> Iterator[Step]:
        """The steps that ran, newest first."""
        flow, run_id = self.path_components
        for entry in reversed(metadata_store().list_steps(flow, run_id)):
            yield Step(f"{self.pathspec}/{entry.step_name}")

    def __iter__(self) -> Iterator[Step]:
        return self.steps()

    def __getitem__(self, step: str) -> Step:
        return Step(f"{self.pathspec}/{step}")

    def __contains__(self, step: str) -> bool:
        return _exists(lambda: self[step])

    @property
    def origin_pathspec(self) -> str | None:
        """The run that this one resumed, or None."""
        origin = self._claim.origin_run_id
        return f"{self.path_components[0]}/{origin}" if origin else None

    @property
    def _end(self) -> EndRecord | None:
        return find_end(datastore().records, *self.path_components)

    @property
    def end_task(self) -> Task | None:
        """The task that ended the run; None where it never got there."""
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
        end = self._end
        return _time(end.ended) if end else None

    @property
    def data(self) -> ArtifactView | None:
        """The artifacts of the last step as attributes; None where the run never got there."""
        end = self.end_task
        return end.data if end else None


class Step(_Node):
    """A step of a run: its tasks."""

    _depth = 3

    def _check(self) -> None:
        flow, run_id, step = self.path_components
        Run(f"{flow}/{run_id}")
        try:
            metadata_store().get_step(flow, run_id, step)
        except NoSuchRecord:
            raise NotFound(f"The run {flow}/{run_id} has no step '{step}' (yet)") from None

    def tasks(self) -> Iterator[Task]:
        """The tasks of the step, in item order."""
        entries = metadata_store().list_tasks(*self.path_components)
        for task_id in sorted((str(entry.task_id) for entry in entries), key=_item_order):
            yield Task(f"{self.pathspec}/{task_id}")

    def __iter__(self) -> Iterator[Task]:
        return self.tasks()

    def __getitem__(self, task_id: str) -> Task:
        return Task(f"{self.pathspec}/{task_id}")

    def __contains__(self, task_id: str) -> bool:
        return _exists(lambda: self[task_id])

    @property
    def task(self) -> Task:
        """The first task of the step; the only one outside a foreach."""
        return next(self.tasks())


class Task(_Node):
    """A task: its artifacts, its log, how it ended."""

    _depth = 4

    def _check(self) -> None:
        flow, run_id, step, task_id = self.path_components
        try:
            metadata_store().get_task(flow, run_id, step, task_id)
        except NoSuchRecord:
            if self._record is None:
                raise NotFound(f"There is no task '{self.pathspec}' (yet)") from None

    @functools.cached_property
    def _record(self) -> TaskRecord | None:
        return find_task(datastore().records, *self.path_components)

    @property
    def finished(self) -> bool:
        """Whether the task is over, well or not."""
        return self.successful or self._failure is not None

    @property
    def successful(self) -> bool:
        """Whether the task is done."""
        return self._record is not None

    @property
    def finished_at(self) -> dt.datetime | None:
        """When the task was done, local time; None while it is not."""
        return _time(self._record.ended) if self._record else None

    @property
    def current_attempt(self) -> int:
        """The attempt that counts, from 0: the one that was done, else the last that failed."""
        if self._record:
            return self._record.attempt
        return next((n for n in range(_MOST_ATTEMPTS, -1, -1) if self._failure_of(n)), 0)

    def _failure_of(self, attempt: int) -> FailureRecord | None:
        flow, run_id, step, task_id = self.path_components
        return find_failure(datastore().records, flow, run_id, step, task_id, attempt)

    @property
    def _failure(self) -> FailureRecord | None:
        return None if self._record else self._failure_of(self.current_attempt)

    @property
    def exception(self) -> FailureRecord | None:
        """Why the task failed: `.type`, `.message`, `.traceback`; None where it did not."""
        return self._failure

    @property
    def artifacts(self) -> dict[str, DataArtifact]:
        """The task's artifacts by name, not loaded."""
        return {name: DataArtifact(f"{self.pathspec}/{name}") for name in sorted(self._references)}

    @property
    def _references(self) -> dict[str, Reference]:
        return dict(self._record.artifacts) if self._record else {}

    def __iter__(self) -> Iterator[DataArtifact]:
        return iter(self.artifacts.values())

    def __getitem__(self, name: str) -> DataArtifact:
        return DataArtifact(f"{self.pathspec}/{name}")

    def __contains__(self, name: str) -> bool:
        return name in self._references

    @property
    def data(self) -> ArtifactView:
        """The task's artifacts as attributes, loaded on first access."""
        return ArtifactView(self.pathspec, self._references)

    @property
    def metadata_dict(self) -> dict[str, str]:
        """What is registered about the task by field name, the newest of each."""
        flow, run_id, step, task_id = self.path_components
        entry = TaskEntry(flow_id=flow, run_id=run_id, step_name=step, task_id=task_id)
        return {one.field_name: one.value for one in reversed(metadata_store().list_metadata(entry))}

    @property
    def origin_pathspec(self) -> str | None:
        """The task that this one was taken over from, by a resumed run; None where it ran itself."""
        return self._record.origin if self._record else None

    def loglines(self, stream: str = "") -> list[LogLine]:
        """What the task printed, line by line: to "stdout", "stderr", or both; for one that was taken over, when it ran."""
        flow, run_id, step, task_id = (self.origin_pathspec or self.pathspec).split("/")
        lines = read_log(datastore().records, log_name(flow, run_id, step, task_id, self.current_attempt))
        return [line for line in lines if stream in ("", line.stream)]

    @property
    def stdout(self) -> str:
        """What the task printed to standard output."""
        return "".join(f"{line.text}\n" for line in self.loglines("stdout"))

    @property
    def stderr(self) -> str:
        """What the task printed to standard error."""
        return "".join(f"{line.text}\n" for line in self.loglines("stderr"))


class DataArtifact(_Node):
    """An artifact of a task."""

    _depth = 5
    _reference: Reference

    def _check(self) -> None:
        *task, name = self.path_components
        record = find_task(datastore().records, *task)
        reference = record.artifacts.get(name) if record else None
        if reference is None:
            raise NotFound(f"The task {'/'.join(task)} has no artifact '{name}'")
        self._reference = reference

    @property
    def data(self) -> Any:
        """The value, loaded now."""
        return load_artifact(datastore().objects, self._reference, self.id)

    @property
    def sha(self) -> str:
        """What the value is, by content: equal for equal values."""
        return self._reference.identity


@attrs.frozen(repr=False)
class ArtifactView:
    """Artifacts as attributes, loaded on first access."""

    _pathspec: str
    _references: dict[str, Reference]

    def __getattr__(self, name: str) -> Any:
        reference = object.__getattribute__(self, "_references").get(name)
        if reference is None:
            raise AttributeError(f"The task {self._pathspec} has no artifact '{name}'")
        return load_artifact(datastore().objects, reference, name)

    def __contains__(self, name: str) -> bool:
        return name in self._references

    def __dir__(self) -> list[str]:
        return sorted(self._references)

    def __repr__(self) -> str:
        return f"<artifacts of {self._pathspec}: {', '.join(dir(self))}>"


_MOST_ATTEMPTS = 5


def _exists(look_up: Any) -> bool:
    try:
        look_up()
    except (NotFound, NamespaceMismatch):
        return False
    return True


def _item_order(task_id: str) -> tuple[tuple[int, ...], str]:
    numbers = task_id.removeprefix("t").replace("r", "").split("-")
    return (tuple(map(int, numbers)) if all(map(str.isdigit, numbers)) else (), task_id)


def _time(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds)
