"""Joining branches: the inputs of a join, and `merge_artifacts`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from cas_store import ObjectStore, Reference

from stepwell.errors import ArtifactError, MergeConflict, MissingInMerge
from stepwell.execution.artifacts import load_artifact
from stepwell.execution.records import TaskRecord
from stepwell.suggesting import did_you_mean


class Input:
    """One finished task as a join sees it: its artifacts as attributes, loaded on first access, read-only.

    What is no artifact is the flow's, as that task had it (`as_flow`): `index`, `input`, `foreach_stack()`, and properties and
    methods of its class.
    """

    __slots__ = ("__dict__", "_as_flow", "_objects", "_record", "_stepwell_flow")

    def __init__(self, record: TaskRecord, objects: ObjectStore, as_flow: Callable[[], Any]) -> None:
        object.__setattr__(self, "_record", record)
        object.__setattr__(self, "_objects", objects)
        object.__setattr__(self, "_as_flow", as_flow)
        object.__setattr__(self, "_stepwell_flow", None)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        record: TaskRecord = self._record
        reference = record.artifacts.get(name)
        if reference is None:
            if self._stepwell_flow is None:
                object.__setattr__(self, "_stepwell_flow", self._as_flow())
            if hasattr(type(self._stepwell_flow), name):
                return getattr(self._stepwell_flow, name)
            raise AttributeError(
                f"The input from step '{record.step}' has no artifact '{name}'.{did_you_mean(name, record.artifacts)}"
            )
        value = load_artifact(self._objects, reference, name)
        self.__dict__[name] = value
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"An input of a join is read-only: assign self.{name} instead")

    def __getstate__(self) -> Any:
        raise TypeError("an input of a join cannot be an artifact; save the values you need from it")

    def __repr__(self) -> str:
        return f"<input {self._record.step}/{self._record.task_id}>"


class Inputs:
    """The inputs of a join, in item order: iterate, index, `len()`, or name the step of a branch."""

    def __init__(self, inputs: Iterable[Input]) -> None:
        self._inputs = tuple(inputs)

    def __iter__(self) -> Iterator[Input]:
        return iter(self._inputs)

    def __len__(self) -> int:
        return len(self._inputs)

    def __getitem__(self, index: int) -> Input:
        return self._inputs[index]

    def __getattr__(self, step: str) -> Input:
        if not step.startswith("__"):
            for one in reversed(self._inputs):
                if one._record.step == step:
                    return one
        raise AttributeError(f"No input of this join comes from a step '{step}'")

    def __getstate__(self) -> Any:
        raise TypeError("the inputs of a join cannot be an artifact; save the values you need from them")


def merge(flow: Any, inputs: Iterable[Input], exclude: frozenset[str], include: frozenset[str]) -> None:
    """Carry over by reference what the inputs agree on; see `FlowSpec.merge_artifacts`."""
    context = flow._stepwell_context
    if not context.is_join:
        raise ArtifactError(f"Step '{context.spec.step}' is no join: merge_artifacts needs the inputs of one")
    if exclude and include:
        raise ArtifactError("merge_artifacts takes include or exclude, not both")
    values = _values_by_name(inputs)
    missing = tuple(sorted(include - values.keys()))
    if missing:
        raise MissingInMerge(f"merge_artifacts: no input has {_list(missing)}", missing)
    wanted = {
        name: references
        for name, references in values.items()
        if name not in flow.__dict__
        and name not in context.artifacts.references
        and name not in exclude
        and (not include or name in include)
    }
    conflicts = tuple(sorted(name for name, references in wanted.items() if len(references) > 1))
    if conflicts:
        raise MergeConflict(
            f"The inputs of step '{context.spec.step}' differ in {_list(conflicts)}.\n"
            "Set each of them on self before merge_artifacts, or leave it out with exclude=[...]",
            conflicts,
        )
    context.artifacts.adopt({name: next(iter(references.values())) for name, references in wanted.items()})


def _values_by_name(inputs: Iterable[Input]) -> dict[str, dict[str, Reference]]:
    """For each name, the different values that the inputs hold, by identity."""
    values: dict[str, dict[str, Reference]] = {}
    for one in inputs:
        for name, reference in one._record.artifacts.items():
            values.setdefault(name, {})[reference.identity] = reference
    return values


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
