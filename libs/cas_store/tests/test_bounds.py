"""Bad input: nothing is allocated before it is bounded, nothing leaves its place, everything has one clear error."""

from __future__ import annotations

import hashlib
import itertools
import struct
import tracemalloc
from pathlib import Path

import cas_store
import pytest
from cas_store import (
    BadDigest,
    BadName,
    ContentStore,
    DamagedObject,
    Digest,
    LocalBackend,
    MemoryBackend,
    SweepRefused,
    UnsupportedFormat,
)
from cas_store.backend import check_name
from cas_store.digests import digest_at, location
from cas_store.records import RECORD_BYTES, pack, unpack
from cas_store.spilling import Spill, ascending
from hypothesis import given
from hypothesis import strategies as st
from independent_reader import zstd

MIB = 1024 * 1024


def planted(stored: bytes, content: bytes = b"x") -> tuple[ContentStore, Digest]:
    """A store in which a hostile writer put a file under the digest of some content."""
    store = ContentStore(MemoryBackend())
    digest = Digest("sha256", hashlib.sha256(content).hexdigest())
    store.backend.create(store.location(digest), stored)
    return store, digest


BOMB = zstd.compress(bytes(300 * MIB), 1)
HOSTILE = {
    "a frame of 300 MiB of zeros": BOMB,
    "a frame that declares 2**60 bytes": b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 60) + b"\x01\x00\x00",
    "a frame that declares no size": b"\x28\xb5\x2f\xfd\x00\x58\x01\x00\x00",
    "a frame that holds more than it declares": b"\x28\xb5\x2f\xfd\x20\x01" + BOMB[9:],
    "two frames": zstd.compress(b"x", 1) * 2,
    "a frame with something behind it": zstd.compress(b"x", 1) + b"y",
    "a frame that was cut off": zstd.compress(b"x" * 1000, 1)[:-3],
    "the start of a frame only": b"\x28\xb5\x2f\xfd",
    "more raw bytes than a piece can have": bytes(17 * MIB),
    "nothing": b"",
}


@pytest.mark.parametrize("stored", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_is_called_damaged_before_it_costs_memory(stored: bytes) -> None:
    store, digest = planted(stored)
    tracemalloc.start()
    for read in (store.get, store.view, lambda d: store.open(d).read(), lambda d: list(store.parts(d))):
        with pytest.raises(DamagedObject, match=str(digest)):
            read(digest)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 40 * MIB
    assert list(store.fsck().damaged) == [digest]


HEAD = struct.Struct("<4sBBHIQ")
ENTRY = struct.pack("<I", 1) + hashlib.sha256(b"x").digest()
BAD_LISTS = {
    "no magic": b"",
    "fewer entries than it says": HEAD.pack(b"CASL", 1, 1, 0, 1 << 24, 1) + ENTRY,
    "no entries": HEAD.pack(b"CASL", 1, 1, 0, 0, 0),
    "another total": HEAD.pack(b"CASL", 1, 1, 0, 1, 1 << 60) + ENTRY,
    "a piece of length 0": HEAD.pack(b"CASL", 1, 1, 0, 1, 0) + struct.pack("<I", 0) + ENTRY[4:],
    "a piece of 4 GiB": HEAD.pack(b"CASL", 1, 1, 0, 1, (1 << 32) - 1) + struct.pack("<I", (1 << 32) - 1) + ENTRY[4:],
    "the other kind": HEAD.pack(b"CASL", 1, 2, 0, 1, 1) + ENTRY,
}


@pytest.mark.parametrize("data", BAD_LISTS.values(), ids=BAD_LISTS.keys())
def test_a_list_that_is_not_well_formed_is_damaged_though_its_digest_is_right(data: bytes) -> None:
    store = ContentStore(MemoryBackend())
    digest = Digest("sha256-cdc", hashlib.sha256(data).hexdigest())
    store.backend.create(store.location(digest), data)
    store.put(b"x")
    for read in (store.get, store.view, store.open, store.stat):
        with pytest.raises(DamagedObject, match=str(digest)):
            read(digest)
    assert list(store.fsck().damaged) == [digest]
    with pytest.raises(SweepRefused):
        store.collect_garbage([digest])


TRAVERSALS = (
    *("", "/", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/.", "a\\b", "a\0b", "a\nb", ".tmp/x"),
    *("x" * 300, "x/" * 500),
)


@pytest.mark.parametrize("name", TRAVERSALS)
def test_a_name_that_could_leave_the_root_is_refused(name: str, tmp_path: Path) -> None:
    for backend in (LocalBackend(tmp_path / "root"), MemoryBackend()):
        for act in (backend.read, backend.stat, backend.exists, backend.delete, lambda n: backend.create(n, b"")):  # noqa: B023
            with pytest.raises(BadName):
                act(name)
    assert not (tmp_path / "root").exists()


@given(st.text())
def test_whatever_name_is_accepted_stays_below_its_root(name: str) -> None:
    try:
        check_name(name)
    except BadName:
        return
    root = Path("/a/store")
    assert root in Path(f"{root}/{name}").parents
    assert ".." not in Path(name).parts


@given(
    st.text()
    | st.builds(
        "{}:{}".format, st.sampled_from(["sha256", "sha256-cdc", "sha512"]), st.text("0123456789abcdefA", max_size=66)
    )
    | st.binary(min_size=32, max_size=32).map(lambda raw: f"sha256:{raw.hex()}")
)
def test_a_text_is_a_digest_or_one_clear_error(text: str) -> None:
    try:
        digest = Digest.parse(text)
    except (BadDigest, UnsupportedFormat):
        return
    assert str(digest) == text
    assert digest_at(location(digest)) == digest


digests = st.builds(
    Digest,
    st.sampled_from(["sha256", "sha256-file", "sha256-cdc", "sha256-pages"]),
    st.binary(min_size=32, max_size=32).map(bytes.hex),
)


@given(st.lists(digests))
def test_sorted_records_are_in_the_order_of_names(some: list[Digest]) -> None:
    assert [unpack(pack(digest)) for digest in some] == some
    assert sorted(some, key=pack) == sorted(some, key=location)


@given(st.lists(st.binary(min_size=2, max_size=2)), st.integers(1, 5))
def test_a_spill_gives_back_what_was_added_sorted_and_once(records: list[bytes], held: int) -> None:
    with Spill(2, held) as spill:
        for record in records:
            spill.add(record)
        assert list(spill) == sorted(set(records))
        assert list(spill) == sorted(set(records))
        among = ascending(spill)
        every = [bytes(pair) for pair in itertools.product(range(0, 256, 51), range(0, 256, 51))]
        assert [record for record in every if among(record)] == sorted(set(records) & set(every))


def test_a_spill_holds_a_bounded_part_in_memory() -> None:
    tracemalloc.start()
    with Spill(RECORD_BYTES, 2_500) as spill:
        for number in range(30_000):
            spill.add(hashlib.md5(number.to_bytes(4, "big")).digest() * 2 + b"\0")
        assert sum(1 for _ in spill) == 30_000
        peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * MIB


def test_the_public_names_are_these_and_all_exist() -> None:
    modules = {"testing", *(path.stem for path in Path(cas_store.__file__).parent.glob("*.py"))}
    public = {name for name in vars(cas_store) if not name.startswith("_")} - modules
    assert sorted(public) == sorted(cas_store.__all__)
    assert list(cas_store.__all__) == sorted(cas_store.__all__)
