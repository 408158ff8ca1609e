"""FORMAT.md is enough to read a store: a reader written from it reads what the library wrote, and the bytes are as it says."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import random
import sqlite3
import struct
import sys
import time
from datetime import timedelta
from pathlib import Path

import independent_reader
import pytest
from cas_store import ContentStore, LocalBackend, ObjectStore

MIB = 1024 * 1024
NOISE = random.Random(0).randbytes(5 * MIB)
CONTENTS = {
    "empty": b"",
    "small": b"small",
    "compressed": b"text " * 10_000,
    "what starts like a frame": independent_reader.MAGIC + b"and goes on",
    "several raw pieces": NOISE,
    "several compressed pieces": bytes(9 * MIB),
}


@pytest.fixture
def store(tmp_path: Path) -> ContentStore:
    return ContentStore(LocalBackend(tmp_path))


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
def test_the_independent_reader_reads_every_kind_of_object(store: ContentStore, tmp_path: Path, content: bytes) -> None:
    for digest in (store.put(content), store.put_buffer(content), store.put(content, plain=True)):
        assert independent_reader.read(tmp_path, str(digest)) == content


def test_the_independent_reader_reads_small_pieces_that_share_a_file(store: ContentStore, tmp_path: Path) -> None:
    contents = [b"", *(b"%d text " % number * number for number in range(1, 60))]
    for digest, content in zip(store.put_many(contents), contents, strict=True):
        assert not (tmp_path / store.location(digest)).exists()
        assert independent_reader.read(tmp_path, str(digest)) == content


def test_a_row_is_laid_out_as_written(store: ContentStore, tmp_path: Path) -> None:
    before = time.time_ns() - 10**9
    digests = store.put_many([b"%d" % number for number in range(40)])
    with contextlib.closing(sqlite3.connect(tmp_path / "v2" / "small.sqlite")) as connection:
        assert connection.execute("pragma user_version").fetchone() == (1,)
        rows = connection.execute("select sha256, modified, data from piece").fetchall()
    assert {key.hex() for key, _, _ in rows} == {digest.hex for digest in digests}
    assert {data for _, _, data in rows} == {b"%d" % number for number in range(40)}
    assert all(before < modified <= time.time_ns() for _, modified, _ in rows)


def test_the_independent_reader_reads_values(store: ContentStore, tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(700_000, dtype=float)
    objects = ObjectStore(store)
    for value, kind in (
        ({"x": array, "n": 1}, "pickle"),
        (7, "pickle"),
        (b"b" * 100_000, "bytes"),
        ("é" * 50_000, "str"),
    ):
        reference = json.loads(json.dumps(objects.save(value).to_json()))
        name, head, buffers = independent_reader.read_reference(tmp_path, reference)
        assert name == kind
        if kind == "pickle":
            loaded = pickle.loads(head, buffers=map(bytearray, buffers))
        else:
            loaded = head if kind == "bytes" else head.decode()
        assert (loaded["x"] == array).all() if isinstance(value, dict) else loaded == value


def test_the_independent_reader_needs_nothing_of_the_library_and_few_lines() -> None:
    source = Path(independent_reader.__file__).read_text()
    assert len(source.splitlines()) <= 80
    imported = {
        line.split()[1].split(".")[0] for line in source.splitlines() if line.split()[:1] in (["import"], ["from"])
    }
    assert imported - {"backports", "compression"} <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("put", ["put", "put_buffer"])
def test_the_independent_reader_notices_every_flipped_byte_of_a_list(
    store: ContentStore, tmp_path: Path, put: str
) -> None:
    digest = getattr(store, put)(NOISE)
    path = tmp_path / store.location(digest)
    sound = path.read_bytes()
    for at in range(len(sound)):
        path.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
        with pytest.raises(ValueError, match=str(digest)):
            independent_reader.read(tmp_path, str(digest))


def test_digests_of_known_contents_never_change(store: ContentStore) -> None:
    assert [
        str(digest)
        for digest in (store.put(b"hello"), store.put(b"hello", plain=True), store.put(NOISE), store.put_buffer(NOISE))
    ] == [
        "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        "sha256-file:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        "sha256-cdc:1fbf4a13be2c4bce4c605173c80581c899ec1f0b9d29646df21550691ff19b0c",
        "sha256-pages:543796f9f01585c20129034f218eb2969633471086676c6d7bbe11847c345803",
    ]


def test_a_list_is_laid_out_as_written(store: ContentStore, tmp_path: Path) -> None:
    digest = store.put_buffer(NOISE)
    data = (tmp_path / "v1" / "sha256-pages" / digest.hex[:2] / digest.hex).read_bytes()
    pieces = [NOISE[at : at + 2 * MIB] for at in range(0, len(NOISE), 2 * MIB)]
    entries = [struct.pack("<I", len(piece)) + hashlib.sha256(piece).digest() for piece in pieces]
    assert data == b"CASL\x01\x02\x00\x00" + struct.pack("<IQ", 3, len(NOISE)) + b"".join(entries)


def test_what_is_remembered_as_verified_is_laid_out_as_written(store: ContentStore, tmp_path: Path) -> None:
    digest = store.put(NOISE, plain=True)
    store.view(digest)
    data = (tmp_path / "verified" / "v1" / "sha256-file" / digest.hex[:2] / digest.hex).read_bytes()
    found = (tmp_path / store.location(digest)).stat()
    identity = struct.pack("<QQQqq", found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    assert data == identity + hashlib.sha256(identity).digest()


def test_the_files_of_a_sweep_are_laid_out_as_written(store: ContentStore, tmp_path: Path) -> None:
    garbage = [store.put_buffer(NOISE), store.put(b"plain", plain=True), store.put(b"piece")]
    paths = [tmp_path / store.location(digest) for digest in store]
    for path in paths:
        os.utime(path, (path.stat().st_mtime - 7200,) * 2)
    store.collect_garbage([], grace=timedelta(hours=1))
    header = json.loads(unsealed(tmp_path / "sweep/v1/condemned"))
    records = unsealed(tmp_path / f"sweep/v1/list-{header['id']}/000000")
    codes = {"sha256-cdc": 0, "sha256-file": 1, "sha256-pages": 2, "sha256": 3}
    assert records == b"".join(sorted(bytes([codes[digest.algorithm]]) + bytes.fromhex(digest.hex) for digest in store))
    assert header == {
        "v": 1,
        "id": header["id"],
        "before": header["before"],
        "grace_seconds": 3600.0,
        "objects": len(paths),
        "bytes": sum(path.stat().st_size for path in paths),
        "parts": [records[:33].hex()],
    }
    assert set(garbage) <= set(store)


def unsealed(path: Path) -> bytes:
    data = path.read_bytes()
    assert hashlib.sha256(data[:-32]).digest() == data[-32:]
    return data[:-32]
