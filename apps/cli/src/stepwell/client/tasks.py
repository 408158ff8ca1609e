"""The Client API, below the steps: `Task`, `DataArtifact`, and artifacts as attributes."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
from cas_store import Reference
from meta_client import Artifact as ArtifactEntry
from meta_client import NotFound as NoSuchRecord
from meta_client import Task as TaskEntry

from stepwell.client import foreign
from stepwell.client.code import Code
from stepwell.client.lineage import Lineage
from stepwell.client.missing import missing
from stepwell.client.node import Node, local_time, value_of
from stepwell.client.scope import datastore, metadata_store
from stepwell.client.views import Artifacts, ArtifactView
from stepwell.errors import NotFound
from stepwell.execution.artifacts import load_artifact
from stepwell.execution.logs import LogLine, log_name, read_log
from stepwell.execution.records import FailureRecord, TaskRecord, find_failure, find_task
from stepwell.execution.step_records import StepRecords
from stepwell.execution.stores import Stores

_MOST_ATTEMPTS = 5


@attrs.frozen
class Metadata:
    """One thing noted about a task."""

    name: str
    value: str
    created_at: dt.datetime
    type: str
    task: Task = attrs.field(repr=False)


class Task(Node):
    """A task: its artifacts, its log, how it ended.

    `Task(path, attempt=1)` shows what the second attempt left: its log, how it failed; artifacts only where it is the one
    that counts.
    """

    _depth = 4
    _entry: TaskEntry
    _attempt: int | None = None
    _shelf: StepRecords | None = None

    def __init__(self, pathspec: str, attempt: int | None = None) -> None:
        self._attempt = attempt
        super().__init__(pathspec)

    @classmethod
    def _of(cls, entry: TaskEntry, run_id: str, shelf: StepRecords | None = None) -> Task:
        """`shelf` is where the records of many tasks of the step are looked up together."""
        task = cls.__new__(cls)
        task._shelf = shelf
        task.path_components = (entry.flow_id, run_id, entry.step_name, str(entry.task_id))
        task._entry = entry
        return task

    def _look_up(self) -> TaskEntry:
        flow, run_id, step, task_id = self.path_components
        try:
            return metadata_store().get_task(flow, run_id, step, task_id)
        except NoSuchRecord:
            record = find_task(datastore().records, *self.path_components)
            if record is None:
                raise
            return self._unregistered(record)

    def _unregistered(self, record: TaskRecord) -> TaskEntry:
        """A task that is done, but of which the metadata store was not told."""
        flow, run_id, step, task_id = self.path_components
        run = metadata_store().get_run(flow, run_id)
        return TaskEntry(
            flow_id=flow,
            run_id=run_id,
            step_name=step,
            task_id=task_id,
            ts_epoch=int(record.started * 1000),
            tags=run.tags,
            system_tags=run.system_tags,
        )

    @functools.cached_property
    def _done(self) -> TaskRecord | None:
        if self._is_foreign:
            return None
        return self._shelf.find(self.id) if self._shelf else find_task(datastore().records, *self.path_components)

    @property
    def _record(self) -> TaskRecord | None:
        """What the task left, where the attempt that is looked at is the one that did."""
        done = self._done
        return done if done and self._attempt in (None, done.attempt) else None

    @property
    def _is_foreign(self) -> bool:
        return foreign.is_foreign(self.system_tags)

    # How it went

    @property
    def successful(self) -> bool:
        """Whether the task is done."""
        if self._is_foreign:
            status = foreign.attempt_status(self._entry)
            return status is not None and status.value == "True"
        return self._record is not None

    @property
    def finished(self) -> bool:
        """Whether the task is over, well or not."""
        if self._is_foreign:
            return foreign.attempt_status(self._entry) is not None
        return self.successful or self._failure is not None

    @property
    def finished_at(self) -> dt.datetime | None:
        """When the task was over, well or not, local time; None while it is not."""
        if self._is_foreign:
            status = foreign.attempt_status(self._entry)
            return local_time(status.ts_epoch / 1000) if status else None
        if self._record:
            return local_time(self._record.ended)
        return self._failed_at if self._failure else None

    @property
    def _failed_at(self) -> dt.datetime | None:
        """When the metadata store was told that the attempt failed; None where it was not."""
        attempt = f"attempt_id:{self.current_attempt}"
        told = (one for one in metadata_store().list_metadata(self._entry) if attempt in (one.tags or ()))
        return next((local_time(one.ts_epoch / 1000) for one in told if one.field_name == "attempt_ok"), None)

    @property
    def started_at(self) -> dt.datetime:
        """When the attempt that was done began, local time; where none was, when the task was registered."""
        return local_time(self._record.started) if self._record else self.created_at

    @functools.cached_property
    def current_attempt(self) -> int:
        """The attempt that is looked at, from 0: the one asked for, else the one that was done, else the last that left a trace.

        An attempt that runs leaves its first trace with its log, or when it ends.
        """
        if self._attempt is not None:
            return self._attempt
        if self._done:
            return self._done.attempt
        return next((n for n in range(_MOST_ATTEMPTS, -1, -1) if self._failure_of(n) or self._has_log(n)), 0)

    def _has_log(self, attempt: int) -> bool:
        flow, run_id, step, task_id = self.path_components
        return datastore().records.exists(log_name(flow, run_id, step, task_id, attempt))

    def _failure_of(self, attempt: int) -> FailureRecord | None:
        flow, run_id, step, task_id = self.path_components
        return find_failure(datastore().records, flow, run_id, step, task_id, attempt)

    @property
    def _failure(self) -> FailureRecord | None:
        return None if self._record else self._failure_of(self.current_attempt)

    @property
    def exception(self) -> FailureRecord | None:
        """Why the task failed: `.type`, `.exception` (a text), `.stacktrace`; None where it did not, or `@catch` caught it."""
        return self._failure

    # What it left

    @functools.cached_property
    def _references(self) -> Mapping[str, Reference]:
        return self._record.artifacts if self._record else {}

    @property
    def artifacts(self) -> Artifacts:
        """The task's artifacts, not loaded: iterate, or `task.artifacts.name`."""
        if self._is_foreign:
            entries = metadata_store().list_artifacts(self._entry, attempt=self._attempt)
            return Artifacts({entry.name: DataArtifact._of(self, entry.name, entry.sha) for entry in entries})
        references = self._references
        return Artifacts({name: DataArtifact._of(self, name, references[name]) for name in sorted(references)})

    def __iter__(self) -> Iterator[DataArtifact]:
        return iter(self.artifacts)

    def __getitem__(self, name: str) -> DataArtifact:
        return DataArtifact(f"{self.pathspec}/{name}", attempt=self._attempt)

    def __contains__(self, name: str) -> bool:
        return name in (self.artifacts if self._is_foreign else self._references)

    @property
    def data(self) -> ArtifactView:
        """The task's artifacts as attributes, loaded on first access."""
        if self._is_foreign:
            raise foreign.refusal(self.pathspec)
        return ArtifactView(self.pathspec, self._references)

    # What is known of it

    @property
    def metadata(self) -> list[Metadata]:
        """What is registered about the task, newest first."""
        return [
            Metadata(one.field_name, one.value, local_time(one.ts_epoch / 1000), one.type, self)
            for one in metadata_store().list_metadata(self._entry)
        ]

    @property
    def metadata_dict(self) -> dict[str, str]:
        """What is registered about the task by field name, the newest of each."""
        return {one.name: one.value for one in reversed(self.metadata)}

    @property
    def code(self) -> Code | None:
        """The code that it ran with, if its run had jobs: see `Run.code`."""
        code: Code | None = self.parent.parent.code
        return code

    @property
    def environment_info(self) -> dict[str, str]:
        """What it ran with: versions of Python and stepwell, the user, the code package if there is one.

        Of one that ran as a job, also `dependencies`: what the code package brought, or that they are of the image.
        """
        names = ("python_version", "stepwell_version", "metaflow_version", "user", "runtime")
        of_run = {name: value_of(self.system_tags, name) for name in names}
        of_task = {"code_package": self._record.package, **self._record.ran_with} if self._record else {}
        return {name: value for name, value in {**of_run, **of_task}.items() if value is not None}

    @property
    def runtime_name(self) -> str | None:
        """Where the run came from: "dev" or "production"; of another tool, what that says."""
        return value_of(self.system_tags, "runtime")

    @property
    def origin_pathspec(self) -> str | None:
        """The task that this one was taken over from, by a resumed run; None where it ran itself."""
        return self._record.origin if self._record else None

    # Where it stands in its run

    @property
    def index(self) -> int | None:
        """The position of its item in the innermost foreach; None outside one."""
        return self._lineage.index(*self.path_components[2:])

    @property
    def parent_task_pathspecs(self) -> Iterator[str]:
        """The paths of the tasks whose artifacts this one began with, in item order."""
        yield from self._paths(self._lineage.parents(*self.path_components[2:]))

    @property
    def child_task_pathspecs(self) -> Iterator[str]:
        """The paths of the tasks that began with this one's artifacts, in item order."""
        yield from self._paths(self._lineage.children(*self.path_components[2:]))

    @property
    def parent_tasks(self) -> Iterator[Task]:
        """The tasks whose artifacts this one began with, in item order."""
        yield from map(Task, self.parent_task_pathspecs)

    @property
    def child_tasks(self) -> Iterator[Task]:
        """The tasks that began with this one's artifacts, in item order."""
        yield from map(Task, self.child_task_pathspecs)

    @property
    def _lineage(self) -> Lineage:
        return Lineage(*self.path_components[:2])

    def _paths(self, names: list[Any]) -> Iterator[str]:
        flow, run_id, *_ = self.path_components
        yield from (f"{flow}/{run_id}/{step}/{task_id}" for step, task_id in names)

    # What it printed

    def loglines(self, stream: str = "", as_unicode: bool = True) -> list[LogLine]:
        """What the task printed, line by line: to "stdout", "stderr", or both; for one that was taken over, when it ran.

        A line is also the pair (time, text); lines are text always, `as_unicode` is accepted for flows that say so. Of an
        attempt that runs, it is what it had printed some seconds ago.
        """
        if self._is_foreign:
            raise foreign.refusal(self.pathspec)
        flow, run_id, step, task_id = (self.origin_pathspec or self.pathspec).split("/")
        lines = read_log(self._printed_in.records, log_name(flow, run_id, step, task_id, self.current_attempt))
        return [line for line in lines if stream in ("", line.stream)]

    @property
    def _printed_in(self) -> Stores:
        """The datastore that has the task's log."""
        root = self._record.origin_datastore if self._record else None
        return datastore().elsewhere(root) if root else datastore()

    @property
    def stdout(self) -> str:
        """What the task printed to standard output."""
        return "".join(f"{line.text}\n" for line in self.loglines("stdout"))

    @property
    def stderr(self) -> str:
        """What the task printed to standard error."""
        return "".join(f"{line.text}\n" for line in self.loglines("stderr"))

    @property
    def stdout_size(self) -> int:
        """How many bytes it printed to standard output."""
        return len(self.stdout.encode())

    @property
    def stderr_size(self) -> int:
        """How many bytes it printed to standard error."""
        return len(self.stderr.encode())

    def _repr_html_(self) -> str:
        """How it ended and its artifacts, not loaded, as a notebook shows them."""
        from stepwell.client.drawing import task_as_html

        return task_as_html(self)


