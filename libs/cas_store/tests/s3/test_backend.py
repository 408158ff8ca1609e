"""The S3 backend on a real server: the contract, and what it promises beyond it."""

from __future__ import annotations

import multiprocessing
import os
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from cas_store import AccessDenied, Backend, BackendError, BadName, ContentStore, MissingObject, ObjectStore, S3Backend
from cas_store.s3_client import make_client
from cas_store.testing.backends import BackendContract
from stepwell_testing.s3 import S3Server

MIB = 1024 * 1024


@pytest.fixture
def url(server: S3Server) -> str:
    """An empty place."""
    return f"s3://{server.bucket}/place-{uuid4().hex}"


@pytest.fixture(scope="module")
def client(server: S3Server) -> Any:
    """One for all: making a client takes longer than most tests."""
    return make_client(server.url, 16)


class TestS3(BackendContract):
    racers = 4

    @pytest.fixture
    def backend(self, url: str, client: Any) -> Backend:
        return S3Backend(url, client=client)

    @pytest.fixture
    def another(self, url: str, client: Any) -> Callable[[], Backend]:
        return lambda: S3Backend(url, client=client)

    def test_racing_creators_of_large_objects_make_one(self, backend: Backend, another: Callable[[], Backend]) -> None:
        """S3 completes one upload of a name. SeaweedFS looks and completes in two steps, and now and then both uploads are
        completed: here the name holds one of them, whole. A content store's racers write the same bytes."""
        contents = [bytes([racer]) * (9 * MIB) for racer in range(2)]
        backends = [another() for _ in contents]
        with ThreadPoolExecutor(2) as pool:
            made = list(
                pool.map(lambda one, content: one.create_parts("large", [content], len(content)), backends, contents)
            )
        assert sum(made) >= 1
        assert backend.read("large") in [content for content, won in zip(contents, made, strict=True) if won]

    def test_a_listing_is_sorted_by_code_point_and_starts_with_its_prefix(self, backend: Backend) -> None:
        """S3 sorts by code point. SeaweedFS lists directory by directory, so here names of one depth and length are compared,
        as a store's own are."""
        names = [f"{first}/{second}" for first in "+-0aZ~" for second in ("aa", "a-", "a0", "\uffee", "\U0001f600")]
        for name in random.Random(3).sample(names, len(names)):
            backend.create(name, b"x")
        for prefix in ("", "a", "a/", "a/a", "a/aa", "-/\uffee", "c", "a/b/c/d"):
            assert list(backend.names(prefix)) == sorted(name for name in names if name.startswith(prefix)), prefix


def test_prefixes_keep_stores_apart(url: str) -> None:
    one, other = S3Backend(url), S3Backend(url + "2")
    one.create("x", b"one")
    other.create("x", b"other")
    assert (one.read("x"), other.read("x")) == (b"one", b"other")
    assert list(one.names()) == ["x"]


def test_a_listing_goes_on_after_a_thousand_names(url: str, server: S3Server) -> None:
    backend = S3Backend(url)
    expected = [f"n/{number:04}" for number in range(1005)]
    for _ in backend.in_order(lambda name: backend.create(name, b""), expected):
        pass
    assert list(backend.names("n/")) == expected
    backend.delete_many(expected)
    assert list(backend.names()) == []


def test_a_given_client_is_used(url: str, server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in server.environment:
        monkeypatch.delenv(name)
    assert S3Backend(url, client=server.client()).create("x", b"x")


def test_put_options_go_with_every_write(url: str, server: S3Server) -> None:
    backend = S3Backend(url, put_options={"Tagging": "team=data"})
    backend.create("small", b"x")
    backend.replace("replaced", b"x")
    backend.create_parts("large", iter([bytes(9 * MIB)]), 9 * MIB)
    client = server.client()
    for name in ("small", "replaced", "large"):
        tags = client.get_object_tagging(Bucket=server.bucket, Key=backend.prefix + name)["TagSet"]
        assert tags == [{"Key": "team", "Value": "data"}]


def test_an_upload_that_fails_or_loses_is_aborted(url: str, server: S3Server) -> None:
    backend = S3Backend(url)

    def failing() -> Iterator[bytes]:
        yield bytes(9 * MIB)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        backend.create_parts("x", failing(), 20 * MIB)
    backend.create("x", b"taken")
    assert backend.create_parts("x", iter([bytes(9 * MIB)]), 9 * MIB) is False
    assert server.client().list_multipart_uploads(Bucket=server.bucket).get("Uploads", []) == []


def test_values_come_back_from_s3(url: str) -> None:
    numpy = pytest.importorskip("numpy")
    objects = ObjectStore(ContentStore(S3Backend(url)))
    value = {"array": numpy.random.default_rng(0).normal(size=1_500_000), "text": "t" * 300_000, "small": 1}
    reference = objects.save(value)
    loaded = ObjectStore(ContentStore(S3Backend(url))).load(reference)
    assert (loaded["array"] == value["array"]).all()
    assert loaded["text"] == value["text"]
    loaded["array"][0] = 7


def test_a_fork_has_connections_of_its_own(url: str) -> None:
    store = ContentStore(S3Backend(url))
    digests = [store.put(b"%d" % number * 1000) for number in range(20)]
    with multiprocessing.get_context("fork").Pool(4, _remember, (store,)) as pool:
        assert pool.map(_get, digests * 5) == [store.get(digest) for digest in digests * 5]


_store: Any = None


def _remember(store: ContentStore) -> None:
    global _store
    _store = store


def _get(digest: Any) -> bytes:
    content: bytes = _store.get(digest)
    return content


def test_a_missing_bucket_and_wrong_keys_are_said_to_be_that(
    url: str, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BackendError, match="no bucket not-there"):
        S3Backend("s3://not-there/x").read("x")
    with pytest.raises(BackendError, match="no bucket not-there"):
        list(S3Backend("s3://not-there/x").names())
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(AccessDenied, match="SignatureDoesNotMatch"):
        S3Backend(url).create("x", b"x")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    with pytest.raises(AccessDenied, match="credentials"):
        S3Backend(url).create("x", b"x")


@pytest.mark.parametrize(
    "text", ["", "bucket", "s3://", "s3:///x", "http://bucket/x", "s3://bucket/../x", "s3://bucket/.tmp"]
)
def test_what_is_no_s3_url_is_refused(text: str) -> None:
    with pytest.raises(BadName):
        S3Backend(text)


def test_damage_and_absence_are_named(url: str) -> None:
    backend = S3Backend(url)
    store = ContentStore(backend)
    whole = store.put(random.Random(0).randbytes(5 * MIB))
    piece = next(digest for digest in store if digest.algorithm == "sha256")
    store.delete(piece)
    with pytest.raises(MissingObject) as caught:
        store.get(whole)
    assert (caught.value.key, caught.value.part_of) == (piece, whole)
