"""Small pieces that come many at a time share one file, and nobody above the local backend can tell."""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cas_store import (
    AccessDenied,
    BackendUnavailable,
    BadName,
    ContentStore,
    DamagedObject,
    Digest,
    LocalBackend,
    MemoryBackend,
    MissingObject,
    StoreFull,
    SweepRefused,
    UnsupportedFormat,
    copy,
    small_objects,
    sync,
)
from cas_store.files import FileBackend
from cas_store.small_objects import FEWEST, NAME, SMALL_BYTES

CONTENTS = [b"%d " % number * (number % 50 + 1) for number in range(2 * FEWEST)]
"""Some raw, some compressed."""


@pytest.fixture
def store(tmp_path: Path) -> ContentStore:
    return ContentStore(LocalBackend(tmp_path))


def files(store: ContentStore) -> list[Digest]:
    """What has a file of its own."""
    return [digest for digest in store if Path(store.backend.root, store.location(digest)).exists()]  # type: ignore[attr-defined]


def rows(root: Path) -> int:
    with sqlite3.connect(root / NAME) as connection:
        [(count,)] = connection.execute("select count(*) from piece")
    connection.close()
    return int(count)


# --- which pieces, and where


def test_many_small_pieces_make_one_file(store: ContentStore, tmp_path: Path) -> None:
    digests = store.put_many(CONTENTS)
    assert files(store) == []
    assert rows(tmp_path) == len(set(digests)) == len(CONTENTS)
    assert [path.name for path in (tmp_path / "v2").iterdir()] == [Path(NAME).name]
    assert list(store.get_many(digests)) == CONTENTS


def test_few_and_single_and_longer_pieces_are_files(store: ContentStore, tmp_path: Path) -> None:
    few = store.put_many(CONTENTS[: FEWEST - 1])
    longer = store.put_many([bytes([number]) * (SMALL_BYTES + 1) for number in range(FEWEST)])
    single = store.put(b"single")
    assert set(files(store)) == {*few, *longer, single}
    assert not (tmp_path / NAME).exists()
    store.put_many(CONTENTS[1 : FEWEST + 1])  # of which two are new
    assert not (tmp_path / NAME).exists()


def test_small_ones_between_longer_ones_keep_their_place(store: ContentStore) -> None:
    contents = [*CONTENTS, os.urandom(400_000), *CONTENTS[:3], b"", os.urandom(40_000), b"x"]
    assert list(store.get_many(store.put_many(iter(contents)))) == contents


def test_digests_are_those_of_single_puts(store: ContentStore) -> None:
    assert store.put_many(CONTENTS * 2) == [ContentStore(MemoryBackend()).put(content) for content in CONTENTS] * 2


@pytest.mark.parametrize("way", ["linked", "renamed"])
def test_where_the_file_system_may_not_lock_each_is_a_file(tmp_path: Path, way: Any) -> None:
    store = ContentStore(LocalBackend(tmp_path, way=way))
    assert set(store.put_many(CONTENTS)) == set(files(store))
    assert not (tmp_path / NAME).exists()


def test_names_of_that_file_are_none_of_the_backends(store: ContentStore) -> None:
    store.put_many(CONTENTS)
    for name in (NAME, NAME + "-journal", NAME + "/x"):
        for act in (store.backend.read, store.backend.stat, store.backend.delete, store.backend.open_file):
            with pytest.raises(BadName):
                act(name)
    assert list(store.backend.names("v2/")) == []
    assert list(store.backend.leftovers()) == []


# --- as any other object


def test_every_way_of_asking_finds_them(store: ContentStore) -> None:
    random_ones = [random.Random(number).randbytes(3000) for number in range(FEWEST)]
    for digest, content in zip(store.put_many(random_ones), random_ones, strict=True):
        name = store.location(digest)
        assert digest in store
        assert store.stat(digest).size_bytes == store.backend.stat(name).size_bytes == 3000
        assert store.get_range(digest, 100, 50) == store.backend.read_range(name, 100, 50) == content[100:150]
        assert store.backend.read_range(name, 2990, 50) == content[2990:]
        assert store.backend.read_range(name, 5000, 5) == b""
        assert store.open(digest).read() == bytes(store.load(digest)) == store.backend.read(name) == content
        assert store.backend.open_file(name) is None
    assert store.fsck().ok
    assert store.usage().stored_bytes == 3000 * FEWEST


