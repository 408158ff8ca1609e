"""The metadata store behind an HTTP service: stepwell's own, or one that has the same wire."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from meta_client.batches import Record, sort_records
from meta_client.checks import (
    check_attempt,
    check_limit,
    check_name,
    check_new_id,
    check_path,
    check_status,
    check_tags,
    check_user,
)
from meta_client.errors import Conflict, NotFound, ServiceError
from meta_client.ordering import oldest_steps_first, oldest_tasks_first
from meta_client.paths import TaskKey, TaskPath, in_words, path_of, placed, segments, target_path
from meta_client.records import Artifact, Flow, Id, Metadatum, Run, Step, Task
from meta_client.retrying import ALWAYS, UNLESS_UNKNOWN
from meta_client.service_answers import Answer
from meta_client.service_batch import TaskWork, by_task, do_all
from meta_client.service_bulk import BulkWriter
from meta_client.service_deleting import delete_run
from meta_client.service_http import ServiceHttp
from meta_client.service_listing import everything, run_of, runs
from meta_client.service_tags import change_tags
from meta_client.service_writing import RowWriter

if TYPE_CHECKING:
    import requests
    from typing_extensions import Self

_HEARTBEAT_INTERVAL_S = 10  # where the service does not say

Made = TypeVar("Made", Run, Step, Task)


class ServiceStore:
    """The `MetadataStore` of the service at ``url``, such as ``https://metadata.example.com/prefix``.

    ``auth_key`` is sent as ``x-api-key``, ``headers`` as they are. ``timeout`` in seconds: for a connection (at most 10), and for
    each part of an answer, for which None waits as long as it takes. ``retry_for``: seconds for which a request is sent again
    while the service is away or overloaded, where that cannot do it twice; 0 sends once. ``session``: a requests session to use
    (yours to close), with its proxies and certificates; after a fork a copy of it.

    Further errors of every method: `ServiceUnavailable`, `InvalidAnswer`, `Denied`, `SchemaTooOld`, `ServiceError`,
    `UntrustedService`.
    """

    def __init__(
        self,
        url: str,
        *,
        auth_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = 30.0,
        retry_for: float = 10.0,
        session: requests.Session | None = None,
    ) -> None:
        sent = {**({"x-api-key": auth_key} if auth_key else {}), **(headers or {})}
        self._http = ServiceHttp(url, sent, timeout=timeout, retry_for=retry_for, session=session)
        doubtful: set[TaskKey] = set()
        self._rows = RowWriter(self._http, doubtful)
        self._bulk = BulkWriter(self._http, doubtful)

    @property
    def url(self) -> str:
        """Where the service is."""
        return self._http.url

    def version(self) -> str | None:
        """The version of the wire that the service says it has; None where it says none."""
        answer = self._http.send("GET", ("ping",), text=True)
        if answer.status != 200 or answer.is_page:
            raise answer.error()
        return answer.headers.get("METADATA_SERVICE_VERSION")

    def create_flow(
        self, flow: str, *, user: str | None = None, tags: Iterable[str] = (), system_tags: Iterable[str] = ()
    ) -> Flow:
        """See `MetadataStore.create_flow`."""
        check_path(flow)
        body = _new(user, tags, system_tags)
        try:
            return self.get_flow(flow)
        except NotFound:
            answer = self._http.post("flows", flow, body=body)
        return self.get_flow(flow) if answer.status == 409 else Flow.from_wire(_good(answer).value)

    def create_run(
        self,
        flow: str,
        *,
        user: str | None = None,
        tags: Iterable[str] = (),
        system_tags: Iterable[str] = (),
        run_id: str | None = None,
    ) -> Run:
        """See `MetadataStore.create_run`."""
        check_path(flow)
        if run_id is not None:
            check_new_id("run_id", run_id)
        body = {**_new(user, tags, system_tags), "run_number": run_id}
        answer = self._post_run(flow, body)
        if answer.says_missing:
            self.create_flow(flow, user=user)
            answer = self._post_run(flow, body)
        if answer.status != 409:
            return run_of(_named(_good(answer), run_id, "run_number").value)
        try:
            existing = self.get_run(flow, run_id or "")
        except NotFound:
            raise Conflict(in_words(flow, run_id)) from None  # it was deleted
        return _existing(answer, existing, in_words(flow, run_id))

    def create_step(self, flow: str, run: Id, step: str, *, user: str | None = None) -> Step:
        """See `MetadataStore.create_step`."""
        check_path(flow, run, step)
        check_user(user)
        answer = self._post_step(flow, run, step, user)
        if answer.status != 409:
            return Step.from_wire(answer.value)
        return _existing(answer, self.get_step(flow, run, step), in_words(flow, run, step))

    def create_task(
        self, flow: str, run: Id, step: str, task_id: str | None = None, *, user: str | None = None
    ) -> Task:
        """See `MetadataStore.create_task`."""
        check_path(flow, run, step)
        check_user(user)
        if task_id is not None:
            check_new_id("task_id", task_id)
        answer = self._post_task(flow, run, step, task_id, user)
        if answer.status != 409:
            return Task.from_wire(answer.value)
        existing = self.get_task(flow, run, step, task_id or "")
        return _existing(answer, existing, in_words(flow, run, step, task_id))

    def register_artifacts(self, task: Task, artifacts: Iterable[Artifact]) -> None:
        """See `MetadataStore.register_artifacts`."""
        batch = sort_records(placed(artifacts, task))
        self._register(TaskWork(self._checked(task, batch.artifacts), None, artifacts=batch.artifacts))

    def register_metadata(self, task: Task, metadata: Iterable[Metadatum]) -> None:
        """See `MetadataStore.register_metadata`."""
        batch = sort_records(placed(metadata, task))
        self._register(TaskWork(self._checked(task, batch.metadata), None, metadata=batch.metadata))

    def register_many(self, records: Iterable[Record]) -> None:
        """See `MetadataStore.register_many`. After an error some of the records may be registered."""
        batch = sort_records(records)
        works = by_task(batch)
        with self._rows.doubted_on_error(work.path for work in works if work.metadata):
            left = self._bulk.register(batch.steps, works) if self._bulk.offered else works
            if not self._bulk.offered:
                for step in batch.steps:
                    self._post_step(step.flow_id, step.run_id, step.step_name, step.user_name)
            do_all(self._register, left)

    def heartbeat(self, target: Run | Task) -> int:
        """See `MetadataStore.heartbeat`."""
        check_path(*target_path(target))
        answer = self._http.post(*segments(*target_path(target)), "heartbeat", body={})
        if answer.status == 404:  # also says that the last one was less than ten seconds ago
            self._one(*target_path(target))
        elif answer.status != 200:
            raise answer.error()
        found = answer.value.get("wait_time_in_seconds") if answer.is_object else None
        return found if isinstance(found, int) else _HEARTBEAT_INTERVAL_S

    def get_flow(self, flow: str) -> Flow:
        """See `MetadataStore.get_flow`."""
        check_path(flow)
        return Flow.from_wire(self._one(flow))

    def get_run(self, flow: str, run: Id) -> Run:
        """See `MetadataStore.get_run`."""
        check_path(flow, run)
        return run_of(self._one(flow, run))

    def get_step(self, flow: str, run: Id, step: str) -> Step:
        """See `MetadataStore.get_step`."""
        check_path(flow, run, step)
        return Step.from_wire(self._one(flow, run, step))

    def get_task(self, flow: str, run: Id, step: str, task: Id) -> Task:
        """See `MetadataStore.get_task`."""
        check_path(flow, run, step, task)
        return Task.from_wire(self._one(flow, run, step, task))

    def get_artifact(self, task: Task, name: str, *, attempt: int | None = None) -> Artifact:
        """See `MetadataStore.get_artifact`."""
        check_name("name", name)
        # not asked for by name: the original service looks for the latest attempt of another artifact then
        for artifact in self.list_artifacts(task, attempt=attempt):
            if artifact.name == name:
                return artifact
        raise NotFound(in_words(*path_of(task), name) + ("" if attempt is None else f" of attempt {attempt}"))

    def list_flows(self) -> list[Flow]:
        """See `MetadataStore.list_flows`."""
        flows = map(Flow.from_wire, everything(self._http, "flows"))
        return sorted(flows, key=lambda flow: (flow.ts_epoch, flow.flow_id), reverse=True)

    def list_runs(
        self, flow: str, *, tags: Iterable[str] = (), status: str | None = None, limit: int | None = None
    ) -> Iterator[Run]:
        """See `MetadataStore.list_runs`. Raises `Unsupported` where an older service is asked for a status."""
        check_path(flow)
        check_status(status)
        check_limit(limit)
        return runs(self._http, flow, check_tags("tags", tags), status, limit)

    def list_steps(self, flow: str, run: Id) -> list[Step]:
        """See `MetadataStore.list_steps`."""
        check_path(flow, run)
        items = everything(self._http, *segments(flow, run), "steps")
        return oldest_steps_first(map(Step.from_wire, items))

    def list_tasks(self, flow: str, run: Id, step: str) -> list[Task]:
        """See `MetadataStore.list_tasks`."""
        check_path(flow, run, step)
        items = everything(self._http, *segments(flow, run, step), "tasks")
        return oldest_tasks_first(map(Task.from_wire, items))

    def list_artifacts(self, task: Task, *, attempt: int | None = None) -> list[Artifact]:
        """See `MetadataStore.list_artifacts`."""
        check_path(*path_of(task))
        check_attempt(attempt)
        of_attempt = () if attempt is None else ("attempt", attempt)
        answer = self._http.get(*segments(*path_of(task)), *of_attempt, "artifacts")  # pages would mix attempts
        if answer.says_no_route and of_attempt:
            raise answer.unsupported("reading one attempt's artifacts")
        items = [] if answer.says_missing else _good(answer).items
        return sorted(map(Artifact.from_wire, items), key=lambda artifact: artifact.name)

    def list_metadata(self, target: Run | Task) -> list[Metadatum]:
        """See `MetadataStore.list_metadata`."""
        check_path(*target_path(target))
        metadata = map(Metadatum.from_wire, everything(self._http, *segments(*target_path(target)), "metadata"))
        return sorted(metadata, key=lambda metadatum: (metadatum.ts_epoch, metadatum.id), reverse=True)

    def mutate_tags(self, run: Run, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Run:
        """See `MetadataStore.mutate_tags`. Raises `TagsContended` where others kept changing them."""
        check_path(*target_path(run))
        tags = change_tags(self._http, run, check_tags("add", add), check_tags("remove", remove))
        return attrs.evolve(run, tags=tags)

    def delete_run(self, flow: str, run: Id) -> None:
        """See `MetadataStore.delete_run`. Raises `Unsupported` where the service cannot delete."""
        check_path(flow, run)
        delete_run(self._http, flow, run)

    def close(self) -> None:
        """See `MetadataStore.close`."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _one(self, *path: Id) -> Any:
        answer = self._http.get(*segments(*path))
        if answer.says_missing:
            raise NotFound(in_words(*path))
        return _good(answer).value

    def _post_run(self, flow: str, body: dict[str, Any]) -> Answer:
        repeat = UNLESS_UNKNOWN if body["run_number"] is None else ALWAYS
        return self._http.post("flows", flow, "run", body=body, repeat=repeat)

    def _post_step(self, flow: str, run: Id, step: str, user: str | None) -> Answer:
        """Status 200 or 409."""
        answer = self._http.post(*segments(flow, run, step), "step", body={"user_name": user})
        if answer.status not in (200, 409):
            self.get_run(flow, run)
            raise answer.error()
        return answer

    def _post_task(self, flow: str, run: Id, step: str, task_id: str | None, user: str | None) -> Answer:
        """Status 200 or 409."""
        repeat = UNLESS_UNKNOWN if task_id is None else ALWAYS
        body = {"user_name": user, "task_id": task_id}
        answer = self._http.post(*segments(flow, run, step), "task", body=body, repeat=repeat)
        if answer.status not in (200, 409):
            self.get_step(flow, run, step)
            raise answer.error()
        return _named(answer, task_id, "task_id")

    def _checked(self, task: Task, rows: Sequence[object]) -> TaskPath:
        path = path_of(task)
        check_path(*path)
        if not rows:  # else the service looks for the task itself
            self.get_task(*path)
        return path

    def _register(self, work: TaskWork) -> None:
        if work.task is not None:
            flow, run, step, task_id = work.path
            self._post_task(flow, run, step, str(task_id), work.task.user_name)
        try:
            self._rows.add_artifacts(work.path, work.artifacts)
            self._rows.add_metadata(work.path, work.metadata)
        except ServiceError:
            self.get_task(*work.path)
            raise


def _new(user: str | None, tags: Iterable[str], system_tags: Iterable[str]) -> dict[str, Any]:
    check_user(user)
    return {
        "user_name": user,
        "tags": list(check_tags("tags", tags)),
        "system_tags": list(check_tags("system_tags", system_tags)),
    }


def _good(answer: Answer) -> Answer:
    if answer.status != 200:
        raise answer.error()
    return answer


def _named(answer: Answer, given: str | None, key: str) -> Answer:
    """The answer, unless a service that is too old for ids from clients gave another id."""
    if answer.status == 200 and given is not None and answer.is_object and answer.value.get(key) != given:
        raise answer.unsupported("ids that clients give")
    return answer


def _existing(answer: Answer, existing: Made, what: str) -> Made:
    """What exists already, where an earlier try of the same request may have made it; else raises `Conflict`."""
    if answer.doubtful:
        return existing
    raise Conflict(what, existing)
