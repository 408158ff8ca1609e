"""What a mutation does to a run's tags."""

from __future__ import annotations

from collections.abc import Iterable

from meta_client.errors import InvalidRequest


def mutated(
    tags: Iterable[str], system_tags: Iterable[str], add: Iterable[str], remove: Iterable[str]
) -> tuple[str, ...]:
    """The new tags, each once, in stable order: removals first, then additions. Raises `InvalidRequest`."""
    system, removed = set(system_tags), set(remove)
    if forbidden := sorted(system & removed):
        raise InvalidRequest("remove", forbidden, "system tags cannot be removed")
    kept = [tag for tag in tags if tag not in removed]
    return tuple(dict.fromkeys([*kept, *(tag for tag in add if tag not in system)]))


def has_all(wanted: Iterable[str], tags: Iterable[str] | None, system_tags: Iterable[str] | None) -> bool:
    """Whether all wanted tags are there, as a user's or the system's."""
    return set(wanted) <= {*(tags or ()), *(system_tags or ())}
