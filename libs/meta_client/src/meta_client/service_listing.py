"""Listings of a metadata service: page by page where it offers pages, else whole.

A service that has pages says so by a header of its answer; an older one ignores what it is asked for and answers everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import attrs

from meta_client.errors import InvalidAnswer
from meta_client.records import Run, verified_user
from meta_client.service_answers import Answer
from meta_client.service_http import Query, ServiceHttp
from meta_client.tags import has_all

_FIRST_PAGE, _LARGEST_PAGE = 50, 500


@attrs.frozen
class Page:
    """A part of a listing; ``whole`` where the service knows no pages."""

    items: list[Any]
    whole: bool
    answer: Answer


def pages(http: ServiceHttp, *path: object, query: Query | None = None, first: int = _LARGEST_PAGE) -> Iterator[Page]:
    """The pages of a listing, at least one; the first has ``first`` items, so that asking for a few is quick."""
    wanted: dict[str, str | int] = {**(query or {}), "_limit": min(first, _LARGEST_PAGE)}
    while True:
        answer = http.get(*path, query=wanted)
        if answer.says_missing:
            return
        if answer.status != 200:
            raise answer.error()
        yield Page(answer.items, "X-Limit" not in answer.headers, answer)
        cursor = answer.headers.get("X-Next-Cursor")
        if not cursor:
            return
        if cursor == wanted.get("_cursor"):
            raise InvalidAnswer(answer.where, "the next page is the same one again")
        wanted |= {"_limit": _LARGEST_PAGE, "_cursor": cursor}


def everything(http: ServiceHttp, *path: object) -> list[Any]:
    """All items of a listing."""
    return [item for page in pages(http, *path) for item in page.items]


def runs(http: ServiceHttp, flow: str, tags: Sequence[str], status: str | None, limit: int | None) -> Iterator[Run]:
    """Runs with all tags and the status, newest first. Raises `Unsupported` where the service does not know statuses."""
    query = {"status": status} if status else {}
    if sent := [tag for tag in tags if _fits_a_filter(tag)]:
        query["_tags"] = ",".join(sent)
    left = limit
    for page in pages(http, "flows", flow, "runs", query=query, first=_FIRST_PAGE if limit is None else max(limit, 1)):
        found = [run_of(item) for item in page.items]
        if page.whole:
            found.sort(key=_age, reverse=True)
        if status and any(run.status is None for run in found):
            raise page.answer.unsupported("finding runs by status")
        for run in found:
            if status in (None, run.status) and has_all(tags, run.tags, run.system_tags):
                if left == 0:
                    return
                yield run
                left = None if left is None else left - 1
        if left == 0:
            return


def run_of(item: object) -> Run:
    """A run of the wire, with its verified user also where the service leaves that out."""
    run = Run.from_wire(item)
    return attrs.evolve(run, user=verified_user(run.user_name, run.system_tags))


def _age(run: Run) -> tuple[int, int]:
    return run.ts_epoch, run.run_id if isinstance(run.run_id, int) else 0


def _fits_a_filter(tag: str) -> bool:
    """Whether a tag can be written into a query: commas part tags there, and some words mean something."""
    return bool(tag) and "," not in tag and tag != "null"
