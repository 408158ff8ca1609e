"""Tags of a run: added and removed at once, by many at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from metadata_service.errors import SystemTagRemoval
from metadata_service.tags import mutated
from support import Api

SYSTEM = ["runtime:dev", "user:ann"]
tags = st.lists(st.sampled_from(["a", "b", "c", "d", "s"]), max_size=6)


@given(tags=tags, add=tags, remove=tags)
def test_what_a_mutation_does(tags: list[str], add: list[str], remove: list[str]) -> None:
    if "s" in remove:
        with pytest.raises(SystemTagRemoval):
            mutated(tags, ["s"], add, remove)
        return
    after = mutated(tags, ["s"], add, remove)
    assert len(after) == len(set(after))
    assert set(after) == (set(tags) - set(remove)) | (set(add) - {"s"})
    assert set(mutated(after, ["s"], add, remove)) == set(after)


@pytest.fixture
def tagged(api: Api, flow: str) -> str:
    number = api.made(f"{flow}/run", {"tags": ["a", "b"], "system_tags": SYSTEM})["run_number"]
    return f"{flow}/runs/{number}"


@pytest.mark.parametrize(
    ("body", "after"),
    [
        ({"tags_to_add": ["c"]}, {"a", "b", "c"}),
        ({"tags_to_remove": ["a"]}, {"b"}),
        ({"tags_to_add": ["c"], "tags_to_remove": ["a", "nothing"]}, {"b", "c"}),
        ({"tags_to_add": ["a"], "tags_to_remove": ["a"]}, {"a", "b"}),
        ({"tags_to_add": ["user:ann"]}, {"a", "b"}),
        ({"tags_to_add": ["c", "c", ""]}, {"a", "b", "c", ""}),
        ({}, {"a", "b"}),
        ({"tags_to_add": [f"tag{i}" for i in range(10_000)]}, {"a", "b", *(f"tag{i}" for i in range(10_000))}),
        ({"tags_to_add": ["x" * 5000, "'; DROP TABLE runs; --"]}, {"a", "b", "x" * 5000, "'; DROP TABLE runs; --"}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_mutations(api: Api, tagged: str, body: Any, after: set[str]) -> None:
    answer = api.patch(f"{tagged}/tag/mutate", body)
    assert answer.status == 200
    assert list(answer.body) == ["tags"]
    assert sorted(answer.body["tags"]) == sorted(after)
    assert set(api.get(tagged).body["tags"]) == after
    assert api.get(tagged).body["system_tags"] == SYSTEM


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"tags_to_add": "c"}, 400, "tags_to_add must be a list"),
        ({"tags_to_add": None}, 400, "tags_to_add must be a list"),
        ({"tags_to_remove": {}}, 400, "tags_to_remove must be a list"),
        ({"tags_to_remove": [1]}, 400, "All tag values must be strings"),
        ({"tags_to_remove": ["user:ann"]}, 422, "Cannot remove tags that are existing system tags {'user:ann'}"),
        ({"tags_to_remove": ["user:ann"], "tags_to_add": ["c"]}, 422, "Cannot remove"),
    ],
)
def test_refusals_change_nothing(api: Api, tagged: str, body: Any, status: int, message: str) -> None:
    answer = api.patch(f"{tagged}/tag/mutate", body)
    assert answer.status == status
    assert answer.body.startswith(message)
    assert api.get(tagged).body["tags"] == ["a", "b"]


def test_a_run_without_tags_can_get_some(api: Api, run: str) -> None:
    assert api.get(run).body["tags"] is None
    assert api.patch(f"{run}/tag/mutate", {"tags_to_add": ["a"]}).body == {"tags": ["a"]}


def test_a_missing_run_is_not_found(api: Api, flow: str) -> None:
    answer = api.patch(f"{flow}/runs/999999999/tag/mutate", {"tags_to_add": ["a"]})
    assert (answer.status, answer.body) == (404, {})


def test_of_many_mutations_at_once_none_is_lost(app: Flask, api: Api, tagged: str) -> None:
    def mutate(number: int) -> int:
        body = {"tags_to_add": [f"new{number}"], "tags_to_remove": [f"new{number - 1}"] if number % 2 else []}
        return Api(app.test_client()).patch(f"{tagged}/tag/mutate", body).status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(mutate, range(0, 40, 2))) == {200}
        assert set(api.get(tagged).body["tags"]) == {"a", "b", *(f"new{i}" for i in range(0, 40, 2))}
        assert set(pool.map(mutate, range(1, 40, 2))) == {200}
    assert set(api.get(tagged).body["tags"]) == {"a", "b", *(f"new{i}" for i in range(1, 40, 2))}
