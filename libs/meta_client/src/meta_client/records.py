"""The wire records: what a metadata service answers, as values.

``from_wire`` reads the JSON object of one record, ``to_wire`` writes it back, key for key. What a later service adds is kept
as it is, in ``unknown``, and has no part in whether two records are equal. Ids: ``run_number`` of the wire is ``run_id``
here; an ``int`` was given by the store, a ``str`` by a client (a step's is always a ``str``, as the wire has it).
``ts_epoch`` is in milliseconds since 1970 and set by the store (0 in a record that no store has seen), ``last_heartbeat_ts``
in seconds. Tags are tuples, or None where the store holds JSON null.

This module imports nothing heavier than attrs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from meta_client.errors import InvalidRecord

Id = int | str
"""A run's or a task's id: an int, or an all-numeric string, means the store's number; else a client's name."""

Tags = tuple[str, ...] | None
Wire = dict[str, Any]


def _unknown() -> Any:
    return attrs.field(factory=dict, eq=False, repr=False)


def verified_user(user_name: str | None, system_tags: Iterable[str] | None) -> str | None:
    """The user of a run, where its system tags vouch for the name."""
    return user_name if user_name is not None and f"user:{user_name}" in (system_tags or ()) else None


def _tags(value: Iterable[str] | None) -> Tags:
    return None if value is None else tuple(value)


def _listed(tags: Tags) -> list[str] | None:
    return None if tags is None else list(tags)


@attrs.frozen(kw_only=True)
class Flow:
    """A workflow by name."""

    flow_id: str
    user_name: str | None = None
    ts_epoch: int = 0
    tags: Tags = attrs.field(default=None, converter=_tags)
    system_tags: Tags = attrs.field(default=None, converter=_tags)
    unknown: Mapping[str, Any] = _unknown()

    @property
    def pathspec(self) -> str:
        """``Flow``."""
        return self.flow_id

    @classmethod
    def from_wire(cls, data: object) -> Flow:
        """Read a JSON object; raises `InvalidRecord`."""
        wire = _Reader("flow", data)
        return cls(flow_id=wire.text("flow_id"), **wire.common(), unknown=wire.rest())

    def to_wire(self) -> Wire:
        """The JSON object."""
        return {**self.unknown, "flow_id": self.flow_id, **_common(self)}


@attrs.frozen(kw_only=True)
class Run:
    """One execution of a flow.

    ``user`` is the user that the system tags vouch for; ``status`` ("running", "completed", "failed") is known only where
    runs were listed by status.
    """

    flow_id: str
    run_id: Id
    user_name: str | None = None
    ts_epoch: int = 0
    tags: Tags = attrs.field(default=None, converter=_tags)
    system_tags: Tags = attrs.field(default=None, converter=_tags)
    last_heartbeat_ts: int | None = None
    user: str | None = None
    status: str | None = None
    unknown: Mapping[str, Any] = _unknown()

    @property
    def pathspec(self) -> str:
        """``Flow/run``."""
        return f"{self.flow_id}/{self.run_id}"

    @classmethod
    def from_wire(cls, data: object) -> Run:
        """Read a JSON object; raises `InvalidRecord`."""
        wire = _Reader("run", data)
        return cls(
            flow_id=wire.text("flow_id"),
            run_id=wire.id("run_number"),
            **wire.common(),
            last_heartbeat_ts=wire.optional_number("last_heartbeat_ts"),
            user=wire.optional_text("user"),
            status=wire.optional_text("status"),
            unknown=wire.rest(),
        )

    def to_wire(self) -> Wire:
        """The JSON object; ``user`` and ``status`` only where known."""
        data = {**self.unknown, "flow_id": self.flow_id, "run_number": self.run_id, **_common(self)}
        data["last_heartbeat_ts"] = self.last_heartbeat_ts
        if self.user is not None:
            data["user"] = self.user
        if self.status is not None:
            data["status"] = self.status
        return data


@attrs.frozen(kw_only=True)
class Step:
    """A step of a run; its tags are the run's."""

    flow_id: str
    run_id: str = attrs.field(converter=str)
    step_name: str
    user_name: str | None = None
    ts_epoch: int = 0
    tags: Tags = attrs.field(default=None, converter=_tags)
    system_tags: Tags = attrs.field(default=None, converter=_tags)
    unknown: Mapping[str, Any] = _unknown()

    @property
    def pathspec(self) -> str:
        """``Flow/run/step``."""
        return f"{self.flow_id}/{self.run_id}/{self.step_name}"

    @classmethod
    def from_wire(cls, data: object) -> Step:
        """Read a JSON object; raises `InvalidRecord`."""
        wire = _Reader("step", data)
        return cls(**wire.step_path(), **wire.common(), unknown=wire.rest())

    def to_wire(self) -> Wire:
        """The JSON object; ``run_number`` is always a string."""
        return {
            **self.unknown,
            "flow_id": self.flow_id,
            "run_number": self.run_id,
            "step_name": self.step_name,
            **_common(self),
        }