def test_listings_are_sorted_whatever_lies_where(store: ContentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_objects, "_LISTED", 7)
    digests = store.put_many(CONTENTS)
    digests += [store.put(b"file %d" % number) for number in range(30)]
    digests += [store.put(b"plain", plain=True), store.put_buffer(bytes(5_000_000))]
    names = list(store.backend.names())
    assert names == sorted(set(names))
    assert set(digests) <= set(store)
    assert [name for name, _ in store.backend.stats()] == names
    for prefix in (
        "v1/sha256/",
        "v1/sha256/7",
        "v1/sha256/7a",
        "v1/sha256/7a/",
        names[-1][:40],
        names[-1],
        "v1/sha256/x",
    ):
        assert list(store.backend.names(prefix)) == [name for name in names if name.startswith(prefix)], prefix


def test_a_listing_may_delete_what_it_gives(store: ContentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_objects, "_LISTED", 7)
    store.put_many(CONTENTS)
    for digest in store:
        store.delete(digest)
    assert list(store) == []


def test_what_is_deleted_makes_room(store: ContentStore, tmp_path: Path) -> None:
    digests = store.put_many([random.Random(number).randbytes(10_000) for number in range(500)])
    before = (tmp_path / NAME).stat().st_size
    store.collect_garbage(digests[::50], grace=timedelta(0))
    assert set(store) == set(digests[::50])
    assert (tmp_path / NAME).stat().st_size < before / 10
    with pytest.raises(MissingObject, match=str(digests[1])):
        store.get(digests[1])


def test_copies_take_them_along(store: ContentStore, tmp_path: Path) -> None:
    digests = store.put_many(CONTENTS)
    other, third = ContentStore(MemoryBackend()), ContentStore(LocalBackend(tmp_path / "third"))
    assert copy(store, other, digests[:5]).copied == 5
    assert sync(store, other).copied == len(CONTENTS) - 5
    assert sync(other, store).copied == 0
    assert sync(store, third).copied == len(CONTENTS)
    assert list(third.get_many(digests)) == CONTENTS


# --- in both places


def test_who_comes_second_finds_what_the_first_one_stored(store: ContentStore, tmp_path: Path) -> None:
    single = store.put(CONTENTS[0])
    assert rows_after(store, tmp_path, CONTENTS) == len(CONTENTS) - 1
    assert store.put(CONTENTS[1]) in store
    assert files(store) == [single]
    assert rows_after(store, tmp_path, CONTENTS) == len(CONTENTS) - 1


def rows_after(store: ContentStore, root: Path, contents: list[bytes]) -> int:
    store.put_many(contents)
    return rows(root)


@pytest.fixture
def twice(store: ContentStore) -> Digest:
    """A digest with a row and a file, as two writers leave it that did not see each other; the row is an hour older."""
    digest = store.put_many(CONTENTS)[7]
    root = store.backend.root  # type: ignore[attr-defined]
    assert FileBackend(root).create(store.location(digest), CONTENTS[7])
    connection = sqlite3.connect(Path(root, NAME))
    connection.execute("update piece set modified = modified - 3600000000000")
    connection.commit()
    connection.close()
    return digest


def test_what_is_in_both_places_is_one_object(store: ContentStore, twice: Digest) -> None:
    assert sorted(store) == sorted(set(store))
    assert len(list(store)) == len(CONTENTS)
    assert store.get(twice) == CONTENTS[7]
    store.delete(twice)
    assert twice not in store
    with pytest.raises(MissingObject):
        store.get(twice)


def test_the_later_time_counts(store: ContentStore, twice: Digest) -> None:
    name = store.location(twice)
    path = store.backend.path(name)  # type: ignore[attr-defined]
    late = store.backend.stat(name).modified
    assert dict(store.backend.stats())[name].modified == late
    os.utime(path, (late.timestamp() - 10_000,) * 2)
    assert late - timedelta(minutes=61) < store.backend.stat(name).modified < late - timedelta(minutes=59)
    assert dict(store.backend.stats())[name] == store.backend.stat(name)


