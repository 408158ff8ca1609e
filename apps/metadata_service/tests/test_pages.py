"""Listings in pages: `_limit`, `_cursor`, and the headers that lead to the next page."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from metadata_service.errors import InvalidRequest
from metadata_service.paging import ARTIFACTS, RUNS, cursor_after, page_of
from support import Api


def pages(api: Api, path: str, limit: int) -> Iterator[list[Any]]:
    query: dict[str, Any] = {"_limit": limit}
    while True:
        answer = api.get(path, **query)
        assert answer.status == 200
        assert answer.headers["X-Limit"] == str(limit)
        yield answer.body
        if "X-Next-Cursor" not in answer.headers:
            return
        query["_cursor"] = answer.headers["X-Next-Cursor"]


@pytest.fixture
def filled(api: Api, flow: str) -> str:
    """A flow of 7 runs, the last of 7 tasks, of which the last has 7 artifacts and 7 metadata."""
    for _ in range(7):
        run = f"{flow}/runs/{api.made(f'{flow}/run')['run_number']}"
    api.made(f"{run}/steps/start/step")
    for _ in range(7):
        task = f"{run}/steps/start/tasks/{api.made(f'{run}/steps/start/task')['task_id']}"
    api.made(f"{task}/artifact", [{"name": f"x{i}"} for i in range(7)])
    api.made(f"{task}/metadata", [{"field_name": f"f{i}"} for i in range(7)])
    return task


LISTINGS = [
    "flow/runs",
    "step/tasks",
    "task/metadata",
    "run/metadata",
    "task/artifacts",
    "step/artifacts",
    "run/artifacts",
]


def listing_of(task: str, listing: str) -> str:
    kind, _, what = listing.partition("/")
    depth = {"flow": 3, "run": 5, "step": 7, "task": 9}[kind]
    return "/".join(task.split("/")[:depth]) + f"/{what}"


@pytest.mark.parametrize("listing", LISTINGS)
@pytest.mark.parametrize("limit", [1, 3, 7, 500])
def test_pages_hold_everything_once_in_the_order_of_the_whole(api: Api, filled: str, listing: str, limit: int) -> None:
    path = listing_of(filled, listing)
    found = list(pages(api, path, limit))
    assert all(len(page) <= limit for page in found)
    whole = api.get(path).body
    assert len(whole) == 7
    joined = [record for page in found for record in page]
    if listing.endswith("artifacts"):  # rows of one request have one time: the whole is by name, pages by name reversed
        assert sorted(map(str, joined)) == sorted(map(str, whole))
    else:
        assert joined == whole


def test_flows_come_in_pages_too(api: Api) -> None:
    names = {f"Paged{i}" for i in range(5)}
    for name in names:
        api.made(f"/flows/{name}")
    assert names <= {flow["flow_id"] for page in pages(api, "/flows", 2) for flow in page}


def test_a_listing_without_a_limit_has_no_headers(api: Api, filled: str) -> None:
    answer = api.get(listing_of(filled, "flow/runs"))
    assert "X-Limit" not in answer.headers
    assert "X-Next-Cursor" not in answer.headers


@pytest.mark.parametrize(("limit", "shown"), [("", "50"), ("50", "50"), ("501", "500"), ("9" * 30, "500"), ("0", "0")])
def test_limits(api: Api, filled: str, limit: str, shown: str) -> None:
    answer = api.get(listing_of(filled, "flow/runs"), _limit=limit)
    assert answer.headers["X-Limit"] == shown
    assert len(answer.body) == min(7, int(shown))
    assert "X-Next-Cursor" not in answer.headers


@pytest.mark.parametrize("limit", ["x", "-1", "1.5", " 1"])
def test_a_limit_is_a_number(api: Api, flow: str, limit: str) -> None:
    answer = api.get(f"{flow}/runs", _limit=limit)
    assert answer.status == 400
    assert "_limit" in answer.body["message"]


def encoded(value: Any) -> str:
    return base64.b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "!",
        "AAAA",
        "\u00fc",
        encoded(1),
        encoded([]),
        encoded({}),
        encoded({"ts_epoch": 1}),
        encoded({"ts_epoch": "1", "run_number": 1}),
        encoded({"ts_epoch": 1, "run_number": True}),
        encoded({"ts_epoch": 1, "run_number": 2**64}),
        encoded({"ts_epoch": 1, "run_number": "1; DROP TABLE runs"}),
        base64.b64encode(b"[" * 100_000).decode(),
    ],
    ids=lambda cursor: cursor[:20],
)
def test_a_foreign_cursor_is_refused(api: Api, flow: str, cursor: str) -> None:
    answer = api.get(f"{flow}/runs", _cursor=cursor)
    assert (answer.status, answer.body) == (400, "Invalid cursor")


def test_an_empty_cursor_is_the_first_page(api: Api, filled: str) -> None:
    path = listing_of(filled, "flow/runs")
    assert api.get(path, _cursor="").body == api.get(path).body


def test_a_cursor_survives_what_is_registered_meanwhile(api: Api, filled: str) -> None:
    path = listing_of(filled, "flow/runs")
    first = api.get(path, _limit=3)
    rest = api.get(path).body[3:]
    api.made(path.removesuffix("s"))
    assert api.get(path, _limit=10, _cursor=first.headers["X-Next-Cursor"]).body == rest


numbers = st.integers(-(2**63) + 1, 2**63 - 1)
storable = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(keys=st.tuples(numbers, numbers, storable))
def test_cursors_carry_any_keys(keys: tuple[int, int, str]) -> None:
    page = page_of({"_cursor": cursor_after(keys, ARTIFACTS)}, ARTIFACTS)
    assert page is not None
    assert page.after == keys


@given(cursor=st.text(min_size=1) | st.binary(min_size=1).map(lambda raw: base64.b64encode(raw).decode()))
def test_any_other_text_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="Invalid cursor"):
        page_of({"_cursor": cursor}, RUNS)