@attrs.frozen(kw_only=True)
class Task:
    """A task of a step; its tags are the run's."""

    flow_id: str
    run_id: Id
    step_name: str
    task_id: Id
    user_name: str | None = None
    ts_epoch: int = 0
    tags: Tags = attrs.field(default=None, converter=_tags)
    system_tags: Tags = attrs.field(default=None, converter=_tags)
    last_heartbeat_ts: int | None = None
    unknown: Mapping[str, Any] = _unknown()

    @property
    def pathspec(self) -> str:
        """``Flow/run/step/task``."""
        return f"{self.flow_id}/{self.run_id}/{self.step_name}/{self.task_id}"

    @classmethod
    def from_wire(cls, data: object) -> Task:
        """Read a JSON object; raises `InvalidRecord`."""
        wire = _Reader("task", data)
        return cls(
            **wire.task_path(),
            **wire.common(),
            last_heartbeat_ts=wire.optional_number("last_heartbeat_ts"),
            unknown=wire.rest(),
        )

    def to_wire(self) -> Wire:
        """The JSON object."""
        return {**self.unknown, **_task_path(self), **_common(self), "last_heartbeat_ts": self.last_heartbeat_ts}


@attrs.frozen(kw_only=True)
class Artifact:
    """Where one attempt of a task put one value; its tags are the run's.

    The path (``flow_id`` to ``task_id``) may be left out where the task is given beside the artifact.
    """

    name: str
    location: str = ""
    ds_type: str = ""
    sha: str = ""
    type: str = ""
    content_type: str = ""
    attempt_id: int = 0
    flow_id: str = ""
    run_id: Id = ""
    step_name: str = ""
    task_id: Id = ""
    user_name: str | None = None
    ts_epoch: int = 0
    tags: Tags = attrs.field(default=None, converter=_tags)
    system_tags: Tags = attrs.field(default=None, converter=_tags)
    unknown: Mapping[str, Any] = _unknown()

    @property
    def pathspec(self) -> str:
        """``Flow/run/step/task/name``."""
        return f"{self.flow_id}/{self.run_id}/{self.step_name}/{self.task_id}/{self.name}"

    @classmethod
    def from_wire(cls, data: object) -> Artifact:
        """Read a JSON object; raises `InvalidRecord`. What is null or missing of the value's description reads as ""."""
        wire = _Reader("artifact", data)
        described: Wire = {key: wire.text_or_empty(key) for key in _ARTIFACT_TEXTS}
        return cls(
            **wire.task_path(),
            name=wire.text("name"),
            **described,
            attempt_id=wire.number("attempt_id"),
            **wire.common(),
            unknown=wire.rest(),
        )

    def to_wire(self) -> Wire:
        """The JSON object."""
        return {
            **self.unknown,
            **_task_path(self),
            "name": self.name,
            "location": self.location,
            "ds_type": self.ds_type,
            "sha": self.sha,
            "type": self.type,
            "content_type": self.content_type,
            "attempt_id": self.attempt_id,
            **_common(self),
        }


