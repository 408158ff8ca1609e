"""What fsck finds, and what it does about it."""

from __future__ import annotations

import os
import pickle
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cas_store import ArchivedObject, ContentStore, Digest, LocalBackend, MemoryBackend, ObjectStore

MIB = 1024 * 1024
NOISE = random.Random(0).randbytes(5 * MIB)


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ContentStore:
    return ContentStore(LocalBackend(tmp_path) if request.param == "local" else MemoryBackend())


def flip(store: ContentStore, digest: Digest) -> None:
    data = bytearray(store.backend.read(store.location(digest)))
    data[len(data) // 2] ^= 1
    store.backend.replace(store.location(digest), data)


def test_a_sound_store_has_nothing_to_report(store: ContentStore) -> None:
    store.put_many([b"", b"small", b"text " * 1000])
    store.view(store.put_buffer(NOISE))
    store.view(store.put(NOISE, plain=True))
    store.put(NOISE)
    report = store.fsck()
    assert report.ok
    assert (report.leftovers, report.unknown) == ((), ())
    assert report.objects == len(list(store))
    assert report.size_bytes == store.usage().stored_bytes


def test_every_damaged_object_is_found_and_quarantine_makes_room_to_store_it_again(store: ContentStore) -> None:
    contents = [b"small", b"text " * 1000]
    digests = [store.put(content) for content in contents]
    plain, large = store.put(b"plain", plain=True), store.put(NOISE)
    for digest in (*digests, plain, large):
        flip(store, digest)
    report = store.fsck()
    assert not report.ok
    assert set(report.damaged) == {*digests, plain, large}
    moved = store.fsck(quarantine=True)
    assert set(moved.quarantined) == set(report.damaged)
    assert store.backend.exists(moved.quarantined[plain])
    assert store.fsck().ok
    assert [store.put(content) for content in contents] == digests
    assert store.get(store.put(NOISE)) == NOISE


def test_a_missing_piece_is_reported_with_a_list_that_needs_it(store: ContentStore) -> None:
    whole = store.put(NOISE)
    piece = next(digest for digest in store if not digest.is_list)
    store.delete(piece)
    report = store.fsck()
    assert report.missing == {piece: whole}
    assert not report.damaged
    store.put(NOISE)
    assert store.fsck().ok


def test_a_list_that_gives_a_piece_another_length_is_damaged(store: ContentStore) -> None:
    piece = store.put(b"abc")
    liar = store.writer.list("sha256-cdc", [(piece, 3), (piece, 4)], 0)
    assert list(store.fsck(quarantine=True).damaged) == [liar]
    assert liar not in store
    assert store.fsck().ok


def test_an_object_that_cannot_be_read_is_not_called_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ContentStore(MemoryBackend())
    digest = store.put(b"x")

    def archived(name: str, *_: Any) -> bytes:
        raise ArchivedObject(name, "GLACIER")

    read_range = store.backend.read_range
    whole = store.writer.list("sha256-cdc", [(digest, 1)], 0)
    monkeypatch.setattr(
        store.backend, "read_range", lambda name, *span: (archived if digest.hex in name else read_range)(name, *span)
    )
    report = store.fsck(quarantine=True)
    assert not report.ok
    assert (report.damaged, report.missing) == ({}, {})
    assert "restore" in report.unreadable[digest]
    assert whole in store


def test_what_interrupted_writers_left_is_removed_once_it_is_old(tmp_path: Path) -> None:
    store = ContentStore(LocalBackend(tmp_path))
    store.put(b"x")
    (tmp_path / ".tmp").mkdir(exist_ok=True)
    for name, age in (("young", timedelta(0)), ("old", timedelta(days=2))):
        path = tmp_path / ".tmp" / name
        path.write_bytes(b"half")
        os.utime(path, (path.stat().st_mtime - age.total_seconds(),) * 2)
    assert set(store.fsck().leftovers) == {".tmp/young", ".tmp/old"}
    report = store.fsck(remove_leftovers=timedelta(days=1))
    assert report.ok
    assert report.removed == (".tmp/old",)
    assert store.fsck().leftovers == (".tmp/young",)


def test_what_is_remembered_of_an_object_that_is_gone_is_a_leftover(tmp_path: Path) -> None:
    store = ContentStore(LocalBackend(tmp_path))
    digest = store.put_buffer(NOISE)
    store.view(digest)
    store.backend.delete(store.location(digest))
    assert store.fsck(remove_leftovers=timedelta(0)).removed == (
        f"verified/v1/sha256-pages/{digest.hex[:2]}/{digest.hex}",
    )
    assert store.fsck().leftovers == ()


def test_names_that_are_not_of_this_library_are_told_and_left_alone(store: ContentStore) -> None:
    store.backend.create("notes.txt", b"mine")
    store.backend.create("v1/sha256/xx/nonsense", b"")
    report = store.fsck(quarantine=True, remove_leftovers=timedelta(0))
    assert report.unknown == ("notes.txt", "v1/sha256/xx/nonsense")
    assert report.ok
    assert store.backend.read("notes.txt") == b"mine"


class _Bomb:
    def __reduce__(self) -> Any:
        return pytest.fail, ("something was unpickled",)


def test_nothing_is_unpickled_by_care(store: ContentStore) -> None:
    reference = ObjectStore(store).save([_Bomb(), "x" * 1000])
    store.put(pickle.dumps(_Bomb()))
    assert store.fsck().ok
    store.usage()
    store.collect_garbage([reference], grace=timedelta(0))
    assert set(reference.digests()) == set(store)


def test_progress_is_told(store: ContentStore) -> None:
    store.put_many([b"a", b"b"])
    told: list[Any] = []
    store.fsck(progress=told.append)
    store.usage(progress=told.append)
    assert [(step.stage, step.objects, step.size_bytes) for step in told] == [("checking", 2, 2), ("counting", 2, 2)]
