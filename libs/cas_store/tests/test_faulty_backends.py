"""The fault-injecting wrapper, and what a store makes of each fault."""

from __future__ import annotations

import random

import pytest
from cas_store import BackendUnavailable, CasStoreError, ContentStore, DamagedObject, MemoryBackend, StoreFull
from cas_store.testing import Delay, Fail, Fault, FaultyBackend, Flip, LoseAnswer, Tear, Truncate, at, every, seeded

NOISE = random.Random(0).randbytes(100_000)


def test_a_fault_comes_at_its_call_only() -> None:
    backend = FaultyBackend(MemoryBackend(), at({2: Fail(), 3: Fail(StoreFull("no room"))}))
    assert backend.create("a", b"a")
    with pytest.raises(BackendUnavailable, match="create of 'b'"):
        backend.create("b", b"b")
    with pytest.raises(StoreFull):
        backend.replace("b", b"b")
    assert list(backend.names()) == ["a"]
    assert [call.method for call in backend.calls] == ["create", "create", "replace", "names"]
    assert backend.count("create", "names") == 3


def test_faults_do_what_they_say() -> None:
    backend = FaultyBackend(MemoryBackend())

    def under(fault: Fault) -> None:
        backend.schedule = at({len(backend.calls) + 1: fault})

    under(LoseAnswer())
    with pytest.raises(BackendUnavailable):
        backend.create("lost", NOISE)
    assert backend.read("lost") == NOISE
    for write in (backend.create, backend.replace):
        under(Tear(kept=10))
        with pytest.raises(BackendUnavailable):
            write("torn", NOISE)
        assert backend.read("torn") == NOISE[:10]
        backend.delete("torn")
    under(Tear(kept=10))
    with pytest.raises(BackendUnavailable):
        backend.create_parts("torn", [NOISE], len(NOISE))
    assert backend.read("torn") == NOISE[:10]
    under(Truncate(missing=10))
    assert backend.read("lost") == NOISE[:-10]
    under(Flip(bit=9))
    assert backend.read_range("lost", 0, 3) == bytes([NOISE[0], NOISE[1] ^ 2, NOISE[2]])
    under(Delay(seconds=0.001))
    assert backend.exists("lost")


def test_a_seed_gives_the_same_faults_again() -> None:
    def outcomes(seed: int) -> list[bool]:
        backend = FaultyBackend(MemoryBackend(), seeded(seed, 0.5, [Fail()]))
        return [_works(lambda: backend.exists("x")) for _ in range(50)]

    assert outcomes(1) == outcomes(1)
    assert outcomes(1) != outcomes(2)
    assert 10 < sum(outcomes(1)) < 40


def test_every_counts_calls_and_looks_at_methods() -> None:
    backend = FaultyBackend(MemoryBackend(), every(2, Fail(), methods=["exists"]))
    assert [_works(lambda: backend.exists("x")) for _ in range(4)] == [True, False, True, False]
    assert all(_works(lambda: list(backend.names())) for _ in range(4))


@pytest.mark.parametrize("fault", [Truncate(), Truncate(missing=50_000), Flip(bit=1), Flip(bit=333_333)], ids=repr)
@pytest.mark.parametrize(
    "content", [NOISE, b"text " * 1000, random.Random(1).randbytes(3_000_000)], ids=["raw", "framed", "list"]
)
def test_what_is_read_wrong_is_never_returned(fault: Fault, content: bytes) -> None:
    backend = FaultyBackend(MemoryBackend())
    store = ContentStore(backend)
    digests = [store.put(content), store.put(content, plain=True), store.put_buffer(content)]
    for digest in digests:
        for read in (store.get, store.load, lambda d: store.open(d).read(), lambda d: b"".join(store.parts(d))):
            backend.schedule = lambda _: None
            before = len(backend.calls)
            assert read(digest) == content
            reads = len(backend.calls) - before
            for nth in range(1, reads + 1):  # each of the calls that this takes goes wrong once
                call = len(backend.calls) + nth
                backend.schedule = at({call: fault})
                try:
                    got = read(digest)
                except CasStoreError as error:
                    assert isinstance(error, DamagedObject)  # noqa: PT017 (or the call was none that reads)
                else:
                    assert got == content


@pytest.mark.parametrize("seed", range(20))
def test_what_was_acknowledged_among_failing_writes_reads_back(seed: int) -> None:
    kept = MemoryBackend()
    store = ContentStore(FaultyBackend(kept, seeded(seed, 0.3, [Fail(), LoseAnswer()])))
    chance = random.Random(seed)
    contents = [chance.randbytes(chance.choice([10, 5000, 2_000_000])) for _ in range(8)]
    acknowledged = []
    for content in contents * 3:
        try:
            acknowledged.append((store.put(content), content))
        except BackendUnavailable as error:
            assert error.retryable  # noqa: PT017
    assert acknowledged
    sound = ContentStore(kept)
    for digest, content in acknowledged:
        assert sound.get(digest) == content


def _works(act: object) -> bool:
    assert callable(act)
    try:
        act()
    except BackendUnavailable:
        return False
    return True
