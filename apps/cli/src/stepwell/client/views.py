"""A task's artifacts as attributes: not loaded, or their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs
from cas_store import Reference

from stepwell.client.scope import datastore
from stepwell.execution.artifacts import load_artifact

if TYPE_CHECKING:
    from stepwell.client.tasks import DataArtifact


@attrs.frozen(repr=False)
class Artifacts:
    """The artifacts of one task, not loaded: iterate in the order of names, `in` by name, or one as an attribute."""

    _by_name: Mapping[str, DataArtifact]

    def __iter__(self) -> Iterator[DataArtifact]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getattr__(self, name: str) -> DataArtifact:
        found = object.__getattribute__(self, "_by_name").get(name)
        if found is None:
            raise AttributeError(f"There is no artifact '{name}'; there are: {', '.join(dir(self)) or 'none'}")
        artifact: DataArtifact = found
        return artifact

    def __dir__(self) -> list[str]:
        return list(self._by_name)

    def __repr__(self) -> str:
        return f"<artifacts: {', '.join(self._by_name)}>"


@attrs.frozen(repr=False)
class ArtifactView:
    """Artifacts as attributes, loaded on first access."""

    _pathspec: str
    _references: Mapping[str, Reference]

    def __getattr__(self, name: str) -> Any:
        reference = object.__getattribute__(self, "_references").get(name)
        if reference is None:
            raise AttributeError(
                f"The task {self._pathspec} has no artifact '{name}'; it has: {', '.join(dir(self)) or 'none'}"
            )
        return load_artifact(datastore().objects, reference, name)

    def __contains__(self, name: str) -> bool:
        return name in self._references

    def __dir__(self) -> list[str]:
        return sorted(name for name in self._references if not name.startswith("_"))

    def __repr__(self) -> str:
        return f"<artifacts of {self._pathspec}: {', '.join(dir(self))}>"
