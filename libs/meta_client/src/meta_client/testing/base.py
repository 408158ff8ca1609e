"""What the parts of the contract share: stores, a flow of one's own, records to register."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from meta_client.protocol import MetadataStore
from meta_client.records import Artifact, Metadatum, Run, Task

Opener = Callable[[], MetadataStore]
Result = TypeVar("Result")


class Part:
    """A part of the contract."""

    @pytest.fixture
    def opener(self) -> Opener:
        """How to open a store; a subclass says it."""
        raise NotImplementedError("define the fixture 'opener': it gives a function that opens a store")

    @pytest.fixture
    def open_another(self, opener: Opener) -> Iterator[Opener]:
        """Opens one more store on the same data, closed after the test."""
        with contextlib.ExitStack() as stack:
            yield lambda: stack.enter_context(opener())

    @pytest.fixture
    def store(self, open_another: Opener) -> MetadataStore:
        """The store under test."""
        return open_another()

    @pytest.fixture
    def flow(self) -> str:
        """A name that no other test uses."""
        return f"Flow{uuid.uuid4().hex}"

    @pytest.fixture
    def run(self, store: MetadataStore, flow: str) -> Run:
        """A run of the flow."""
        return store.create_run(flow, user="ann", tags=["nightly"], system_tags=["user:ann"])

    @pytest.fixture
    def task(self, store: MetadataStore, run: Run) -> Task:
        """A task of the run."""
        store.create_step(run.flow_id, run.run_id, "train")
        return store.create_task(run.flow_id, run.run_id, "train", "t0", user="ann")


def path(run: Run, step: str = "train", task: str = "t0") -> dict[str, Any]:
    """The path of a task, as records name it."""
    return {"flow_id": run.flow_id, "run_id": run.run_id, "step_name": step, "task_id": task}


def artifact(name: str, attempt: int = 0, **more: Any) -> Artifact:
    """An artifact pointer."""
    fields = {
        "location": f"at/{name}",
        "ds_type": "local",
        "sha": "ab12",
        "type": "thing",
        "content_type": "raw",
        **more,
    }
    return Artifact(name=name, attempt_id=attempt, **fields)


def metadatum(field: str, value: str, **more: Any) -> Metadatum:
    """A metadatum."""
    return Metadatum(**{"field_name": field, "value": value, "type": field, "tags": ("attempt_id:0",), **more})


def at_once(jobs: list[Callable[[], Result]]) -> list[Result | Exception]:
    """What each job gives or raises, all begun at about the same time."""

    def outcome(job: Callable[[], Result]) -> Result | Exception:
        try:
            return job()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(outcome, jobs))
