"""What a power cut may take: which waits for the disk come before which acknowledgements, and what an error half-way leaves."""

from __future__ import annotations

import contextlib
import errno
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cas_store import BackendError, ContentStore, Digest, LocalBackend, StoreFull, files, writing

MIB = 1024 * 1024
LARGE = random.Random(1).randbytes(5 * MIB)
PAGES = 3


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What waited for the disk and what gave names, in the order in which they did."""
    seen: list[str] = []

    def spied(name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            result = act(*given, **named)
            seen.append(name)
            return result

        return call

    for module, name, said in (
        (os, "fdatasync", "file"),
        (os, "fsync", "directory"),
        (files, "sync_file_system", "everything"),
    ):
        monkeypatch.setattr(module, name, spied(said, lambda _: None))
    monkeypatch.setattr(os, "link", spied("named", os.link))
    return seen


def aged(root: Path, seconds: float) -> None:
    """Let all that is stored have been written that long ago."""
    then = time.time() - seconds
    for path in root.rglob("*"):
        os.utime(path, (then, then))


def test_pages_wait_for_the_disk_together_before_any_has_its_name(tmp_path: Path, waits: list[str]) -> None:
    store = ContentStore(LocalBackend(tmp_path))
    writing.best_way(str(tmp_path))
    waits.clear()
    store.put_buffer(LARGE)
    assert waits == ["everything", *["named"] * PAGES, "named", "everything"]  # the pages, their list, the flush


@pytest.mark.parametrize("way", ["linked", "renamed"])
def test_file_systems_without_unnamed_files_wait_for_each(tmp_path: Path, waits: list[str], way: Any) -> None:
    ContentStore(LocalBackend(tmp_path, way=way)).put_buffer(LARGE)
    assert waits.count("file") == PAGES
    assert waits[-1] == "everything"


@pytest.mark.parametrize("fsync", ["batch", "always"])
@pytest.mark.parametrize("many", [1, 40])
def test_what_another_wrote_just_now_is_flushed_by_who_finds_it(
    tmp_path: Path, waits: list[str], fsync: Any, many: int
) -> None:
    contents = [f"content {number}".encode() for number in range(many)]
    ContentStore(LocalBackend(tmp_path, fsync="never")).put_many(contents)
    store = ContentStore(LocalBackend(tmp_path, fsync=fsync))
    writing.best_way(str(tmp_path))
    waits.clear()
    store.put_many(contents)
    assert waits.count("everything") == 1
    assert waits[-1] == "everything"


@pytest.mark.parametrize("fsync", ["batch", "always", "never"])
def test_what_the_kernel_has_written_back_is_not_waited_for(tmp_path: Path, waits: list[str], fsync: Any) -> None:
    ContentStore(LocalBackend(tmp_path, fsync="never")).put_buffer(LARGE)
    aged(tmp_path, files.WRITTEN_BACK_SECONDS + 60)
    waits.clear()
    ContentStore(LocalBackend(tmp_path, fsync=fsync)).put_buffer(LARGE)
    assert waits == []


def test_who_confirms_what_another_wrote_just_now_flushes_it(tmp_path: Path, waits: list[str]) -> None:
    digest = ContentStore(LocalBackend(tmp_path, fsync="never")).put(b"content")
    waits.clear()
    ContentStore(LocalBackend(tmp_path)).confirm([digest])
    assert waits == ["everything"]


def test_a_flush_waits_though_another_one_is_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = LocalBackend(tmp_path)
    backend.create("x", b"x")
    done: list[str] = []

    def sync(_: int) -> None:
        if not done:
            done.append("the second began while the first was at work")
            backend.flush()  # as another thread would
        done.append("synced")

    monkeypatch.setattr(files, "sync_file_system", sync)
    backend.flush()
    backend.flush()
    assert done.count("synced") == 2


def test_a_flush_that_failed_is_not_taken_for_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = LocalBackend(tmp_path)
    backend.create("x", b"x")
    outcomes: Iterator[Exception | None] = iter([OSError(errno.EIO, "input/output error"), None])

    def sync(_: int) -> None:
        if (outcome := next(outcomes)) is not None:
            raise outcome

    monkeypatch.setattr(files, "sync_file_system", sync)
    with pytest.raises(BackendError, match="check the disk"):
        backend.flush()
    backend.flush()
    assert next(outcomes, "all were asked for") == "all were asked for"


def open_below(folder: Path) -> list[str]:
    """The files below a folder that this process has open, also those without a name."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(descriptor.readlink()))
    return [name for name in found if name.startswith(str(folder))]


STAGES = {
    "a file": (os, "open"),
    "its bytes": (os, "write"),
    "the disk, together": (files, "sync_file_system"),
    "its name": (os, "link"),
    "its directory": (os, "makedirs"),
}


@pytest.mark.parametrize("at", [0, 1, 2, 3])
@pytest.mark.parametrize(("module", "function"), STAGES.values(), ids=STAGES.keys())
def test_no_room_at_any_stage_leaves_whole_files_and_no_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, function: str, at: int
) -> None:
    store = ContentStore(LocalBackend(tmp_path / "root"))
    writing.best_way(str(tmp_path / "root"))
    whole, calls = getattr(module, function), iter(range(100))

    def full(*given: Any, **named: Any) -> Any:
        if next(calls) == at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(*given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(module, function, full)
        try:
            stored: Digest | None = store.put_buffer(LARGE)
        except StoreFull:
            stored = None
    assert stored is None or next(calls) <= at, "an error was swallowed"
    assert open_below(tmp_path) == []
    for digest in store:
        assert store.stat(digest).size_bytes == sum(map(len, store.parts(digest)))  # whatever has a name is whole
    assert list(store.backend.leftovers()) == []
    assert store.get(store.put_buffer(LARGE)) == LARGE


def test_short_writes_go_on_where_they_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, memoryview(data)[: max(1, len(data) // 3)]))
    store = ContentStore(LocalBackend(tmp_path))
    assert store.get(store.put_buffer(LARGE)) == LARGE
    assert store.get(store.put(LARGE, plain=True)) == LARGE


def test_short_reads_go_on_where_they_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ContentStore(LocalBackend(tmp_path))
    digests = [store.put(LARGE), store.put(LARGE, plain=True), store.put(b"short" * 100)]
    expected = [LARGE, LARGE, b"short" * 100]
    pread = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, offset: pread(fd, min(size, 100_000), offset))
    assert [store.get(digest) for digest in digests] == expected
    assert store.get_range(digests[1], 10, 300_000) == LARGE[10:300_010]


def test_a_torn_plain_file_of_a_power_cut_is_mended_by_storing_again(tmp_path: Path) -> None:
    store = ContentStore(LocalBackend(tmp_path))
    digest = store.put(LARGE, plain=True)
    store.backend.replace(store.location(digest), b"")
    assert store.put(LARGE, plain=True) == digest
    assert store.get(digest) == LARGE
