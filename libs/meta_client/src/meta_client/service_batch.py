"""A batch of records as one piece of work per task, a few at a time: the original wire takes rows of one task per request."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from meta_client.batches import Batch
from meta_client.paths import TaskKey, TaskPath, path_of, task_key
from meta_client.records import Artifact, Metadatum, Task

_AT_ONCE = 4
"""Requests in flight: enough to hide the way to and fro, few enough to leave the service to others."""


@attrs.frozen
class TaskWork:
    """What to register of one task; ``task`` where the task itself is new."""

    path: TaskPath
    task: Task | None
    artifacts: list[Artifact] = attrs.field(factory=list)
    metadata: list[Metadatum] = attrs.field(factory=list)


def by_task(batch: Batch) -> list[TaskWork]:
    """The work of each task, in the order in which the batch names them first."""
    works: dict[TaskKey, TaskWork] = {}
    for task in batch.tasks:
        works.setdefault(task_key(path_of(task)), TaskWork(path_of(task), task))
    for artifact in batch.artifacts:
        works.setdefault(task_key(path_of(artifact)), TaskWork(path_of(artifact), None)).artifacts.append(artifact)
    for metadatum in batch.metadata:
        works.setdefault(task_key(path_of(metadatum)), TaskWork(path_of(metadatum), None)).metadata.append(metadatum)
    return list(works.values())


def do_all(work: Callable[[TaskWork], None], works: Iterable[TaskWork]) -> None:
    """Do all of it, several at a time; after the first error nothing more is begun, and it is raised."""
    from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

    todo = list(works)
    if len(todo) <= 1:
        for each in todo:
            work(each)
        return
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="meta-client") as pool:
        futures = [pool.submit(work, each) for each in todo]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
