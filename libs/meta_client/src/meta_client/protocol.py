"""What every metadata store does; `meta_client.testing` holds the suite that says it exactly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from typing_extensions import Self

    from meta_client.records import Artifact, Flow, Id, Metadatum, Run, Step, Task


@runtime_checkable
class MetadataStore(Protocol):
    """Records and queries executions.

    Ids of runs and tasks: an int or an all-numeric string means the store's number, any other string a client's name. A missing
    object raises `NotFound`, a listing of a missing parent is empty. What the arguments alone show to be wrong raises
    `InvalidRequest`, and nothing is written. Steps, tasks and artifacts answer with their run's tags, as they are when asked.

    One store may be used from several threads, and after a fork.
    """

    def create_flow(
        self, flow: str, *, user: str | None = None, tags: Iterable[str] = (), system_tags: Iterable[str] = ()
    ) -> Flow:
        """Create a flow, or get the existing one as it is."""
        ...

    def create_run(
        self,
        flow: str,
        *,
        user: str | None = None,
        tags: Iterable[str] = (),
        system_tags: Iterable[str] = (),
        run_id: str | None = None,
    ) -> Run:
        """Create a run, and its flow where missing. Without ``run_id`` the store numbers it; else it must not be numeric.

        Raises `Conflict` where the flow has a run of that id, which is given with it, or had one that was deleted.
        """
        ...

    def create_step(self, flow: str, run: Id, step: str, *, user: str | None = None) -> Step:
        """Create a step. Raises `NotFound` without the run, `Conflict`, with the existing step, where there is one."""
        ...

    def create_task(
        self, flow: str, run: Id, step: str, task_id: str | None = None, *, user: str | None = None
    ) -> Task:
        """Create a task. Without ``task_id`` the store numbers it; else it must not be numeric.

        Raises `NotFound` without the step, `Conflict`, with the existing task, where there is one.
        """
        ...

    def register_artifacts(self, task: Task, artifacts: Iterable[Artifact]) -> None:
        """Add artifacts to a task; the first of a name and attempt stays. Raises `NotFound` without the task."""
        ...

    def register_metadata(self, task: Task, metadata: Iterable[Metadatum]) -> None:
        """Add metadata to a task, equal ones too. Raises `NotFound` without the task."""
        ...

    def register_many(self, records: Iterable[Step | Task | Artifact | Metadatum]) -> None:
        """Register records of any mixture and order, each naming its full path; the runs exist already.

        Steps, tasks and artifacts that exist already stay as they are, so a batch that failed may be registered again as it
        is, and its metadata is not doubled. Raises `NotFound` where the run of a step, the step of a task, or the task
        of an artifact or a metadatum neither exists nor is in the batch.
        """
        ...

    def heartbeat(self, target: Run | Task) -> int:
        """Say that a run or a task (and with it its run) is alive. Seconds until the next one is due."""
        ...

    def get_flow(self, flow: str) -> Flow:
        """The flow, or `NotFound`."""
        ...

    def get_run(self, flow: str, run: Id) -> Run:
        """The run, or `NotFound`."""
        ...

    def get_step(self, flow: str, run: Id, step: str) -> Step:
        """The step, or `NotFound`."""
        ...

    def get_task(self, flow: str, run: Id, step: str, task: Id) -> Task:
        """The task, or `NotFound`."""
        ...

    def get_artifact(self, task: Task, name: str, *, attempt: int | None = None) -> Artifact:
        """The artifact of the task's latest attempt that registered any, or of the given one; or `NotFound`."""
        ...

    def list_flows(self) -> list[Flow]:
        """All flows, newest first."""
        ...

    def list_runs(
        self, flow: str, *, tags: Iterable[str] = (), status: str | None = None, limit: int | None = None
    ) -> Iterator[Run]:
        """Runs, newest first, fetched page by page while iterated.

        ``tags``: those that have all of them, user's or system's. ``status``: "running", "completed" or "failed", as derived
        from the metadata of step ``end`` and the heartbeat.
        """
        ...

    def list_steps(self, flow: str, run: Id) -> list[Step]:
        """The steps of a run, oldest first."""
        ...

    def list_tasks(self, flow: str, run: Id, step: str) -> list[Task]:
        """The tasks of a step, oldest first, and in natural order of id (t2 before t10) where equally old."""
        ...

    def list_artifacts(self, task: Task, *, attempt: int | None = None) -> list[Artifact]:
        """The artifacts of the latest attempt that registered any, or of the given one, by name."""
        ...

    def list_metadata(self, target: Run | Task) -> list[Metadatum]:
        """The metadata of a task, or of all tasks of a run, newest first."""
        ...

    def mutate_tags(self, run: Run, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Run:
        """Remove, then add tags, atomically; the run with its new tags (in no particular order).

        A tag in both ends present. Raises `InvalidRequest` where a system tag would be removed; adding one changes nothing.
        """
        ...

    def delete_run(self, flow: str, run: Id) -> None:
        """Delete a run with everything below it; its number, or the name that a client gave it, stays taken.

        Raises `NotFound` without the run. Whether it still runs is for the caller to know.
        """
        ...

    def close(self) -> None:
        """Release files and connections; any later call raises `StoreClosed`. Closing again does nothing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