class DataArtifact(Node):
    """An artifact of a task."""

    _depth = 5
    _task: Task
    _reference: Reference | str

    def __init__(self, pathspec: str, attempt: int | None = None) -> None:
        self._attempt = attempt
        super().__init__(pathspec)

    @classmethod
    def _of(cls, task: Task, name: str, reference: Reference | str) -> DataArtifact:
        """`reference` is what another tool says that the value is, by content, where the run is not ours."""
        artifact = cls.__new__(cls)
        artifact.path_components = (*task.path_components, name)
        artifact._entry, artifact._task, artifact._reference = task._entry, task, reference
        return artifact

    def _look_up(self) -> TaskEntry:
        *task, name = self.path_components
        self._task = Task("/".join(task), attempt=self._attempt)
        if self._task._is_foreign:
            entry: ArtifactEntry = metadata_store().get_artifact(self._task._entry, name, attempt=self._attempt)
            self._reference = entry.sha
        else:
            reference = self._task._references.get(name)
            if reference is None:
                raise NotFound(missing(self.path_components))
            self._reference = reference
        return self._task._entry

    def _ours(self) -> Reference:
        if isinstance(self._reference, str):
            raise foreign.refusal(self.pathspec)
        return self._reference

    @property
    def data(self) -> Any:
        """The value, loaded now."""
        return load_artifact(datastore().objects, self._ours(), self.id)

    @property
    def origin_pathspec(self) -> str | None:
        """The artifact of the task from which a resumed run took this one's over; None where that ran itself."""
        origin = self._task.origin_pathspec
        return f"{origin}/{self.id}" if origin else None

    @property
    def sha(self) -> str:
        """What the value is, by content: equal for equal values."""
        return self._reference if isinstance(self._reference, str) else self._reference.identity

    @property
    def size(self) -> int:
        """The length of the value as it was encoded, in bytes, before compression."""
        return self._ours().size_bytes

    @property
    def finished_at(self) -> dt.datetime | None:
        """When the task that left it was done, local time."""
        return self._task.finished_at

    def _repr_html_(self) -> str:
        """The value, where it is small, as a notebook shows it."""
        from stepwell.client.drawing import artifact_as_html

        return artifact_as_html(self)
