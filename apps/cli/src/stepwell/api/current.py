"""`current`: what a step can ask about the task it is in."""

from __future__ import annotations

from typing import Any

import attrs


@attrs.frozen
class TaskFacts:
    """The facts about one running task."""

    flow_name: str
    run_id: str
    step_name: str
    task_id: str
    retry_count: int
    username: str
    parameter_names: tuple[str, ...]
    origin_run_id: str | None = None

    @property
    def pathspec(self) -> str:
        """`Flow/run/step/task`."""
        return f"{self.flow_name}/{self.run_id}/{self.step_name}/{self.task_id}"

    @property
    def namespace(self) -> str:
        """The namespace that the run belongs to."""
        return f"user:{self.username}"


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
        return key in _FACTS

    def __getattr__(self, name: str) -> Any:
        if name not in _FACTS:
            raise AttributeError(f"current has no '{name}'; it has: {', '.join(sorted(_FACTS))}")
        return getattr(self._facts, name, None)


_FACTS = frozenset({field.name for field in attrs.fields(TaskFacts)} | {"pathspec", "namespace"})

current = Current()


def enter_task(facts: TaskFacts | None) -> None:
    """Say which task this process runs from now on; None: no task."""
    current._facts = facts
