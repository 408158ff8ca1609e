"""What the content store promises about bytes."""

from __future__ import annotations

import hashlib
import io
import random
from pathlib import Path
from typing import Any

import pytest
from cas_store import (
    BadDigest,
    ContentStore,
    DamagedObject,
    Digest,
    LocalBackend,
    MemoryBackend,
    MissingObject,
    UnsupportedFormat,
)
from hypothesis import given
from hypothesis import strategies as st

MIB = 1024 * 1024


def noise(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ContentStore:
    return ContentStore(LocalBackend(tmp_path / "objects") if request.param == "local" else MemoryBackend())


CONTENTS = {
    "empty": b"",
    "a byte": b"\0",
    "text": b"some text " * 1000,
    "what starts like a zstd frame": b"\x28\xb5\x2f\xfd" + noise(1000),
    "only the start of a zstd frame": b"\x28\xb5\x2f\xfd",
    "noise of one piece": noise(200_000),
    "noise of many pieces": noise(7 * MIB + 13),
    "zeros of many pieces": bytes(9 * MIB),
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
def test_what_was_put_comes_back_every_way(store: ContentStore, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    digest = store.put(content)
    assert store.put(tmp_path / "file") == digest
    assert store.put(io.BytesIO(content)) == digest
    assert store.put_many([content]) == [digest]
    plain = store.put(content, plain=True)
    assert store.put(tmp_path / "file", plain=True) == plain
    assert store.put(io.BytesIO(content), plain=True) == plain
    assert store.backend.read(store.location(plain)) == content
    for one in (digest, plain, store.put_buffer(content)):
        assert store.get(one) == content
        assert store.view(one) == content
        assert b"".join(store.parts(one)) == content
        assert list(store.get_many([one, one])) == [content, content]
        assert store.stat(one).size_bytes == len(content)
        assert one in store
        with store.open(one) as stream:
            assert stream.read() == content
            stream.seek(-min(3, len(content)), io.SEEK_END)
            assert stream.read() == content[-3:]


@given(st.integers(0, 6 * MIB), st.integers(0, 3 * MIB))
def test_a_range_is_what_a_slice_is(offset: int, size: int) -> None:
    assert _RANGED.get_range(_RANGED_DIGEST, offset, size) == _RANGED_CONTENT[offset : offset + size]


_RANGED = ContentStore(MemoryBackend())
_RANGED_CONTENT = noise(5 * MIB)
_RANGED_DIGEST = _RANGED.put(_RANGED_CONTENT)


def test_a_digest_names_its_algorithm_and_is_the_sha256_of_a_small_content(store: ContentStore) -> None:
    assert str(store.put(b"abc")) == "sha256:" + hashlib.sha256(b"abc").hexdigest()


def test_the_same_content_is_stored_once(store: ContentStore) -> None:
    assert len(set(store.put_many([b"a", b"b", b"a"]))) == 2
    assert len(list(store)) == 2


def test_what_shrinks_is_compressed_and_what_does_not_is_kept_as_it_is(store: ContentStore) -> None:
    text, random_bytes = store.put(b"some text " * 1000), store.put(noise(10_000))
    assert store.stat(text).stored_bytes < 1000
    assert store.backend.read(store.location(random_bytes)) == noise(10_000)


def stored_bytes(store: ContentStore) -> int:
    return sum(store.backend.stat(name).size_bytes for name in store.backend.names("v1/"))


@pytest.mark.parametrize("how", ["insert", "overwrite", "append"])
def test_a_change_to_part_of_a_byte_string_costs_its_neighbourhood(how: str) -> None:
    store = ContentStore(MemoryBackend())
    content = noise(24 * MIB)
    store.put(content)
    before = stored_bytes(store)
    changed = {
        "insert": content[:100_000] + noise(1000, 1) + content[100_000:],
        "overwrite": content[: 12 * MIB] + noise(MIB // 8, 1) + content[12 * MIB + MIB // 8 :],
        "append": content + noise(MIB // 8, 1),
    }[how]
    digest = store.put(changed)
    assert store.get(digest) == changed
    assert stored_bytes(store) - before < 0.15 * len(content)


def test_a_change_to_part_of_a_buffer_costs_its_pages() -> None:
    store = ContentStore(MemoryBackend())
    content = bytearray(noise(24 * MIB))
    store.put_buffer(content)
    before = stored_bytes(store)
    content[12 * MIB + 5 : 12 * MIB + 15] = b"0123456789"
    store.put_buffer(content)
    store.put_buffer(content + b"more")
    assert stored_bytes(store) - before < 5 * MIB


@pytest.mark.parametrize(
    "text", ["", "sha256", "sha256:", "sha256:" + "g" * 64, "sha256:" + "A" * 64, "../x:" + "0" * 64, None, 7]
)
def test_a_text_that_is_no_digest_is_refused(text: Any) -> None:
    with pytest.raises(BadDigest):
        Digest.parse(text)


def test_a_digest_of_a_later_algorithm_says_to_upgrade() -> None:
    with pytest.raises(UnsupportedFormat, match="upgrade"):
        Digest.parse("blake9:" + "0" * 64)


def test_digests_are_read_back(store: ContentStore) -> None:
    digest = store.put(b"x")
    assert Digest.parse(str(digest)) == digest


def test_what_is_missing_is_named(store: ContentStore) -> None:
    for algorithm in ("sha256", "sha256-file", "sha256-cdc", "sha256-pages"):
        digest = Digest(algorithm, "0" * 64)
        assert digest not in store
        for read in (store.get, store.view, store.open, store.stat, lambda d: list(store.parts(d))):
            with pytest.raises(MissingObject, match=str(digest)):
                read(digest)


@pytest.mark.parametrize("how", ["put", "put_buffer"])
def test_a_missing_piece_is_named_with_its_whole(store: ContentStore, how: str) -> None:
    whole = getattr(store, how)(noise(9 * MIB))
    piece = next(digest for digest in store if digest.algorithm == "sha256")
    store.delete(piece)
    for read in (store.get, store.view):
        with pytest.raises(MissingObject) as caught:
            read(whole)
        assert caught.value.key == piece
        assert caught.value.part_of == whole


def test_a_deleted_object_is_gone(store: ContentStore) -> None:
    digest = store.put(b"x")
    store.delete(digest)
    store.delete(digest)
    assert digest not in store


def test_wrong_bytes_are_never_returned(store: ContentStore) -> None:
    for content in (b"x" * 10, b"text " * 100, noise(9 * MIB)):
        for put in (store.put, store.put_buffer, lambda c: store.put(c, plain=True)):
            digest = put(content)
            name = store.location(digest)
            data = bytearray(store.backend.read(name))
            data[len(data) // 2] ^= 1
            store.backend.replace(name, data)
            for read in (store.get, store.view, lambda d: store.open(d).read(), lambda d: b"".join(store.parts(d))):
                with pytest.raises(DamagedObject, match=str(digest)):
                    read(digest)
            store.delete(digest)
