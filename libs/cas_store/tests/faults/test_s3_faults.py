"""S3 through a proxy that fails: retried within the budget or one clear error; nothing lost, nothing wrong returned."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import attrs
import pytest
from cas_store import (
    AccessDenied,
    ArchivedObject,
    BackendError,
    BackendUnavailable,
    CasStoreError,
    ContentStore,
    DamagedObject,
    Digest,
    S3Backend,
    StoreFull,
)
from cas_store.retrying import RetryPolicy
from stepwell_testing.faulty_proxy import Answer, Cut, Fault, Proxy, Request, Reset, Silence
from stepwell_testing.s3 import S3Server

MIB = 1024 * 1024
ATTEMPTS = 4
NUMBERS = itertools.count()
PASSING: dict[str, Fault] = {
    "500": Answer("500 Internal Server Error", "InternalError"),
    "503 SlowDown": Answer("503 Slow Down", "SlowDown"),
    "503": Answer("503 Service Unavailable", "ServiceUnavailable"),
    "429": Answer("429 Too Many Requests", "TooManyRequests"),
    "reset before": Reset(done=False),
    "reset after": Reset(done=True),
    "cut at once": Cut(0.0),
    "cut half-way": Cut(0.5),
}
SMALL, TEXT = random.Random(1).randbytes(5000), b"some text " * 2000
LARGE = random.Random(2).randbytes(5 * MIB // 2)
FILE = random.Random(3).randbytes(9 * MIB)


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with S3Server() as running:
        yield running


@pytest.fixture(scope="module")
def proxy(server: S3Server) -> Iterator[Proxy]:
    with Proxy(server.url) as running:
        yield running


def client_of(server: S3Server, proxy: Proxy, read_timeout: float) -> Any:
    return server.client(
        proxy.url, retries={"total_max_attempts": 1}, read_timeout=read_timeout, max_pool_connections=16,
        request_checksum_calculation="when_required", response_checksum_validation="when_required",
    )  # fmt: skip


@pytest.fixture(scope="module")
def client(server: S3Server, proxy: Proxy) -> Any:
    return client_of(server, proxy, read_timeout=30)


Place = Callable[[], ContentStore]


@pytest.fixture(scope="module")
def place(server: S3Server, proxy: Proxy, client: Any) -> Place:
    """Gives stores on empty places, which have looked for a sweep already, as writers do every quarter of an hour."""

    def new() -> ContentStore:
        proxy.forget()
        policy = RetryPolicy(attempts=ATTEMPTS, first_wait=0.001, longest_wait=0.01)
        store = ContentStore(S3Backend(f"s3://{server.bucket}/place-{next(NUMBERS)}", client=client, retry=policy))
        store.put(b"first")
        proxy.forget()
        return store

    return new


@pytest.fixture
def store(place: Place) -> ContentStore:
    return place()


@attrs.frozen
class Kept:
    """A store that is only read, and what is in it."""

    store: ContentStore
    contents: dict[Digest, bytes]

    def digest(self, content: bytes) -> Digest:
        return next(digest for digest, one in self.contents.items() if one == content)


@pytest.fixture(scope="module")
def kept(place: Place) -> Kept:
    store = place()
    small, large, file = store.put(SMALL), store.put(LARGE), store.put(FILE, plain=True)
    buffer = store.put_buffer(LARGE[1:])
    return Kept(store, {small: SMALL, large: LARGE, file: FILE, buffer: LARGE[1:]})


WRITES: dict[str, Callable[[ContentStore], Any]] = {
    "a small object": lambda store: store.put(SMALL),
    "a compressible object": lambda store: store.put(TEXT),
    "an object of pieces": lambda store: store.put(LARGE),
    "a file in parts": lambda store: store.put(FILE, plain=True),
    "a deletion": lambda store: store.delete(store.put(SMALL)),
}
READS: dict[str, Callable[[Kept], Any]] = {
    "get a small object": lambda kept: kept.store.get(kept.digest(SMALL)),
    "get an object of pieces": lambda kept: kept.store.get(kept.digest(LARGE)),
    "get a file": lambda kept: kept.store.get(kept.digest(FILE)),
    "load a buffer": lambda kept: bytes(kept.store.load(kept.digest(LARGE[1:]))),
    "get a range": lambda kept: kept.store.get_range(kept.digest(LARGE), MIB, 1000),
    "ask": lambda kept: kept.digest(SMALL) in kept.store,
    "list": lambda kept: list(kept.store),
}


def some(requests: int) -> list[int]:
    """The first, the last, and some between."""
    numbers = range(1, requests + 1)
    return sorted({1, 2, requests, *random.Random(requests).sample(numbers, min(2, requests))} & set(numbers))


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_fault_at_any_one_request_of_a_write_is_got_over(
    place: Place, proxy: Proxy, write: Callable[[ContentStore], Any], fault: Fault
) -> None:
    store = place()
    digest, requests = write(store), len(proxy.requests)
    content = store.get(digest) if digest else None
    for number in some(requests):
        store = place()
        proxy.schedule = lambda request, number=number: fault if request.number == number else None  # type: ignore[misc]
        assert write(store) == digest
        assert len(proxy.requests) <= requests + 2
        proxy.forget()
        if digest:
            assert store.get(digest) == content


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_a_fault_at_any_one_request_of_a_read_is_got_over(
    kept: Kept, proxy: Proxy, read: Callable[[Kept], Any], fault: Fault
) -> None:
    proxy.forget()
    expected, requests = read(kept), len(proxy.requests)
    for number in some(requests):
        proxy.forget()
        proxy.schedule = lambda request, number=number: fault if request.number == number else None  # type: ignore[misc]
        assert read(kept) == expected
        assert len(proxy.requests) <= requests + 1
    proxy.forget()


@pytest.mark.parametrize("content", [SMALL, FILE], ids=["one PUT", "parts"])
def test_a_conflict_between_conditional_writes_is_tried_again(
    store: ContentStore, proxy: Proxy, content: bytes
) -> None:
    conflicts = iter([Answer("409 Conflict", "ConditionalRequestConflict")] * 2)
    proxy.schedule = lambda request: next(conflicts, None) if request.conditional else None
    assert store.get(store.put(content, plain=True)) == content
    assert next(conflicts, None) is None


def test_an_upload_whose_completion_was_done_but_not_answered_is_done(store: ContentStore, proxy: Proxy) -> None:
    answers: Iterator[Fault] = iter([Reset(done=True), Answer("404 Not Found", "NoSuchUpload")])
    proxy.schedule = lambda request: next(answers, None) if request.conditional else None
    digest = store.put(FILE, plain=True)
    assert next(answers, None) is None
    assert store.get(digest) == FILE


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_a_server_that_stays_down_is_asked_a_bounded_number_of_times_and_named(
    store: ContentStore, proxy: Proxy, fault: Fault
) -> None:
    digest = store.put(SMALL)
    for act in (lambda: store.get(digest), lambda: store.put(SMALL[1:]), lambda: digest in store, lambda: list(store)):
        proxy.forget()
        proxy.schedule = lambda _: fault
        error = raised(act)
        if error is None:  # done, though the answer was cut where it said nothing
            assert isinstance(fault, (Cut, Reset))
        else:
            assert isinstance(error, BackendUnavailable)
            assert error.retryable
            assert "within the retry budget" in str(error)
            assert error.__cause__ is not None
        assert len(proxy.requests) <= ATTEMPTS
    proxy.forget()
    assert store.get(digest) == SMALL


def raised(act: Callable[[], object]) -> CasStoreError | None:
    try:
        act()
    except CasStoreError as error:
        return error
    return None


@pytest.mark.parametrize("lasting", [False, True], ids=["once", "always"])
def test_a_server_that_does_not_answer_is_not_waited_for(server: S3Server, proxy: Proxy, lasting: bool) -> None:
    policy = RetryPolicy(attempts=2, first_wait=0.001)
    place = f"s3://{server.bucket}/place-{next(NUMBERS)}"
    backend = S3Backend(place, client=client_of(server, proxy, read_timeout=1.0), retry=policy)
    backend.create("x", SMALL)
    acts: list[tuple[Callable[[], Any], Any]] = [
        (lambda: backend.create("x", SMALL), False),
        (lambda: backend.read("x"), SMALL),
        (lambda: list(backend.names()), ["x"]),
    ]
    for act, expected in acts:
        proxy.forget()
        proxy.schedule = lambda request: Silence(1.5) if lasting or request.number == 1 else None
        if lasting:
            with pytest.raises(BackendUnavailable, match="timeout"):
                act()
        else:
            assert act() == expected
        assert len(proxy.requests) == 2
    proxy.forget()


def test_all_calls_share_one_budget(server: S3Server, proxy: Proxy, client: Any) -> None:
    policy = RetryPolicy(attempts=6, first_wait=0.001, longest_wait=0.01, budget=10)
    backend = S3Backend(f"s3://{server.bucket}/budget", client=client, retry=policy)
    proxy.forget()
    proxy.schedule = lambda _: PASSING["503 SlowDown"]
    for _ in range(20):
        with pytest.raises(BackendUnavailable):
            backend.read("x")
    assert len(proxy.requests) == 20 + 10
    proxy.forget()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_body_with_a_wrong_byte_is_never_returned(kept: Kept, proxy: Proxy, share: float) -> None:
    store = kept.store
    for digest, content in kept.contents.items():
        for read in (store.get, store.load, lambda d: store.open(d).read(), lambda d: b"".join(store.parts(d))):
            proxy.forget()
            proxy.schedule = lambda request: Cut(share, flip=True) if request.method == "GET" else None
            with pytest.raises(DamagedObject):
                read(digest)
            proxy.forget()
            assert read(digest) == content


REFUSALS = [
    (Answer("403 Forbidden", "AccessDenied"), AccessDenied, "AccessDenied"),
    (Answer("403 Forbidden", "ExpiredToken"), AccessDenied, "ExpiredToken"),
    (Answer("507 Insufficient Storage", "XMinioStorageFull"), StoreFull, "no room"),
    (Answer("403 Forbidden", "InvalidObjectState"), ArchivedObject, "restore"),
    (Answer("400 Bad Request", "InvalidRequest"), BackendError, "InvalidRequest"),
    (Answer("404 Not Found", "NoSuchBucket"), BackendError, "there is no bucket"),
]


@pytest.mark.parametrize(("answer", "kind", "said"), REFUSALS, ids=[answer.code for answer, _, _ in REFUSALS])
def test_what_will_not_pass_is_said_at_once(
    store: ContentStore, proxy: Proxy, answer: Answer, kind: type[CasStoreError], said: str
) -> None:
    digest = store.put(SMALL)
    proxy.forget()
    proxy.schedule = lambda _: answer
    with pytest.raises(kind, match=said) as caught:
        store.get(digest)
    assert type(caught.value) is kind
    with pytest.raises(kind):
        store.put(TEXT)
    assert len(proxy.requests) == 2
    proxy.forget()


def test_a_new_object_costs_one_conditional_put_and_a_known_one_no_more(store: ContentStore, proxy: Proxy) -> None:
    contents = [SMALL + bytes([number]) for number in range(50)]
    for _ in range(2):
        proxy.forget()
        store.put_many(contents)
        assert [request.method for request in proxy.requests] == ["PUT"] * 50
        assert all(request.conditional for request in proxy.requests)


def test_large_pieces_are_asked_for_before_they_are_sent(store: ContentStore, proxy: Proxy) -> None:
    digest = store.put_buffer(LARGE)
    puts = proxy.count("PUT")
    assert puts == store.stat(digest).pieces + 1
    proxy.forget()
    store.put_buffer(LARGE)
    assert proxy.count("PUT") == 1  # the list: small, so its PUT is the question
    assert proxy.count("HEAD") == puts - 1
    assert proxy.count("GET", "POST", "DELETE") == 0


def test_asking_and_getting_are_one_request_each_and_nothing_is_listed(store: ContentStore, proxy: Proxy) -> None:
    digest = store.put(SMALL)
    proxy.forget()
    assert digest in store
    assert store.get(digest) == SMALL
    assert [request.method for request in proxy.requests] == ["HEAD", "GET"]
    assert not any("list-type" in request.path for request in proxy.requests)


def test_among_many_faults_nothing_acknowledged_is_lost(store: ContentStore, proxy: Proxy) -> None:
    faults = list(PASSING.values())

    def often(request: Request) -> Fault | None:
        chance = random.Random(request.number)
        return chance.choice(faults) if chance.random() < 0.25 else None

    contents = [random.Random(number).randbytes(number * 37) for number in range(150)]

    def put(content: bytes) -> tuple[Any, bytes] | None:
        try:
            return store.put(content), content
        except BackendUnavailable:
            return None

    proxy.schedule = often
    with ThreadPoolExecutor(8) as pool:
        acknowledged = [done for done in pool.map(put, contents) if done]
    assert len(acknowledged) > 100
    for digest, content in acknowledged:
        try:
            assert store.get(digest) == content
        except BackendUnavailable:
            continue
    proxy.forget()
    assert all(store.get(digest) == content for digest, content in acknowledged)
