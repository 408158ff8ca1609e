"""`current`: what a step can ask about the task it is in."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import attrs

import stepwell


@attrs.frozen
class TaskFacts:
    """The facts about one running task.

    `found` are those that are looked up when they are asked for, `added` those that decorators add.
    """

    flow_name: str
    run_id: str
    step_name: str
    task_id: str
    retry_count: int
    username: str
    parameter_names: list[str]
    origin_run_id: str | None = None
    found: Mapping[str, Callable[[], Any]] = attrs.field(factory=dict, repr=False)
    added: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def pathspec(self) -> str:
        """`Flow/run/step/task`."""
        return f"{self.flow_name}/{self.run_id}/{self.step_name}/{self.task_id}"

    @property
    def namespace(self) -> str:
        """The namespace that the run belongs to."""
        return f"user:{self.username}"

    @property
    def tempdir(self) -> str:
        """The directory for temporary files."""
        import tempfile

        return tempfile.gettempdir()

    @property
    def run(self) -> Any:
        """The run, as the Client API shows it."""
        return _registered("Run", f"{self.flow_name}/{self.run_id}")

    @property
    def task(self) -> Any:
        """The task, as the Client API shows it."""
        return _registered("Task", self.pathspec)


@attrs.frozen
class Gang:
    """Where a task of a gang stands: task 0 of `num_nodes` is in control, and the others find it at `main_ip`."""

    main_ip: str
    num_nodes: int
    node_index: int
    control_task_id: str


class Current:
    """Facts about the running task as attributes; outside a task every one of them is None."""

    def __init__(self) -> None:
        self._facts: TaskFacts | None = None

    @property
    def is_running_flow(self) -> bool:
        """Whether a step is running in this process."""
        return self._facts is not None

    def get(self, key: str, default: Any = None) -> Any:
        """A fact by name, or `default`."""
        return getattr(self, key) if key in self else default

    def __contains__(self, key: str) -> bool:
        return key in FACTS or key in self._added

    @property
    def _added(self) -> Mapping[str, Any]:
        return self._facts.added if self._facts else {}

    def __getattr__(self, name: str) -> Any:
        if name in self._added:
            return self._added[name]
        if name not in FACTS:
            known = ", ".join(sorted({*FACTS, *self._added}))
            raise AttributeError(f"current has no '{name}'; it has: {known}")
        if self._facts and name in self._facts.found:
            return self._facts.found[name]()
        return getattr(self._facts, name, None)


def _registered(kind: str, pathspec: str) -> Any:
    """An object of the Client API; one that is running now may reach the metadata store a moment later than it starts."""
    from stepwell.errors import NotFound

    deadline = time.monotonic() + _SECONDS_TO_REGISTER
    while True:
        try:
            return getattr(stepwell, kind)(pathspec)
        except NotFound:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


_SECONDS_TO_REGISTER = 10.0
FACTS = frozenset(
    {field.name for field in attrs.fields(TaskFacts) if field.name not in ("found", "added")}
    | {"is_running_flow", "pathspec", "namespace", "tempdir", "run", "task", "tags", "graph", "graph_info", "trigger"}
)
"""What `current` has in every flow."""

current = Current()


def enter_task(facts: TaskFacts | None) -> None:
    """Say which task this process runs from now on; None: no task."""
    current._facts = facts
