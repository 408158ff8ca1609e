"""Writers killed at random instants: what was acknowledged reads back, and nothing is left but what can be removed."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cas_store import ContentStore, Digest, LocalBackend, ObjectStore, Reference

KILLS = {"unnamed": 100, "linked": 80, "renamed": 80}
WRITERS = 2
LINE = re.compile(r"[0-9]+\tsha256:[0-9a-f]{64}\n")
SIZES = (0, 10, 3000, 3000, 40_000, 300_000, 700_000, 2_500_000)


def content(number: int) -> bytes:
    """Overlapping: writers meet each other's objects, and those of killed ones."""
    chance = random.Random(number)
    size = chance.choice(SIZES)
    return chance.randbytes(size) if number % 2 else (b"%d text " % number * size)[:size]


def write(store: ContentStore, first: int) -> Iterator[tuple[str, int, object]]:
    """Without end: what was acknowledged, how it was put, and of what."""
    objects = ObjectStore(store)
    numbers = random.Random(first)
    while True:
        number = numbers.randrange(400)
        data = content(number)
        match numbers.randrange(5):
            case 0:
                yield "buffer", number, store.put_buffer(data)
            case 1:
                yield "plain", number, store.put(data, plain=True)
            case 2:
                yield "value", number, json.dumps(objects.save({"number": number, "data": bytearray(data)}).to_json())
            case 3:
                yield from (("bytes", number, digest) for digest in store.put_many([data]))
            case _:
                yield "bytes", number, store.put(data)


def start_writer(root: Path, way: Any, seed: int) -> tuple[int, int]:
    """The process of a writer, and the pipe to which it writes a line for each thing acknowledged."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            for how, number, kept in write(ContentStore(LocalBackend(root, way=way)), seed):
                os.write(writing, f"{how}\t{number}\t{kept}\n".encode())
        finally:
            os._exit(1)
    os.close(writing)
    return child, reading


def acknowledged(pipe: int) -> list[tuple[str, int, str]]:
    with os.fdopen(pipe, "rb") as lines:
        whole = [line.decode().rstrip("\n").split("\t") for line in lines if line.endswith(b"\n")]
    return [(how, int(number), kept) for how, number, kept in whole]


def read_back(store: ContentStore, how: str, number: int, kept: str) -> bytes:
    if how == "value":
        value = ObjectStore(store).load(Reference.from_json(json.loads(kept)))
        assert value["number"] == number
        return bytes(value["data"])
    return store.get(Digest.parse(kept))


@pytest.mark.parametrize("way", KILLS)
def test_nothing_acknowledged_is_lost_when_writers_are_killed(tmp_path: Path, way: str) -> None:
    chance = random.Random(way)
    seen: set[tuple[str, int, str]] = set()
    for turn in range(KILLS[way] // WRITERS):
        writers = [start_writer(tmp_path, way, turn * WRITERS + at) for at in range(WRITERS)]
        for child, _ in writers:
            time.sleep(chance.random() * 0.04)
            os.kill(child, signal.SIGKILL)
        for child, pipe in writers:
            seen.update(acknowledged(pipe))
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert len(seen) > KILLS[way]
    check(tmp_path, way, seen)


def write_batches(root: Path, seed: int, pipe: int) -> None:
    """Many small ones at a time, overlapping; some are renewed and some deleted that nobody else has."""
    store = ContentStore(LocalBackend(root))
    numbers = random.Random(seed)
    while True:
        batch = [numbers.randrange(10_000) for _ in range(200)]
        kept = store.put_many([b"%d small " % number * (number % 90) for number in batch])
        lines = "".join(f"{number}\t{digest}\n" for number, digest in zip(batch, kept, strict=True))
        os.write(pipe, lines.encode())
        store.backend.replace(store.location(kept[0]), store.backend.read(store.location(kept[0])))
        store.delete(store.put_many([b"own %d %d" % (seed, number) for number in batch])[0])


def test_nothing_acknowledged_is_lost_when_writers_of_batches_are_killed(tmp_path: Path) -> None:
    chance = random.Random(1)
    seen: set[tuple[str, str]] = set()
    for turn in range(15):
        reading, writing = os.pipe()
        children = []
        for at in range(WRITERS):
            child = os.fork()
            if child == 0:
                try:
                    write_batches(tmp_path, turn * WRITERS + at, writing)
                finally:
                    os._exit(1)
            children.append(child)
        os.close(writing)
        first = os.read(reading, 1 << 20)  # on a busy machine a batch may take long
        for child in children:
            time.sleep(chance.random() * 0.08)
            os.kill(child, signal.SIGKILL)
        with os.fdopen(reading, "rb") as lines:
            text = (first + lines.read()).decode()
        seen.update(tuple(line.split("\t")) for line in text.splitlines(True) if LINE.fullmatch(line))  # type: ignore[misc]
        assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [-signal.SIGKILL] * WRITERS
    assert len(seen) > 1000

    store = ContentStore(LocalBackend(tmp_path))
    for number, digest in seen:
        assert store.get(Digest.parse(digest.strip())) == b"%d small " % int(number) * (int(number) % 90)
    report = store.fsck()
    assert (report.ok, report.unknown) == (True, ())


def check(tmp_path: Path, way: str, seen: set[tuple[str, int, str]]) -> None:
    backend = LocalBackend(tmp_path, way=way)  # type: ignore[arg-type]
    store = ContentStore(backend)
    for how, number, kept in seen:
        assert read_back(store, how, number, kept) == content(number)
    for name, _ in list(backend.leftovers()):
        backend.remove_leftover(name)
    assert {path.name for path in (tmp_path / ".tmp").glob("*")} <= {"lock"}
    for digest in store:  # acknowledged or not, what has a name is whole
        if digest.algorithm in ("sha256", "sha256-file"):
            store.get(digest)
        else:
            list(store.parts(digest))
