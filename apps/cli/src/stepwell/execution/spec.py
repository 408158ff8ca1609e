"""What to run: one task of one run, as a value that travels to wherever the task runs."""

from __future__ import annotations

import json

import attrs
from flow_graph import ForeachFrame

FORMAT = 1


@attrs.frozen
class TaskSpec:
    """One attempt at one task.

    `inputs` are the tasks it reads, each as (step, task id), in item order for a join; `frames` is its foreach
    stack, outermost first. `gang` is the token of the whole gang's attempt that this one is part of, where the
    scheduler publishes what it hands in. `read` is the stored form of the record of its one input, and
    `items` are the objects (base64) of the list that its item is in, where the scheduler of this machine has them at hand: a
    thousand tasks of a foreach need not read them, each.
    """

    flow: str
    run_id: str
    step: str
    task_id: str
    attempt: int = 0
    inputs: tuple[tuple[str, str], ...] = ()
    frames: tuple[ForeachFrame, ...] = ()
    user: str = ""
    package: str | None = None
    origin_run_id: str | None = None
    gang: str | None = None
    read: str = attrs.field(default="", repr=False)
    items: tuple[str, ...] = attrs.field(default=(), repr=False)

    @property
    def pathspec(self) -> str:
        """`run/step/task`, as people name it."""
        return f"{self.run_id}/{self.step}/{self.task_id}"

    def to_json(self) -> str:
        """The spec as text; `from_json` reads it back."""
        frames = [attrs.asdict(frame) for frame in self.frames]
        data = {"format": FORMAT, **attrs.asdict(self, recurse=False), "frames": frames}
        return json.dumps(data, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> TaskSpec:
        """Read what `to_json` wrote."""
        data = json.loads(text)
        data.pop("format")
        data["inputs"] = tuple((step, task) for step, task in data["inputs"])
        data["items"] = tuple(data.get("items", ()))
        data["frames"] = tuple(ForeachFrame(**frame) for frame in data["frames"])
        return cls(**data)


@attrs.frozen
class TaskOutcome:
    """How one attempt ended.

    `done` says that the task has its record now, whoever wrote it; `error` is the message for people otherwise. `record` is the
    stored form of the record where this attempt wrote it, or handed it over to be written.
    """

    done: bool
    error: str = ""
    record: bytes = attrs.field(default=b"", repr=False)

    @property
    def exit_code(self) -> int:
        """The exit status of the process that ran the attempt."""
        return 0 if self.done else 1

    @property
    def told(self) -> tuple[int, bytes]:
        """What a fork says of it: its exit status, and the record."""
        return self.exit_code, self.record
