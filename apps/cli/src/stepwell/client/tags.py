"""Tags of runs: what may be one, and how many."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from meta_client import InvalidRequest, Run

from stepwell.client.scope import metadata_store
from stepwell.errors import InvalidTag

MOST_TAGS = 50
LONGEST_TAG = 500


def mutate(run: Run, add: Iterable[str] = (), remove: Iterable[str] = ()) -> Run:
    """Remove, then add tags, at once; gives the run as it is then. Raises `InvalidTag`, and then nothing is changed."""
    added, removed = listed(add), listed(remove)
    for tag in added:
        check_tag(tag)
    check_count({*(run.tags or ())} - set(removed) | set(added) - {*(run.system_tags or ())})
    try:
        return metadata_store().mutate_tags(run, add=added, remove=removed)
    except InvalidRequest as error:
        raise InvalidTag(f"The tags of {run.pathspec} stay as they are: {error}") from error


def check_tags(tags: Collection[str]) -> tuple[str, ...]:
    """The tags that a run starts with; raises `InvalidTag`."""
    for tag in tags:
        check_tag(tag)
    check_count(set(tags))
    return tuple(tags)


def listed(tags: Iterable[str]) -> list[str]:
    """Tags as a list; one string is one tag."""
    return [tags] if isinstance(tags, str) else list(tags)


def check_tag(tag: str) -> None:
    """Raises `InvalidTag` for what can be no tag."""
    if not isinstance(tag, str) or not tag:
        raise InvalidTag(f"A tag is a text that is not empty, not {tag!r}")
    if len(tag) > LONGEST_TAG:
        raise InvalidTag(f"A tag has at most {LONGEST_TAG} characters, this one has {len(tag)}: {tag[:40]!r}...")
    try:
        tag.encode()
    except UnicodeEncodeError as error:
        raise InvalidTag(f"The tag {tag!r} cannot be written as UTF-8: {error.reason}") from error


def check_count(tags: Collection[str]) -> None:
    """Raises `InvalidTag` for more tags than a run may have."""
    if len(tags) > MOST_TAGS:
        raise InvalidTag(f"A run has at most {MOST_TAGS} tags; this would make {len(tags)}. Remove some first")
