"""A hundred processes that store overlapping content at once: each object once, and whole for whoever reads meanwhile."""

from __future__ import annotations

import multiprocessing
import random
from pathlib import Path
from typing import Any

import pytest
from cas_store import ContentStore, Digest, LocalBackend, MemoryBackend

WRITERS = 100
CONTENTS = [
    random.Random(number).randbytes(size) if number % 2 else (b"%d " % number * size)[:size]
    for number, size in enumerate([10, 5000, 5000, 100_000, 900_000, 2_500_000] * 6)
]


def write(root: str, way: Any, seed: int, gate: Any, answers: Any) -> None:
    """Some of the contents in an order of one's own, each read back at once, some by way of another's name for it."""
    store = ContentStore(LocalBackend(root, way=way, fsync="never"))
    chosen = random.Random(seed).sample(range(len(CONTENTS)), 12)
    gate.wait(120)
    digests: dict[int, str] = {}
    try:
        for number in chosen:
            digest = store.put(CONTENTS[number])
            digests[number] = str(digest)
            assert store.get(digest) == CONTENTS[number]
        answers.put((seed, digests))
    except BaseException as error:
        answers.put((seed, repr(error)))
        raise


def at_once(writers: list[tuple[Any, tuple[Any, ...]]]) -> dict[int, dict[int, str]]:
    """What each answers, when all begin at the same moment in processes of their own."""
    forking = multiprocessing.get_context("fork")
    gate, answers = forking.Barrier(len(writers)), forking.Queue()
    processes = [forking.Process(target=act, args=(*told, gate, answers)) for act, told in writers]
    for process in processes:
        process.start()
    found = dict(answers.get(timeout=150) for _ in processes)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    return found


SMALL = [b"%d small " % number * (number % 200) for number in range(400)]


def write_batch(root: str, seed: int, gate: Any, answers: Any) -> None:
    store = ContentStore(LocalBackend(root))
    chosen = random.Random(seed).sample(range(len(SMALL)), 100)
    gate.wait(120)
    try:
        digests = store.put_many([SMALL[number] for number in chosen])
        assert list(store.get_many(digests)) == [SMALL[number] for number in chosen]
        answers.put((seed, {number: str(digest) for number, digest in zip(chosen, digests, strict=True)}))
    except BaseException as error:
        answers.put((seed, repr(error)))
        raise


def test_a_hundred_writers_of_overlapping_batches_store_each_once(tmp_path: Path) -> None:
    found = at_once([(write_batch, (str(tmp_path), seed)) for seed in range(WRITERS)])
    alone = ContentStore(MemoryBackend())
    for digests in found.values():
        for number, digest in digests.items():
            assert digest == str(alone.put(SMALL[number]))
    store = ContentStore(LocalBackend(tmp_path))
    assert list(store) == list(alone)
    assert list(store.get_many(alone)) == list(alone.get_many(alone))
    assert not (tmp_path / "v1").exists()
    assert store.fsck().ok


@pytest.mark.parametrize("way", ["unnamed", "renamed"])
def test_a_hundred_writers_of_overlapping_content_agree(tmp_path: Path, way: str) -> None:
    found = at_once([(write, (str(tmp_path), way, seed)) for seed in range(WRITERS)])
    alone = ContentStore(MemoryBackend())
    for digests in found.values():
        for number, digest in digests.items():
            assert digest == str(alone.put(CONTENTS[number]))
    store = ContentStore(LocalBackend(tmp_path))
    assert list(store) == list(alone)
    for digest in alone:
        assert isinstance(digest, Digest)
        assert store.get(digest) == alone.get(digest)
    assert list(store.backend.leftovers()) == []
