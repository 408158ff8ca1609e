"""What a tag mutation does to a run's tags: removals first, then additions."""

from __future__ import annotations

from collections.abc import Sequence

from metadata_service.errors import SystemTagRemoval


def mutated(tags: Sequence[str], system_tags: Sequence[str], add: Sequence[str], remove: Sequence[str]) -> list[str]:
    """The run's new tags, each once, in stable order.

    A tag that is both removed and added ends present; adding a system tag changes nothing.
    Raises `SystemTagRemoval`.
    """
    system, removed = set(system_tags), set(remove)
    if forbidden := sorted(removed & system):
        raise SystemTagRemoval(forbidden)
    kept = [tag for tag in tags if tag not in removed]
    return list(dict.fromkeys([*kept, *(tag for tag in add if tag not in system)]))
