"""Every backend keeps the contract, and what the local one promises beyond it."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cas_store import Backend, BadName, CasStoreError, ContentStore, LocalBackend, MemoryBackend, StoreFull, writing
from cas_store.testing import FaultyBackend
from cas_store.testing.backends import BackendContract

WAYS = ("unnamed", "linked", "renamed")


class TestMemory(BackendContract):
    @pytest.fixture
    def backend(self) -> Backend:
        return MemoryBackend()


class TestFaultyWithoutFaults(BackendContract):
    @pytest.fixture
    def backend(self) -> Backend:
        return FaultyBackend(MemoryBackend())


class TestLocal(BackendContract):
    """Each way of making a file, and each fsync policy."""

    @pytest.fixture(
        params=[(way, "batch") for way in WAYS] + [("unnamed", "always"), ("unnamed", "never")], ids="-".join
    )
    def kept(self, request: pytest.FixtureRequest) -> dict[str, Any]:
        return {"way": request.param[0], "fsync": request.param[1]}

    @pytest.fixture
    def backend(self, tmp_path: Path, kept: dict[str, Any]) -> Backend:
        return LocalBackend(tmp_path / "root", **kept)

    @pytest.fixture
    def another(self, tmp_path: Path, kept: dict[str, Any]) -> Callable[[], Backend]:
        return lambda: LocalBackend(tmp_path / "root", **kept)


class TestLocalWhereLittleWorks(BackendContract):
    """A mount like some NFS and FUSE ones: neither nameless files nor hard links, found out by trying."""

    @pytest.fixture(params=["no nameless files", "no links", "neither", "no /proc"])
    def backend(self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Backend:
        really_open, really_link = os.open, os.link

        def opened(path: Any, flags: int, *rest: Any, **named: Any) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, "no nameless files here")
            return really_open(path, flags, *rest, **named)

        def linked(source: Any, *rest: Any, **named: Any) -> None:
            if request.param != "no /proc":
                raise OSError(errno.EPERM, "no hard links here")
            if str(source).startswith("/proc/"):
                raise FileNotFoundError(errno.ENOENT, "no /proc here")
            really_link(source, *rest, **named)

        if request.param in ("no nameless files", "neither"):
            monkeypatch.setattr(os, "open", opened)
        if request.param != "no nameless files":
            monkeypatch.setattr(os, "link", linked)
        return LocalBackend(tmp_path / "mount")

    def test_a_large_object_of_a_generator_survives_finding_out(self, backend: Backend) -> None:
        content = b"0123456789" * 1000
        assert backend.create_parts("first", (content[at : at + 100] for at in range(0, 10_000, 100)), 10_000)
        assert backend.read("first") == content


READ_AS_NOBODY = """if True:
    import os, sys
    from cas_store import *

    def use(store, digests):
        for digest in digests:
            size = store.stat(digest).size_bytes
            assert len(store.get(digest)) == len(store.load(digest)) == len(store.open(digest).read()) == size > 0
            assert digest in store

    store = ContentStore(LocalBackend(sys.argv[1]))
    digests = [Digest.parse(text) for text in sys.argv[2:]]
    use(store, digests)  # whatever has to be imported for it, now: another user may not reach it
    contents = [store.get(digest) for digest in digests]
    if os.getuid() == 0:
        os.setgid(65534), os.setuid(65534)
    store = ContentStore(LocalBackend(sys.argv[1]))
    use(store, digests)
    for digest, content in zip(digests, contents):
        for forbidden in (lambda: store.put(content + b"!"), lambda: store.delete(digest)):
            try:
                forbidden()
            except AccessDenied as error:
                assert isinstance(error.__cause__, OSError) and not error.retryable
            else:
                raise AssertionError("it was permitted")
    assert store.put(contents[0]) == digests[0]  # there is nothing to write