@attrs.frozen(kw_only=True)
class Metadatum:
    """One thing noted about a task, as text, with tags of its own such as ``attempt_id:0``.

    The path (``flow_id`` to ``task_id``) may be left out where the task is given beside it; ``id`` is the store's.
    """

    field_name: str
    value: str
    type: str = ""
    id: int = 0
    flow_id: str = ""
    run_id: Id = ""
    step_name: str = ""
    task_id: Id = ""
    user_name: str | None = None
    ts_epoch: int = 0
    tags: Tags = attrs.field(default=None, converter=_tags)
    system_tags: Tags = attrs.field(default=None, converter=_tags)
    unknown: Mapping[str, Any] = _unknown()

    @classmethod
    def from_wire(cls, data: object) -> Metadatum:
        """Read a JSON object; raises `InvalidRecord`."""
        wire = _Reader("metadatum", data)
        return cls(
            id=wire.number("id"),
            **wire.task_path(),
            field_name=wire.text("field_name"),
            value=wire.text("value"),
            type=wire.text_or_empty("type"),
            **wire.common(),
            unknown=wire.rest(),
        )

    def to_wire(self) -> Wire:
        """The JSON object."""
        return {
            **self.unknown,
            "id": self.id,
            **_task_path(self),
            "field_name": self.field_name,
            "value": self.value,
            "type": self.type,
            **_common(self),
        }


_ARTIFACT_TEXTS = ("location", "ds_type", "sha", "type", "content_type")


def _common(record: Flow | Run | Step | Task | Artifact | Metadatum) -> Wire:
    return {
        "user_name": record.user_name,
        "ts_epoch": record.ts_epoch,
        "tags": _listed(record.tags),
        "system_tags": _listed(record.system_tags),
    }


def _task_path(record: Task | Artifact | Metadatum) -> Wire:
    return {
        "flow_id": record.flow_id,
        "run_number": record.run_id,
        "step_name": record.step_name,
        "task_id": record.task_id,
    }


class _Reader:
    """Reads the fields of one JSON object, and says which is wrong."""

    def __init__(self, kind: str, data: object) -> None:
        if not isinstance(data, Mapping):
            raise InvalidRecord(kind, "the record", f"is a {type(data).__name__}, not an object")
        self._kind, self._data = kind, data
        self._read: set[str] = set()

    def _get(self, key: str) -> Any:
        self._read.add(key)
        return self._data.get(key)

    def rest(self) -> Wire:
        """What was not asked for."""
        return {key: value for key, value in self._data.items() if key not in self._read}

    def _field(self, key: str, wanted: str, *types: type) -> Any:
        value = self._get(key)
        if not isinstance(value, types) or isinstance(value, bool):
            problem = f"is {value!r:.60}, not {wanted}" if key in self._data else "is missing"
            raise InvalidRecord(self._kind, key, problem)
        return value

    def text(self, key: str) -> str:
        return self._field(key, "a string", str)  # type: ignore[no-any-return]

    def optional_text(self, key: str) -> str | None:
        return None if self._get(key) is None else self.text(key)

    def text_or_empty(self, key: str) -> str:
        return self.optional_text(key) or ""

    def number(self, key: str) -> int:
        return self._field(key, "an integer", int)  # type: ignore[no-any-return]

    def optional_number(self, key: str) -> int | None:
        return None if self._get(key) is None else self.number(key)

    def id(self, key: str) -> Id:
        return self._field(key, "an integer or a string", int, str)  # type: ignore[no-any-return]

    def tags(self, key: str) -> list[str] | None:
        return None if self._get(key) is None else self._field(key, "a list or null", list)

    def common(self) -> Wire:
        return {
            "user_name": self.optional_text("user_name"),
            "ts_epoch": self.number("ts_epoch"),
            "tags": self.tags("tags"),
            "system_tags": self.tags("system_tags"),
        }

    def step_path(self) -> Wire:
        return {
            "flow_id": self.text("flow_id"),
            "run_id": self.id("run_number"),
            "step_name": self.text("step_name"),
        }

    def task_path(self) -> Wire:
        return {**self.step_path(), "task_id": self.id("task_id")}
