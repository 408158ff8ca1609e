"""The artifacts of a task: loaded on first access, saved where they were touched."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cas_store import DamagedObject, MissingObject, ObjectStore, Reference, UnloadableObject, UnserializableObject

from stepwell.errors import ArtifactError, UnsavableArtifact
from stepwell.suggesting import did_you_mean


class Artifacts:
    """The artifacts that a task was handed, by name, and what became of them."""

    def __init__(self, objects: ObjectStore, references: Mapping[str, Reference]) -> None:
        self.objects = objects
        self.references = dict(references)
        self._peeked: dict[str, Any] = {}

    def load(self, name: str, owner: str) -> Any:
        """The value of an artifact; raises `AttributeError` where `owner` has none of that name."""
        reference = self.references.get(name)
        if reference is None:
            raise AttributeError(
                f"Flow {owner} has no attribute '{name}': no step so far has assigned it, or it is a function, which is not kept."
                f"{did_you_mean(name, self.references)}"
            )
        return load_artifact(self.objects, reference, name)

    def peek(self, name: str, owner: str, convert: Callable[[Any], Any] | None = None) -> Any:
        """Like `load`, for a value that the step cannot change: loaded and converted once, never saved again."""
        if name not in self._peeked:
            value = self.load(name, owner)
            self._peeked[name] = convert(value) if convert else value
        return self._peeked[name]

    def adopt(self, references: Mapping[str, Reference]) -> None:
        """Take over artifacts of another task by reference."""
        self.references.update(references)

    def drop(self, name: str) -> bool:
        """Forget an artifact; says whether there was one."""
        return self.references.pop(name, None) is not None

    def commit(self, values: Mapping[str, Any], step: str) -> dict[str, Reference]:
        """Save what the task touched, carry over the rest by reference.

        A loaded value that still encodes to what it was keeps its reference, so that a branch that only reads merges
        without conflict. Raises `UnsavableArtifact` naming the artifact that cannot be saved.
        """
        touched = {name: value for name, value in values.items() if is_artifact(name, value)}
        saved = {name: self._save(name, value, step) for name, value in touched.items()}
        # nobody refers to these yet: what a collection beside this task may have taken is noticed before somebody does
        self.objects.store.confirm(new for name, new in saved.items() if new is not self.references.get(name))
        return {**self.references, **saved}

    def _save(self, name: str, value: Any, step: str) -> Reference:
        try:
            return self.objects.save(value, previous=self.references.get(name))
        except UnserializableObject as error:
            raise UnsavableArtifact(
                f"Step '{step}' cannot keep self.{name}{error.path.removeprefix('value')} (a {error.type_name}): {error.reason}\n"
                "Keep what it was made from instead, or name it with two leading underscores to leave it out"
            ) from error


def load_artifact(objects: ObjectStore, reference: Reference, name: str) -> Any:
    """The value behind a reference; errors name the artifact."""
    try:
        return objects.load(reference)
    except (DamagedObject, MissingObject) as error:
        raise ArtifactError(f"The artifact '{name}' cannot be read: {error}") from error
    except UnloadableObject as error:
        raise ArtifactError(
            f"The artifact '{name}' needs code that is not here: {error}\n"
            "Load it where the flow's own modules and packages can be imported"
        ) from error


def is_artifact(name: str, value: Any) -> bool:
    """Whether an attribute of a flow is kept: not if its name starts with `__`, nor if it is a function."""
    return not name.startswith("__") and not isinstance(value, (types.FunctionType, types.MethodType))


def named(references: Mapping[str, Reference], names: Iterable[str]) -> dict[str, Reference]:
    """The references of some names, where there are any."""
    return {name: references[name] for name in names if name in references}
