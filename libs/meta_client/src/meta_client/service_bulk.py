"""Register a batch in few large requests, where the service offers that: of each request all is kept, or nothing.

A request holds records of one run, and all that the batch says of a task. So what became of one that got no answer need not be
looked up: it is sent again, marked as sent before, and the service adds only those metadata that it does not have.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence

import attrs

from meta_client.errors import InvalidAnswer, NotFound, ServiceUnavailable
from meta_client.paths import TaskKey, segments, task_key
from meta_client.records import Id, Step
from meta_client.retrying import ALWAYS, ONLY_IF_NOT_DONE
from meta_client.service_answers import Answer
from meta_client.service_batch import TaskWork
from meta_client.service_http import ServiceHttp
from meta_client.service_rows import LARGEST_BODY, Row, artifact_row, metadatum_row

_BESIDE_ROWS = 128  # bytes of a body


@attrs.frozen
class Piece:
    """What stays together in one request: a step, or all that the batch says of a task, which is ``work`` then."""

    run: tuple[str, Id]
    rows: dict[str, list[Row]]
    size: int
    work: TaskWork | None = None


class BulkWriter:
    """Registers batches; ``offered`` until the service turns out not to know such requests, which is not asked again.

    ``doubtful`` are the tasks of which it is not known what metadata were added.
    """

    def __init__(self, http: ServiceHttp, doubtful: set[TaskKey]) -> None:
        self._http, self._doubtful = http, doubtful
        self._largest = LARGEST_BODY - _BESIDE_ROWS
        self.offered = True

    def register(self, steps: Iterable[Step], works: Iterable[TaskWork]) -> list[TaskWork]:
        """Register steps, then tasks; gives what is left to be registered task by task.

        That is what is too large for a request; or, where ``offered`` is False after it, whatever is not registered, without the
        steps. Raises `NotFound` where something belongs to what does not exist.
        """
        pieces = [*map(_piece_of_step, steps), *map(_piece_of_task, works)]
        return [work for group in self._groups(pieces) for part in self._parts(group) for work in self._send(part)]

    def _groups(self, pieces: Iterable[Piece]) -> Collection[list[Piece]]:
        """The pieces of each run, those in doubt apart: a request is marked as sent before as a whole."""
        groups: dict[tuple[str, str, bool], list[Piece]] = {}
        for piece in pieces:
            flow, run = piece.run
            groups.setdefault((flow, str(run), not self._doubtful.isdisjoint(_keys([piece]))), []).append(piece)
        return groups.values()

    def _parts(self, pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
        """The pieces in lists that fit into a request; one that is larger alone goes alone."""
        part: list[Piece] = []
        size = 0
        for piece in pieces:
            if part and size + piece.size > self._largest:
                yield part
                part, size = [], 0
            part.append(piece)
            size += piece.size
        if part:
            yield part

    def _send(self, pieces: Sequence[Piece]) -> list[TaskWork]:
        works = [piece.work for piece in pieces if piece.work is not None]
        is_too_large = len(works) == len(pieces) == 1 and pieces[0].size > self._largest
        if not self.offered or is_too_large:
            return works
        answer = self._post(pieces)
        if answer.status == 413 and len(pieces) > 1:
            middle = len(pieces) // 2
            return self._send(pieces[:middle]) + self._send(pieces[middle:])
        if answer.status == 413 and works:
            return works
        if answer.status in (404, 405) and not answer.says_no_parent:
            self.offered = False
            return works
        _check(answer)
        return []

    def _post(self, pieces: Sequence[Piece]) -> Answer:
        keys = _keys(pieces)
        again = not self._doubtful.isdisjoint(keys)
        path = (*segments(*pieces[0].run), "bulk")
        try:
            answer = self._http.post(
                *path, body=_body(pieces, again), repeat=ALWAYS if again or not keys else ONLY_IF_NOT_DONE
            )
        except (ServiceUnavailable, InvalidAnswer) as error:
            if again or not error.maybe_done:
                raise
            self._doubtful |= keys
            answer = self._http.post(*path, body=_body(pieces, again=True))
        if answer.status == 200:
            self._doubtful -= keys
        return answer


def _check(answer: Answer) -> None:
    if answer.says_no_parent:
        raise NotFound(answer.message().partition(" does not exist")[0])
    if answer.status != 200:
        raise answer.error()
    answer.count("tasks_created")


def _body(pieces: Iterable[Piece], again: bool) -> dict[str, object]:
    rows: dict[str, list[Row]] = {"steps": [], "tasks": [], "artifacts": [], "metadata": []}
    for piece in pieces:
        for kind, some in piece.rows.items():
            rows[kind] += some
    return {**rows, "again": again}


def _keys(pieces: Iterable[Piece]) -> set[TaskKey]:
    """The tasks of which there are metadata."""
    return {task_key(piece.work.path) for piece in pieces if piece.work and piece.work.metadata}


def _piece_of_step(step: Step) -> Piece:
    row = {"step_name": step.step_name, "user_name": step.user_name}
    return _piece((step.flow_id, step.run_id), {"steps": [row]})


def _piece_of_task(work: TaskWork) -> Piece:
    flow, run, step, task_id = work.path
    place = {"step_name": step, "task_id": task_id}
    rows = {
        "tasks": [{**place, "user_name": work.task.user_name}] if work.task else [],
        "artifacts": [{**place, **artifact_row(artifact)} for artifact in work.artifacts],
        "metadata": [{**place, **metadatum_row(metadatum)} for metadatum in work.metadata],
    }
    return _piece((flow, run), rows, work)


def _piece(run: tuple[str, Id], rows: dict[str, list[Row]], work: TaskWork | None = None) -> Piece:
    return Piece(run, rows, sum(len(json.dumps(row)) + 2 for some in rows.values() for row in some), work)
