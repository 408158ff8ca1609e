"""What may be asked of any store: the same ids, names and values are refused by each, before anything is sent or written."""

from __future__ import annotations

from collections.abc import Iterable

from meta_client.errors import InvalidRequest
from meta_client.records import Artifact, Id, Metadatum

LONGEST_NAME = 255
"""Characters of a name, a type or a location: what the databases of existing services hold."""

LARGEST_NUMBER = 2**53 - 1
"""Of a run that gets its number back: what JSON carries everywhere, and leaves room above."""
LARGEST_ATTEMPT = 2**15 - 1
STATUSES = ("running", "completed", "failed")


def is_numeric(value: Id) -> bool:
    """Whether an id means a number of the store's (the wire's rule)."""
    return isinstance(value, int) or value.isnumeric()


def check_name(field: str, value: object) -> None:
    """A name of a flow, a step or an artifact: what fits one segment of a URL's path and a database's column."""
    if not isinstance(value, str):
        raise InvalidRequest(field, value, "it must be a string")
    if not value:
        raise InvalidRequest(field, value, "it must not be empty")
    if value in (".", "..") or "/" in value:
        raise InvalidRequest(field, value, "a name in a path must not hold '/', nor be '.' or '..'")
    check_text(field, value, longest=LONGEST_NAME)


def check_id(field: str, value: object) -> None:
    """An id of a run or a task, the store's or a client's."""
    if isinstance(value, bool) or not isinstance(value, int):
        check_name(field, value)
    elif value < 0:
        raise InvalidRequest(field, value, "a number of the store's is not negative")


_PATH = (("flow_id", check_name), ("run_id", check_id), ("step_name", check_name), ("task_id", check_id))


def check_new_id(field: str, value: object) -> None:
    """An id that a client gives: never numeric, as numbers are the store's to give."""
    check_name(field, value)
    if isinstance(value, str) and value.isnumeric():
        raise InvalidRequest(field, value, "numeric ids are the store's to give: leave it out, or name it otherwise")


def check_number(field: str, value: Id) -> int | None:
    """The number that an id means; None where it is a client's name."""
    if not is_numeric(value):
        return None
    if isinstance(value, str) and not (value.isascii() and value.isdecimal()):
        raise InvalidRequest(field, value, "it must be digits from 0 to 9")
    if not 0 < int(value) <= LARGEST_NUMBER:
        raise InvalidRequest(field, value, f"a store numbers from 1 to {LARGEST_NUMBER}")
    return int(value)


def check_text(field: str, value: object, *, longest: int | None = None) -> None:
    """Text that every store can hold: a str, encodable, without NUL, of bounded length."""
    if not isinstance(value, str):
        raise InvalidRequest(field, value, "it must be a string")
    if longest is not None and len(value) > longest:
        raise InvalidRequest(field, value, f"it has {len(value)} characters, {longest} are allowed")
    if "\0" in value or not _encodable(value):
        raise InvalidRequest(field, value, "it holds a character that no store can keep (NUL or half a surrogate pair)")


def check_tags(field: str, tags: object) -> tuple[str, ...]:
    """The tags as a tuple, in order; each a str."""
    if isinstance(tags, str) or not isinstance(tags, Iterable):
        raise InvalidRequest(field, tags, "it must be a list of strings")
    found = tuple(tags)
    for tag in found:
        check_text(field, tag)
    return found


def check_user(user: object) -> None:
    """A user's name, or None."""
    if user is not None:
        check_text("user", user, longest=LONGEST_NAME)


def check_path(*path: Id) -> None:
    """A path of a flow, run, step or task: as much of it as is given."""
    for (field, check), part in zip(_PATH, path, strict=False):
        check(field, part)


def check_artifact(artifact: Artifact) -> None:
    """What an artifact says about its value."""
    check_user(artifact.user_name)
    check_name("name", artifact.name)
    check_text("location", artifact.location, longest=LONGEST_NAME)
    check_text("ds_type", artifact.ds_type, longest=LONGEST_NAME)
    for field in ("sha", "type", "content_type"):
        check_text(field, getattr(artifact, field), longest=LONGEST_NAME)
    check_attempt(artifact.attempt_id)


def check_attempt(attempt: int | None) -> None:
    """The number of an attempt; None where the latest is meant."""
    if attempt is not None and not (isinstance(attempt, int) and 0 <= attempt <= LARGEST_ATTEMPT):
        raise InvalidRequest("attempt_id", attempt, f"it must be a whole number between 0 and {LARGEST_ATTEMPT}")


def check_metadatum(metadatum: Metadatum) -> None:
    """What a metadatum says."""
    check_user(metadatum.user_name)
    check_text("field_name", metadatum.field_name, longest=LONGEST_NAME)
    check_text("type", metadatum.type, longest=LONGEST_NAME)
    check_text("value", metadatum.value)
    for field, tags in (("tags", metadatum.tags), ("system_tags", metadatum.system_tags)):
        if tags is not None:
            check_tags(field, tags)


def check_status(status: str | None) -> None:
    """A status to list runs by."""
    if status is not None and status not in STATUSES:
        raise InvalidRequest("status", status, f"it must be one of {', '.join(STATUSES)}")


def check_limit(limit: int | None) -> None:
    """How many runs to list at most."""
    if limit is None:
        return
    if not isinstance(limit, int):
        raise InvalidRequest("limit", limit, "it must be a whole number, or None for all")
    if limit < 0:
        raise InvalidRequest("limit", limit, "it must not be negative")


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
