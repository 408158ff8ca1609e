"""What tasks read first, handed on to them: a thousand tasks of a foreach need not ask the datastore for it, each."""

from __future__ import annotations

import base64

import attrs
from cas_store import CasStoreError

from stepwell.execution.records import TaskRecord, encode
from stepwell.execution.spec import TaskSpec
from stepwell.execution.stores import Stores

Items = tuple[str, ...]
_MOST = 256
_MOST_BYTES = 64 << 10


def items_to_hand_on(record: TaskRecord, stores: Stores) -> Items:
    """The objects that the list of a split is made of, as text; none where reading them is no wait, or they are large.

    None, too, where they cannot be read now: whoever needs them says so.
    """
    items = record.artifacts.get(record.transition.foreach or "")
    if stores.is_local or items is None or items.size_bytes > _MOST_BYTES:
        return ()
    try:
        return tuple(base64.b64encode(stores.content.get(one)).decode() for one in items.digests())
    except CasStoreError:
        return ()


@attrs.define(eq=False)
class HandedOn:
    """Keeps what the tasks behind those that were last done will read: of splits and, where each request is a wait, of all."""

    stores: Stores
    _kept: dict[tuple[str, str], tuple[str, Items]] = attrs.field(factory=dict)

    def add(self, record: TaskRecord, items: Items) -> None:
        """A task is done; of a split, `items` are the objects that its list is made of."""
        if record.transition.foreach or not self.stores.is_local:
            self._kept[record.step, record.task_id] = encode(record).decode(), items
        if len(self._kept) > _MOST:
            del self._kept[next(iter(self._kept))]

    def hand_on(self, spec: TaskSpec) -> TaskSpec:
        """The spec with the record of its one input and the list that its item is in, where they are kept."""
        if len(spec.inputs) != 1 or (kept := self._kept.pop(spec.inputs[0], None)) is None:
            return spec
        self._kept[spec.inputs[0]] = kept  # as the last that was asked for
        stored, items = kept
        return attrs.evolve(spec, read=stored, items=items)
