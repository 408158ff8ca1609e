"""Arguments of the wrong kind: the message says which is the right one."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cas_store import (
    BackendError,
    BadName,
    ContentStore,
    DamagedReference,
    LocalBackend,
    MemoryBackend,
    ObjectStore,
    ReadThroughStore,
    Reference,
    S3Backend,
    copy,
    sync,
)

STORE: Any = ContentStore(MemoryBackend())
OBJECTS: Any = ObjectStore(STORE)
DIGEST: Any = STORE.put(b"content")
TEXT: Any = str(DIGEST)
WRONG: Any = {"a path": "objects", "a Path": Path("objects"), "nothing": None, "a store": STORE, "a list": [STORE]}

MISUSES: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "a digest's text": (lambda: STORE.get(TEXT), TypeError, r"Digest\.parse"),
    "a digest's text, opened": (lambda: STORE.open(TEXT), TypeError, r"Digest\.parse"),
    "a digest's text, mapped": (lambda: STORE.view(TEXT), TypeError, r"Digest\.parse"),
    "a digest's text, measured": (lambda: STORE.stat(TEXT), TypeError, r"Digest\.parse"),
    "a digest's text, looked for": (lambda: STORE.contains(TEXT), TypeError, r"Digest\.parse"),
    "a digest's text, looked for by `in`": (lambda: TEXT in STORE, TypeError, r"Digest\.parse"),
    "a digest's text, located": (lambda: STORE.location(TEXT), TypeError, r"Digest\.parse"),
    "a digest's text, deleted": (lambda: STORE.delete(TEXT), TypeError, r"Digest\.parse"),
    "a digest's text, in parts": (lambda: STORE.parts(TEXT), TypeError, r"Digest\.parse"),
    "one digest to confirm": (lambda: STORE.confirm(DIGEST), TypeError, r"\[it\]"),
    "one digest's text to confirm": (lambda: STORE.confirm(TEXT), TypeError, r"\[it\]"),
    "one digest that is live": (lambda: STORE.collect_garbage(DIGEST, grace=timedelta(0)), TypeError, r"\[it\]"),
    "one digest to copy": (lambda: copy(STORE, STORE, DIGEST), TypeError, r"\[it\]"),
    "a grace without a unit": (lambda: STORE.collect_garbage([], grace=3600), TypeError, r"timedelta\(days=1\)"),
    "a text to put": (lambda: STORE.put("text"), TypeError, "give bytes"),
    "a text to put, plain": (lambda: STORE.put("text", plain=True), TypeError, "give bytes"),
    "a path among many": (lambda: STORE.put_many([b"a", Path("b")]), TypeError, r"put\(\)"),
    "a text among many": (lambda: STORE.put_many(["text"]), TypeError, "give bytes"),
    "a stream of text": (lambda: STORE.put(io.StringIO("text")), TypeError, "binary mode"),
    "a stream of text, plain": (lambda: STORE.put(io.StringIO("text"), plain=True), TypeError, "binary mode"),
    "a path for a backend": (lambda: ContentStore(WRONG["a path"]), TypeError, r"LocalBackend\('objects'\)"),
    "a Path for a backend": (lambda: ContentStore(WRONG["a Path"]), TypeError, r"LocalBackend\('objects'\)"),
    "nothing for a backend": (lambda: ContentStore(WRONG["nothing"]), TypeError, "LocalBackend"),
    "a store for a backend": (lambda: ContentStore(WRONG["a store"]), TypeError, "LocalBackend"),
    "a path for a store": (lambda: ObjectStore(WRONG["a path"]), TypeError, r"ContentStore\(LocalBackend"),
    "a backend for a store": (lambda: ObjectStore(STORE.backend), TypeError, r"ContentStore\(LocalBackend"),
    "paths for stores": (lambda: sync(WRONG["a path"], WRONG["a path"]), TypeError, r"ContentStore\(LocalBackend"),
    "stores last": (lambda: copy([DIGEST], STORE, STORE), TypeError, r"ContentStore\(LocalBackend"),  # type: ignore[arg-type]
    "stores for what gives them": (
        lambda: ReadThroughStore(STORE.backend, WRONG["a list"]), TypeError, r"lambda: \[store\]",
    ),
    "a digest for a reference": (lambda: OBJECTS.load(DIGEST), TypeError, r"Reference\.from_json"),
    "a digest's text for a reference": (lambda: OBJECTS.load(TEXT), TypeError, r"Reference\.from_json"),
    "a digest for the previous reference": (
        lambda: OBJECTS.save({"a": 1}, previous=DIGEST), TypeError, r"Reference\.from_json",
    ),
    "text for a reference's JSON": (lambda: Reference.from_json("{}"), DamagedReference, "to_json"),
    "no directory": (lambda: LocalBackend(""), ValueError, "give a path"),
    "a bucket for a directory": (lambda: LocalBackend("s3://bucket/x"), ValueError, "S3Backend"),
    "an unknown policy": (lambda: LocalBackend("x", fsync="often"), ValueError, "'always', 'batch' or 'never'"),  # type: ignore[arg-type]
    "an unknown way": (lambda: LocalBackend("x", way="odd"), ValueError, "unnamed, linked, renamed"),  # type: ignore[arg-type]
    "a bucket's name": (lambda: S3Backend("bucket"), BadName, "s3://bucket/prefix"),
    "no bucket": (lambda: S3Backend(None), BadName, "s3://bucket/prefix"),  # type: ignore[arg-type]
    "a Path for a bucket": (lambda: S3Backend(Path("s3://b/x")), BadName, "s3://bucket/prefix"),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize(("use", "error", "says"), MISUSES.values(), ids=MISUSES.keys())
def test_a_wrong_argument_says_what_is_wanted(use: Callable[[], Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        use()


@pytest.mark.parametrize(
    "use",
    [
        lambda store: store.put(b"content"),
        lambda store: store.put_buffer(bytes(5_000_000)),
        lambda store: store.put_many([b"%d" % number for number in range(40)]),
        list,
    ],
    ids=["put", "put_buffer", "put_many", "list"],
)
def test_a_file_where_the_store_should_be_is_named(tmp_path: Path, use: Callable[[ContentStore], Any]) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BackendError, match=r"a file is in the way of .*file"):
        use(ContentStore(LocalBackend(tmp_path / "file")))


def test_a_path_may_be_bytes(tmp_path: Path) -> None:
    backend: Any = LocalBackend(bytes(tmp_path / "root"))  # type: ignore[arg-type]
    assert ContentStore(backend).put(b"content") in ContentStore(LocalBackend(tmp_path / "root"))


def sources() -> list[ContentStore]:
    return []


@pytest.mark.parametrize(
    "kind", [ContentStore, lambda backend: ReadThroughStore(backend, sources)], ids=["own", "through"]
)
def test_a_store_goes_to_other_processes(tmp_path: Path, kind: Callable[[LocalBackend], ContentStore]) -> None:
    objects = ObjectStore(kind(LocalBackend(tmp_path, fsync="never", mode=0o640)))
    reference = objects.save({"large": bytearray(100_000)})
    objects.store.put_many([b"%d" % number for number in range(40)])
    there: ObjectStore = pickle.loads(pickle.dumps(objects))
    assert type(there.store) is type(objects.store)
    assert repr(there.store) == repr(objects.store)
    assert there.load(reference) == {"large": bytearray(100_000)}
    assert len(list(there.store.get_many(there.store))) == len(list(objects.store))


def test_a_backend_on_s3_goes_to_other_processes() -> None:
    backend = S3Backend(
        "s3://bucket/prefix", endpoint_url="http://127.0.0.1:1", put_options={"StorageClass": "STANDARD"}
    )
    there = pickle.loads(pickle.dumps(backend))
    assert repr(there) == repr(backend)
    assert there.options == backend.options
