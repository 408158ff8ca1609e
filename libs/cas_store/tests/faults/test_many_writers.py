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


@pytest.mark.parametrize("way", ["unnamed", "renamed"])
def test_a_hundred_writers_of_overlapping_content_agree(tmp_path: Path, way: str) -> None:
    forking = multiprocessing.get_context("fork")
    gate, answers = forking.Barrier(WRITERS), forking.Queue()
    writers = [forking.Process(target=write, args=(str(tmp_path), way, seed, gate, answers)) for seed in range(WRITERS)]
    for writer in writers:
        writer.start()
    found = dict(answers.get(timeout=150) for _ in writers)
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
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
