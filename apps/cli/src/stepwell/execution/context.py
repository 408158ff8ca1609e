"""What a flow object knows of the task it is in."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from itertools import islice
from typing import Any

import attrs
from cas_store import ContentStore, MemoryBackend, ObjectStore
from flow_graph import task_id

from stepwell.api.transitions import GANG, Transition
from stepwell.execution.artifacts import Artifacts
from stepwell.execution.merging import Input, merge
from stepwell.execution.records import TaskRecord, read_task
from stepwell.execution.spec import TaskSpec
from stepwell.execution.stores import Stores


@attrs.define
class TaskContext:
    """The state of one running task. `transition` is what `self.next` decided.

    `known` are the records read so far, and `lists` what foreaches went over, by the task that did: a join shares them with
    its inputs, so that a thousand of them are not a thousand readers.
    """

    spec: TaskSpec
    stores: Stores
    artifacts: Artifacts
    step_names: frozenset[str]
    is_join: bool = False
    known: dict[tuple[str, str], TaskRecord] = attrs.field(factory=dict)
    lists: dict[tuple[str, str], Any] = attrs.field(factory=dict)
    transition: Transition | None = None
    _items: dict[int, Any] = attrs.field(factory=dict)

    def merge(self, flow: Any, inputs: Iterable[Input], exclude: frozenset[str], include: frozenset[str]) -> None:
        """See `FlowSpec.merge_artifacts`."""
        merge(flow, inputs, exclude, include)

    def foreach_item(self, depth: int) -> Any:
        """The item of the `foreach` at `depth` of the stack (0 is the outermost)."""
        if depth not in self._items:
            self._items[depth] = self._load_item(depth)
        return self._items[depth]

    def record_of(self, step: str, task: str) -> TaskRecord:
        """The record of a task that is done, read once."""
        if (step, task) not in self.known:
            self.known[step, task] = read_task(self.stores.records, self.spec.flow, self.spec.run_id, step, task)
        return self.known[step, task]

    def _load_item(self, depth: int) -> Any:
        frame = self.spec.frames[depth]
        split = task_id(tuple(f.index for f in self.spec.frames[:depth]))
        record = self.record_of(frame.step, split)
        if record.transition.foreach == GANG:
            return frame.index
        if (frame.step, split) not in self.lists:
            self.lists[frame.step, split] = self._objects_of_items(depth).load(record.artifacts[frame.variable])
        items = self.lists[frame.step, split]
        try:
            return items[frame.index]
        except (TypeError, KeyError, IndexError):
            return next(islice(items, frame.index, None))

    def _objects_of_items(self, depth: int) -> ObjectStore:
        """Where the list of a foreach is: of the innermost one, the scheduler may have handed it on."""
        if not self.spec.items or depth < len(self.spec.frames) - 1:
            return self.stores.objects
        handed_on = ContentStore(MemoryBackend())
        for item in self.spec.items:
            handed_on.put(base64.b64decode(item))
        return ObjectStore(handed_on)
