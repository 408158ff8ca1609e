"""No room left, half-way through a write: named, nothing lost, nothing torn, and it goes on once there is room."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cas_store import ContentStore, LocalBackend, StoreFull

MIB = 1024 * 1024
CONTENTS = [
    random.Random(number).randbytes(size) for number, size in enumerate([200_000, 3_000_000, 5000, 1_500_000] * 6)
]


@pytest.fixture(params=["bytes", "files", "length of a file"])
def lacking(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A directory where something runs out: a small file system of its own where mounting is permitted, else a limit."""
    mounted = request.param != "length of a file" and _mount(
        tmp_path, {"bytes": "size=6m", "files": "nr_inodes=25"}[request.param]
    )
    if mounted:
        try:
            yield tmp_path
        finally:
            subprocess.run(["umount", "-l", str(tmp_path)], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, before[1]))
    try:
        yield tmp_path
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def _mount(directory: Path, option: str) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", option, "tmpfs", str(directory)]
    with contextlib.suppress(FileNotFoundError):
        return os.getuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    return False


@pytest.mark.parametrize("way", ["unnamed", "linked", "renamed"])
@pytest.mark.parametrize("how", ["put", "put_buffer", "plain"])
def test_a_full_disk_loses_nothing_and_is_got_over(lacking: Path, way: Any, how: str) -> None:
    store = ContentStore(LocalBackend(lacking / "root", way=way))
    put: Any = {"put": store.put, "put_buffer": store.put_buffer, "plain": lambda data: store.put(data, plain=True)}[
        how
    ]
    kept, refused = {}, []
    for content in CONTENTS:
        try:
            kept[put(content)] = content
        except StoreFull as error:
            refused.append(content)
            _check_refusal(error)
    assert kept
    assert refused
    for digest, content in kept.items():
        assert store.get(digest) == content
    for digest in store:
        assert b"".join(store.parts(digest)) is not None  # every file that has a name is whole
    assert list(store.backend.leftovers()) == []

    for digest in list(store):
        store.delete(digest)
    for directory, _, files in os.walk(lacking, topdown=False):  # directories take room, too
        if not files and directory != str(lacking):
            with contextlib.suppress(OSError):
                Path(directory).rmdir()
    small = min(refused, key=len)[:5000]
    assert store.get(put(small)) == small


def _check_refusal(error: StoreFull) -> None:
    assert error.retryable
    assert isinstance(error.__cause__, OSError)
    assert "make room" in str(error)