def test_writing_anew_makes_it_young_wherever_it_is(store: ContentStore, twice: Digest, tmp_path: Path) -> None:
    for digest in [twice, *list(store)[:3]]:
        name = store.location(digest)
        before = store.backend.stat(name).modified
        store.backend.replace(name, data := store.backend.read(name))
        assert before <= store.backend.stat(name).modified
        assert abs(
            store.backend.stat(name).modified - dict(store.backend.stats())[store.location(twice)].modified
        ) < timedelta(minutes=1)
        assert store.backend.read(name) == data
    assert files(store) == [twice]


# --- several at once


def test_racing_batches_store_each_once(tmp_path: Path) -> None:
    stores = [ContentStore(LocalBackend(tmp_path)) for _ in range(4)]
    start, found = threading.Barrier(len(stores)), []

    def write(store: ContentStore) -> None:
        start.wait()
        found.append(store.put_many(CONTENTS))
        found.append([store.put(content) for content in CONTENTS])

    threads = [threading.Thread(target=write, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert all(digests == found[0] for digests in found)
    assert rows(tmp_path) == len(CONTENTS)
    assert list(stores[0].get_many(found[0])) == CONTENTS


def test_a_store_that_was_used_before_a_fork_is_used_on_both_sides(store: ContentStore) -> None:
    digests = store.put_many(CONTENTS)
    assert store.get(digests[0]) == CONTENTS[0]
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            assert list(store.get_many(digests)) == CONTENTS

    reader = threading.Thread(target=read)
    reader.start()
    children = []
    for number in range(5):
        child = os.fork()
        if child == 0:
            try:
                own = store.put_many([b"child %d, %d" % (number, at) for at in range(FEWEST)])
                os._exit(int(list(store.get_many(digests)) != CONTENTS or own[0] not in store))
            finally:
                os._exit(2)
        children.append(child)
        store.put_many([b"parent %d, %d" % (number, at) for at in range(FEWEST)])
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 5
    stop.set()
    reader.join()
    assert len(list(store)) == len(CONTENTS) + 10 * FEWEST
    assert store.fsck().ok


def test_a_file_that_was_moved_or_removed_is_noticed(store: ContentStore, tmp_path: Path) -> None:
    digests = store.put_many(CONTENTS)
    (tmp_path / NAME).unlink()
    assert digests[0] not in store
    assert store.put_many(CONTENTS) == digests
    assert list(ContentStore(LocalBackend(tmp_path)).get_many(digests)) == CONTENTS


def test_who_waits_too_long_for_others_is_told(
    store: ContentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_objects, "_BUSY_SECONDS", 0.05)
    store.put_many(CONTENTS)
    store = ContentStore(LocalBackend(tmp_path))
    other = sqlite3.connect(tmp_path / NAME, isolation_level=None)
    other.execute("begin exclusive")
    for act in (lambda: store.put_many([content + b"!" for content in CONTENTS]), lambda: list(store)):
        with pytest.raises(BackendUnavailable) as caught:
            act()
        assert caught.value.retryable
        assert isinstance(caught.value.__cause__, sqlite3.Error)
    other.close()
    assert len(list(store)) == len(CONTENTS)


# --- permissions, policies


@pytest.mark.parametrize("mask", [0o077, 0o000])
def test_permission_bits_are_what_was_asked_for(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        ContentStore(LocalBackend(tmp_path / "root", mode=0o660)).put_many(CONTENTS)
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((tmp_path / "root" / name).stat().st_mode) for name in (NAME, "v2", "")}
    assert modes == {NAME: 0o660, "v2": 0o770, "": 0o770}


def test_each_policy_says_what_sqlite_waits_for(tmp_path: Path) -> None:
    def level(fsync: Any) -> int:
        backend = LocalBackend(tmp_path / fsync, fsync=fsync)
        ContentStore(backend).put_many(CONTENTS)
        [(level,)] = backend._small._connection.execute("pragma synchronous")  # type: ignore[union-attr]
        return int(level)

    assert {fsync: level(fsync) for fsync in ("never", "batch", "always")} == {"never": 1, "batch": 2, "always": 3}


READ_AS_NOBODY = """if True:
    import os, sys
    from cas_store import *
    from cas_store.errors import AccessDenied

    store = ContentStore(LocalBackend(sys.argv[1]))
    before = list(store.get_many(store))
    store.fsck(), store.warm_up()  # whatever has to be imported, now: another user may not reach it
    if os.getuid() == 0:
        os.setgid(65534), os.setuid(65534)
    store = ContentStore(LocalBackend(sys.argv[1]))
    digests = list(store)
    assert len(digests) > 10 and list(store.get_many(digests)) == before and store.fsck().ok
    assert store.put_many(before) and store.put(before[0]) in digests
    for forbidden in (lambda: store.put_many([one + b"!" for one in before]), lambda: store.delete(digests[0])):
        try:
            forbidden()
        except AccessDenied as error:
            assert error.__cause__ is not None and not error.retryable
        else:
            raise AssertionError("it was permitted")
"""


def test_a_store_that_cannot_be_written_is_read_and_says_so() -> None:
    # what tmp_path and TMPDIR name may be closed to other users
    with tempfile.TemporaryDirectory(dir="/tmp") as directory, tempfile.TemporaryDirectory(dir="/tmp") as scratch:
        Path(scratch).chmod(0o777)
        ContentStore(LocalBackend(root := Path(directory, "root"))).put_many(CONTENTS)
        paths = [Path(directory), root, *root.rglob("*")]
        for path in paths:
            path.chmod(0o555 if path.is_dir() else 0o444)
        subprocess.run(
            [sys.executable, "-c", READ_AS_NOBODY, str(root)], check=True, env={**os.environ, "TMPDIR": scratch}
        )
        for path in paths:
            path.chmod(0o755)


# --- errors


@pytest.mark.parametrize(
    ("said", "raised"),
    [
        ("database or disk is full", StoreFull),
        ("attempt to write a readonly database", AccessDenied),
        ("database is locked", BackendUnavailable),
        ("database disk image is malformed", DamagedObject),
    ],
)
def test_errors_of_sqlite_do_not_leak(said: str, raised: type[Exception]) -> None:
    assert isinstance(small_objects._ours(sqlite3.DatabaseError(said)), raised)


def test_a_full_file_loses_nothing(store: ContentStore, tmp_path: Path) -> None:
    digests = store.put_many(CONTENTS)
    connection = store.backend._small._connection  # type: ignore[attr-defined]
    [(pages,)] = connection.execute("pragma page_count")
    connection.execute(f"pragma max_page_count = {pages + 3}")
    more = [random.Random(number).randbytes(5000) for number in range(FEWEST)]
    with pytest.raises(StoreFull) as caught:
        store.put_many(more)
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    assert set(store) == set(digests)
    assert list(store.get_many(store.put_many(more))) == more  # another connection: there is room


def test_a_file_of_a_later_release_is_not_touched(store: ContentStore, tmp_path: Path) -> None:
    single, *digests = store.put(b"single"), *store.put_many(CONTENTS)
    connection = sqlite3.connect(tmp_path / NAME)
    connection.execute("pragma user_version = 2")
    connection.close()
    store = ContentStore(LocalBackend(tmp_path))
    for act in (lambda: store.get(digests[0]), lambda: store.put_many([b"%d" % at for at in range(FEWEST)])):
        with pytest.raises(UnsupportedFormat, match="upgrade"):
            act()
    with pytest.raises((UnsupportedFormat, SweepRefused)):
        store.collect_garbage([], grace=timedelta(0))
    assert NAME in store.fsck().broken
    assert store.get(single) == b"single"


def test_fsck_names_a_damaged_file_and_quarantine_rescues_what_is_sound(store: ContentStore, tmp_path: Path) -> None:
    contents = [random.Random(number).randbytes(2000) for number in range(300)]
    single, digests = store.put(b"single"), store.put_many(contents)
    path = tmp_path / NAME
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 8192] = os.urandom(8192)
    path.write_bytes(data)
    report = store.fsck()
    assert not report.ok
    assert NAME in report.broken
    moved = store.fsck(quarantine=True)
    assert NAME in moved.broken
    assert (tmp_path / "quarantine" / NAME).exists()
    assert store.fsck().ok
    left = set(store) - {single}
    assert len(left) > len(contents) * 0.9
    assert left < set(digests)
    assert store.put_many(contents) == digests
    assert list(store.get_many(digests)) == contents
