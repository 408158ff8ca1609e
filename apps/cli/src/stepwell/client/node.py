"""What all levels of the Client API share: a path, tags, a time, a parent, and children by name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Protocol

from meta_client import NotFound as NoSuchRecord

from stepwell.client.missing import missing
from stepwell.client.scope import get_namespace
from stepwell.errors import InvalidPathspec, NamespaceMismatch, NotFound

LEVELS = ("Flow", "run", "step", "task", "artifact")


class Entry(Protocol):
    """What the metadata store knows of any object: tags, and when it was registered, in milliseconds since the epoch."""

    @property
    def tags(self) -> tuple[str, ...] | None:
        """The tags that people gave."""

    @property
    def system_tags(self) -> tuple[str, ...] | None:
        """The tags that a tool gave."""

    @property
    def ts_epoch(self) -> int:
        """When it was registered."""


class Node:
    """An object that a path names, such as `Flow/12/train/t0`.

    Constructing one looks it up: raises `InvalidPathspec`, `NotFound`, or `NamespaceMismatch` where it is outside the
    namespace in force.
    """

    _depth: ClassVar[int] = 0
    _classes: ClassVar[dict[int, type[Node]]] = {}
    _entry: Any

    def __init_subclass__(cls) -> None:
        Node._classes[cls._depth] = cls

    def __init__(self, pathspec: str) -> None:
        parts = tuple(str(pathspec).split("/"))
        if len(parts) != self._depth or not all(parts):
            form = "/".join(LEVELS[: self._depth])
            raise InvalidPathspec(f"'{pathspec}' is no path of a {type(self).__name__}: it has the form {form}")
        self.path_components = parts
        try:
            self._entry = self._look_up()
        except NoSuchRecord:
            raise NotFound(missing(parts)) from None
        self._check_namespace()

    def _look_up(self) -> Entry:
        """What the metadata store knows; raises its `NotFound`."""
        raise NotImplementedError

    def _check_namespace(self) -> None:
        if not self.is_in_namespace():
            raise NamespaceMismatch(
                f"{self.pathspec} is not in the namespace '{get_namespace()}'; look everywhere with namespace(None)"
            )

    @property
    def pathspec(self) -> str:
        """The path that names the object, such as `Flow/12/train/t0`."""
        return "/".join(self.path_components)

    @property
    def id(self) -> str:
        """The last part of the path."""
        return self.path_components[-1]

    @property
    def parent(self) -> Any:
        """The object that holds this one: a step's run, for example; None for a flow."""
        above = self.path_components[:-1]
        return Node._classes[len(above)]("/".join(above)) if above else None

    def _child(self, name: str | int) -> Any:
        return Node._classes[self._depth + 1](f"{self.pathspec}/{name}")

    @property
    def user_tags(self) -> frozenset[str]:
        """The tags that people gave; a run's are those of its steps, tasks and artifacts too."""
        return frozenset(self._entry.tags or ())

    @property
    def system_tags(self) -> frozenset[str]:
        """The tags that stepwell gave."""
        return frozenset(self._entry.system_tags or ())

    @property
    def tags(self) -> frozenset[str]:
        """All tags."""
        return self.user_tags | self.system_tags

    @property
    def origin_pathspec(self) -> str | None:
        """What a resumed run took this over from; None where there is no such thing."""
        return None

    def is_in_namespace(self) -> bool:
        """Whether the namespace in force shows this object."""
        scope = get_namespace()
        return scope is None or scope in self.tags

    @property
    def created_at(self) -> dt.datetime:
        """When the object was registered, local time."""
        return local_time((self._entry.ts_epoch or 0) / 1000)

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self.pathspec}')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Node) and type(other) is type(self) and other.path_components == self.path_components

    def __hash__(self) -> int:
        return hash((type(self), self.path_components))


def exists(look_up: Callable[[], object]) -> bool:
    """Whether a look-up finds something that the namespace shows."""
    try:
        look_up()
    except (NotFound, NamespaceMismatch):
        return False
    return True


def value_of(tags: Iterable[str], name: str) -> str | None:
    """The value of a `name:value` tag, or None."""
    return next((tag.partition(":")[2] for tag in sorted(tags) if tag.startswith(f"{name}:")), None)


def local_time(seconds: float) -> dt.datetime:
    """A time, in seconds since the epoch, as people read it."""
    return dt.datetime.fromtimestamp(seconds)