"""


def test_a_store_that_cannot_be_written_is_read_and_says_so() -> None:
    with tempfile.TemporaryDirectory() as directory:  # tmp_path is closed to other users
        store = ContentStore(LocalBackend(root := Path(directory, "root")))
        digests = store.put(b"x" * 100), store.put(os.urandom(5_000_000)), store.put_buffer(os.urandom(5_000_000))
        before = sorted((root / "v1").rglob("*"))
        for path in (Path(directory), root, root / "v1", *before):
            path.chmod(0o555 if path.is_dir() else 0o444)
        subprocess.run([sys.executable, "-c", READ_AS_NOBODY, str(root), *map(str, digests)], check=True)
        for path in (Path(directory), root, root / "v1", *before):
            path.chmod(0o755)
        assert sorted((root / "v1").rglob("*")) == before


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mask", [0o077, 0o000])
def test_permission_bits_are_what_was_asked_for_whatever_the_umask(tmp_path: Path, way: Any, mask: int) -> None:
    before = os.umask(mask)
    try:
        backend = LocalBackend(tmp_path / "shared", mode=0o640, way=way)
        backend.create("a/b", b"x")
        backend.replace("a/c", b"x")
    finally:
        os.umask(before)
    modes = {name: stat.S_IMODE((tmp_path / "shared" / name).stat().st_mode) for name in ("a/b", "a/c", "a", "")}
    assert modes == {"a/b": 0o640, "a/c": 0o640, "a": 0o750, "": 0o750}


def test_each_policy_syncs_what_it_promises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cas_store import files

    synced: list[str] = []
    monkeypatch.setattr(os, "fdatasync", lambda _: synced.append("data"))
    monkeypatch.setattr(os, "fsync", lambda _: synced.append("directory"))
    monkeypatch.setattr(files, "sync_file_system", lambda _: synced.append("all"))

    def seen(fsync: Any, size: int) -> list[str]:
        synced.clear()
        backend = LocalBackend(tmp_path / f"{fsync}{size}", fsync=fsync)
        backend.create("a/b", bytes(size))
        backend.flush()
        backend.flush()
        return list(synced)

    large = files.SYNC_BEFORE_NAMING_BYTES
    assert seen("never", large) == []
    assert seen("batch", large - 1) == ["all"]
    assert seen("batch", large) == ["data", "all"]
    assert seen("always", 1) == ["data", "directory", "directory"]


def test_what_a_writer_left_behind_is_listed_apart_and_removed(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path, way="linked")
    backend.create("x", b"x")
    (tmp_path / ".tmp" / "123-abc").write_bytes(b"half of some")
    [(name, found)] = backend.leftovers()
    assert found.size_bytes == len(b"half of some")
    assert list(backend.names()) == ["x"]
    backend.remove_leftover(name)
    assert list(backend.leftovers()) == []


def test_a_torn_file_of_a_power_cut_is_mended_by_storing_again(tmp_path: Path) -> None:
    store = ContentStore(LocalBackend(tmp_path))
    for content in (b"some text " * 100, os.urandom(300_000)):
        digest = store.put(content)
        store.backend.replace(store.location(digest), b"")
        assert store.put(content) == digest
        assert store.get(digest) == content


def test_a_full_disk_is_named_and_leaves_what_there_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = LocalBackend(tmp_path)
    backend.create("x", b"x")
    monkeypatch.setattr(writing, "write_all", lambda *_: _raise(OSError(errno.ENOSPC, "no space left on device")))
    for write in (lambda: backend.create("y", b"y"), lambda: backend.replace("x", b"y")):
        with pytest.raises(StoreFull) as caught:
            write()
        assert caught.value.retryable
    assert list(backend.names()) == ["x"]
    assert backend.read("x") == b"x"
    assert list(backend.leftovers()) == []


def _raise(error: Exception) -> None:
    raise error


def test_constructing_touches_nothing(tmp_path: Path) -> None:
    backend = LocalBackend(tmp_path / "not/yet")
    assert list(backend.names()) == []
    assert not backend.exists("x")
    assert list(backend.leftovers()) == []
    backend.flush()
    assert not (tmp_path / "not").exists()


def test_errors_of_the_operating_system_do_not_leak(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    backend = LocalBackend(tmp_path / "file")
    with pytest.raises(CasStoreError) as caught:
        backend.create("x", b"x")
    assert isinstance(caught.value.__cause__, OSError)


def test_names_that_no_backend_could_keep_are_refused() -> None:
    for name in ("ü" * 128, "/".join(["漢" * 80] * 4), "\udc80", 7, None):
        with pytest.raises(BadName):
            MemoryBackend().create(name, b"")  # type: ignore[arg-type]
