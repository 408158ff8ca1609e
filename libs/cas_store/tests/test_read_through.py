"""A store that reads through to others: what it lacks comes when it is first read, whole and verified, and stays."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cas_store import (
    ContentStore,
    DamagedObject,
    Digest,
    LocalBackend,
    MemoryBackend,
    MissingObject,
    ObjectStore,
    ReadThroughStore,
)
from cas_store.digests import location

SMALL = b"small" * 100
LARGE = random.Random(1).randbytes(2_500_000)

READING: dict[str, Callable[[ContentStore, Digest], Any]] = {
    "get": lambda store, digest: store.get(digest),
    "get_many": lambda store, digest: next(store.get_many([digest])),
    "view": lambda store, digest: bytes(store.view(digest)),
    "load": lambda store, digest: bytes(store.load(digest)),
    "open": lambda store, digest: store.open(digest).read(),
    "parts": lambda store, digest: b"".join(store.parts(digest)),
    "get_range": lambda store, digest: store.get_range(digest, 10, 100),
    "stat": lambda store, digest: store.stat(digest).size_bytes,
}


@pytest.fixture
def far(tmp_path: Path) -> ContentStore:
    return ContentStore(LocalBackend(tmp_path / "far", fsync="never"))


@pytest.fixture
def near(tmp_path: Path, far: ContentStore) -> ReadThroughStore:
    return ReadThroughStore(
        LocalBackend(tmp_path / "near", fsync="never"), lambda: [ContentStore(MemoryBackend()), far]
    )


def kinds(store: ContentStore) -> list[Digest]:
    """A piece, a list cut by content, one of pages, and a plain file."""
    return [store.put(SMALL), store.put(LARGE), store.put_buffer(LARGE), store.put(LARGE, plain=True)]


@pytest.mark.parametrize("how", READING)
def test_whatever_reads_gets_what_a_source_has(near: ReadThroughStore, far: ContentStore, how: str) -> None:
    read = READING[how]
    for digest in kinds(far):
        assert digest not in near
        assert read(near, digest) == read(far, digest)
        assert digest in near
    assert near.fsck().ok


def test_what_came_once_needs_no_source(near: ReadThroughStore, far: ContentStore) -> None:
    digests = kinds(far)
    first = near.fetch(digests)
    assert (first.copied, first.present) == (sum(1 for _ in far), 0)
    again = near.fetch(digests)
    assert (again.copied, again.present) == (0, len(digests))

    def nobody() -> list[ContentStore]:
        raise AssertionError("a source was asked for what is here")

    alone = ReadThroughStore(near.backend, nobody)
    assert [alone.get(digest) for digest in digests] == [SMALL, LARGE, LARGE, LARGE]


def test_what_is_written_stays_here(near: ReadThroughStore, far: ContentStore) -> None:
    digest = near.put(SMALL)
    assert digest in near
    assert digest not in far


def test_what_no_source_has_is_missing_and_says_where_it_was_looked_for(
    near: ReadThroughStore, far: ContentStore
) -> None:
    here, there = near.put(b"here"), far.put(b"there")
    nowhere = ContentStore(MemoryBackend()).put(b"nowhere")
    with pytest.raises(MissingObject, match=r"MemoryBackend.*far.*from where it was to come"):
        near.get(nowhere)
    assert list(near.lacking([here, there, nowhere])) == [nowhere]
    assert there not in near
    with pytest.raises(MissingObject):
        near.fetch([nowhere, there])
    assert there in near


def test_damage_at_a_source_is_named_and_does_not_come(near: ReadThroughStore, far: ContentStore) -> None:
    digest = far.put(SMALL)
    far.backend.replace(location(digest), b"\0something else")
    with pytest.raises(DamagedObject, match="far"):
        near.get(digest)
    assert digest not in near


def test_a_missing_piece_of_what_is_here_is_damage(near: ReadThroughStore, far: ContentStore) -> None:
    digest = near.put(LARGE)
    far.put(LARGE)
    near.delete(next(piece for piece in near if not piece.is_list))
    with pytest.raises(MissingObject, match="a part of"):
        near.get(digest)


def test_values_come_with_their_buffers(near: ReadThroughStore, far: ContentStore) -> None:
    value = {"a": bytearray(LARGE), "b": ["text"] * 100}
    reference = ObjectStore(far).save(value)
    assert ObjectStore(near).load(reference) == value
    assert all(digest in near for digest in reference.digests())


def test_a_store_where_something_has_not_come_yet_is_whole_and_is_swept(
    near: ReadThroughStore, far: ContentStore
) -> None:
    wanted, other = far.put(LARGE), near.put(b"not needed")
    assert near.fsck().ok
    assert near.collect_garbage([far.put(SMALL)], grace=timedelta(0)).deleted == 1
    assert other not in near
    assert near.get(wanted) == LARGE
