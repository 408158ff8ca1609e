"""What counting a store and copying between stores promise."""

from __future__ import annotations

import random
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
    copy,
    sync,
)
from hypothesis import given
from hypothesis import strategies as st

MIB = 1024 * 1024
NOISE = random.Random(0).randbytes(5 * MIB)


def memory() -> ContentStore:
    return ContentStore(MemoryBackend())


def everything(store: ContentStore) -> dict[str, bytes]:
    return {name: store.backend.read(name) for name in store.backend.names("v1/")}


def filled() -> tuple[ContentStore, list[Digest]]:
    """A store with an object of every kind."""
    store = memory()
    digests = store.put_many([b"", b"small", b"text " * 1000])
    return store, [*digests, store.put(NOISE), store.put_buffer(NOISE), store.put(NOISE, plain=True)]


# --- usage


def test_an_empty_store_uses_nothing() -> None:
    usage = memory().usage()
    assert (usage.objects, usage.logical_bytes, usage.stored_bytes, usage.ratio) == (0, 0, 0, 1.0)


@given(st.lists(st.binary() | st.binary(max_size=3).map(lambda some: some * 500)))
def test_logical_bytes_are_those_of_different_objects(contents: list[bytes]) -> None:
    store = memory()
    store.put_many(contents)
    usage = store.usage()
    assert usage.objects == len(set(contents))
    assert usage.logical_bytes == sum(map(len, set(contents)))
    assert usage.stored_bytes == sum(map(len, everything(store).values()))


def test_shared_pieces_and_compression_show_in_the_ratio() -> None:
    store = memory()
    store.put(NOISE)
    store.put(NOISE + b"more")
    usage = store.usage()
    assert usage.objects == 2
    assert usage.logical_bytes == 2 * len(NOISE) + 4
    assert 1.4 < usage.ratio < 2
    store.put(b"text " * MIB)
    assert store.usage().ratio > 2


# --- copying


def test_a_copy_is_stored_as_the_original_is() -> None:
    source, digests = filled()
    target = memory()
    report = copy(source, target, digests)
    assert everything(target) == everything(source)
    assert (report.copied, report.present) == (len(everything(source)), 0)
    assert report.copied_bytes == source.usage().stored_bytes


def test_copying_again_moves_nothing() -> None:
    source, digests = filled()
    target = memory()
    copy(source, target, digests)
    report = copy(source, target, digests)
    assert (report.copied, report.present) == (0, len(digests))


def test_what_the_target_lost_is_copied_again() -> None:
    source, digests = filled()
    target = memory()
    copy(source, target, digests)
    for name in list(target.backend.names("v1/")):
        target.backend.delete(name)
    copy(source, target, digests)
    assert everything(target) == everything(source)


def test_only_missing_pieces_are_moved() -> None:
    source, target = memory(), memory()
    target.put(NOISE)
    digest = source.put(NOISE + b"more")
    report = copy(source, target, [digest])
    assert report.copied == 2  # the last piece and the list
    assert target.get(digest) == NOISE + b"more"


def test_references_are_copied_with_all_that_they_need() -> None:
    source, target = memory(), memory()
    value = {"text": "t" * 1000, "bytes": bytearray(50_000)}
    reference = ObjectStore(source).save(value)
    copy(source, target, [reference])
    assert ObjectStore(target).load(reference) == value


def test_what_is_damaged_or_missing_is_not_copied() -> None:
    source, target = memory(), memory()
    digest = source.put(b"content")
    source.backend.replace(source.location(digest), b"damaged")
    with pytest.raises(DamagedObject, match=str(digest)):
        copy(source, target, [digest])
    source.delete(digest)
    with pytest.raises(MissingObject, match=str(digest)):
        copy(source, target, [digest])
    assert everything(target) == {}


def test_a_copy_that_was_interrupted_is_sound_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = memory(), memory()
    digest = source.put(NOISE)
    writes = iter(range(100))
    create = target.backend.create

    def failing(name: str, data: Any) -> bool:
        if next(writes) == 2:
            raise KeyboardInterrupt
        return create(name, data)

    monkeypatch.setattr(target.backend, "create", failing)
    with pytest.raises(KeyboardInterrupt):
        copy(source, target, [digest])
    assert digest not in target
    assert target.fsck().ok
    assert copy(source, target, [digest]).present == 2
    assert target.get(digest) == NOISE


def test_sync_brings_all_that_is_missing_and_deletes_nothing(tmp_path: Path) -> None:
    source, digests = filled()
    target = ContentStore(LocalBackend(tmp_path))
    extra = target.put(b"only here")
    sync(source, target)
    assert everything(source).items() <= everything(target).items()
    assert extra in target
    assert sync(source, target).copied == 0
    for digest in digests:
        assert target.get(digest) == source.get(digest)
