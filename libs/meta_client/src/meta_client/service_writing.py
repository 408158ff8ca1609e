"""Add artifacts and metadata to a task of a metadata service, each row once.

The service ignores an artifact that it has, but adds any metadatum again. So what became of a request of metadata that got no
proper answer is looked up before it is repeated, and so is what a failed batch had added when that is registered again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from meta_client.errors import InvalidAnswer, ServiceError, ServiceUnavailable
from meta_client.paths import TaskKey, TaskPath, segments, task_key
from meta_client.records import Artifact, Metadatum
from meta_client.retrying import ALWAYS, ONLY_IF_NOT_DONE, Fate
from meta_client.service_answers import Answer
from meta_client.service_http import ServiceHttp
from meta_client.service_listing import everything
from meta_client.service_rows import Row, artifact_row, bodies, metadatum_row, not_among

_COUNTED = {"artifact": "artifacts", "metadata": "metadata"}


class RowWriter:
    """Adds rows, and remembers of which tasks it is not known what metadata were added: those in ``doubtful``."""

    def __init__(self, http: ServiceHttp, doubtful: set[TaskKey]) -> None:
        self._http, self._doubtful = http, doubtful

    def add_artifacts(self, path: TaskPath, artifacts: Iterable[Artifact]) -> None:
        """Add artifacts; those of a name and attempt that exist stay. Raises `ServiceError` also without the task."""
        for body in bodies([artifact_row(artifact) for artifact in artifacts]):
            self._post(path, "artifact", body, ALWAYS)

    def add_metadata(self, path: TaskPath, metadata: Iterable[Metadatum]) -> None:
        """Add metadata. Raises `ServiceError` also without the task."""
        rows = [metadatum_row(metadatum) for metadatum in metadata]
        try:
            self._add(path, rows)
        except (ServiceUnavailable, InvalidAnswer) as error:
            if not error.maybe_done:
                raise
            self._add(path, rows)

    @contextmanager
    def doubted_on_error(self, paths: Iterable[TaskPath]) -> Iterator[None]:
        """After an error within, whatever comes for these tasks may have been added already."""
        try:
            yield
        except BaseException:
            self._doubtful.update(map(task_key, paths))
            raise

    def _add(self, path: TaskPath, rows: Sequence[Row]) -> None:
        if task_key(path) in self._doubtful:
            rows = not_among(rows, self._present(path))
        self._doubtful.add(task_key(path))
        for body in bodies(rows):
            self._post(path, "metadata", body, ONLY_IF_NOT_DONE)
        self._doubtful.discard(task_key(path))

    def _present(self, path: TaskPath) -> list[Row]:
        items = everything(self._http, *segments(*path), "metadata")
        return [metadatum_row(Metadatum.from_wire(item)) for item in items]

    def _post(self, path: TaskPath, kind: str, rows: list[Row], repeat: frozenset[Fate]) -> None:
        answer = self._http.post(*segments(*path), kind, body=rows, repeat=repeat)
        if answer.status == 413 and len(rows) > 1:
            middle = len(rows) // 2
            self._post(path, kind, rows[:middle], repeat)
            self._post(path, kind, rows[middle:], repeat)
        elif answer.status != 200:
            raise answer.error()
        else:
            _check_count(answer, kind, len(rows))


def _check_count(answer: Answer, kind: str, sent: int) -> None:
    """An artifact that is not counted exists already; a metadatum that is not counted is lost."""
    added = answer.count(f"{_COUNTED[kind]}_created")
    if kind == "metadata" and added != sent:
        raise ServiceError(answer.where, answer.status, f"{added} of {sent} metadata were added")
