"""Every flipped bit and every missing byte of a small store is noticed, by every way of reading."""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from cas_store import CasStoreError, ContentStore, DamagedObject, Digest, LocalBackend, MissingObject, UnsupportedFormat
from cas_store.small_objects import NAME

MIB = 1024 * 1024
FRAME = b"\x28\xb5\x2f\xfd"
Read = Callable[[ContentStore, Digest], bytes]
READS: list[Read] = [
    lambda store, digest: store.get(digest),
    lambda store, digest: bytes(store.load(digest)),
    lambda store, digest: store.open(digest).read(),
    lambda store, digest: b"".join(store.parts(digest)),
]


@attrs.frozen
class Kept:
    """A store, and all that is in it."""

    store: ContentStore
    contents: dict[Digest, bytes]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """One of each kind, small on disk."""
    store = ContentStore(LocalBackend(tmp_path_factory.mktemp("kept")))
    pages = b"".join(bytes([page]) * (MIB // 2) for page in range(5))
    contents = [
        b"",
        b"x",
        random.Random(1).randbytes(200),
        b"some text " * 200,
        bytes(600_000),
        FRAME + b"!" * 50,
    ]
    kept = {store.put(content): content for content in contents}
    kept[store.put(b"some text " * 20, plain=True)] = b"some text " * 20
    kept[store.put(pages)] = pages
    kept[store.put_buffer(pages)] = pages
    kept.update({digest: store.get(digest) for digest in store})
    return Kept(store, kept)


@pytest.fixture
def store(whole: Kept) -> ContentStore:
    return whole.store


@pytest.fixture
def kept(whole: Kept) -> dict[Digest, bytes]:
    return whole.contents


@contextlib.contextmanager
def changed(path: Path, data: bytes) -> Iterator[None]:
    before = path.read_bytes()
    overwrite(path, data)
    try:
        yield
    finally:
        overwrite(path, before)


def overwrite(path: Path, data: bytes) -> None:
    """In place: to empty a file first makes some file systems write to the disk at once."""
    with path.open("r+b", buffering=0) as file:
        file.write(data)
        file.truncate()


def is_noticed(store: ContentStore, digest: Digest, content: bytes, read: Read) -> bool:
    """Whether reading raises the right error; wrong bytes fail the test, right ones are none that it has to notice."""
    try:
        found = read(store, digest)
    except (DamagedObject, UnsupportedFormat) as error:
        return str(digest) in str(error)
    assert found == content
    return False


def test_a_flipped_bit_at_every_byte_is_noticed(store: ContentStore, kept: dict[Digest, bytes]) -> None:
    """All but those few bits of a zstd frame that mean nothing, such as a reserved one in its header: the bytes stay right."""
    flipped = harmless = 0
    for digest, content in kept.items():
        path = Path(store.backend.root, store.location(digest))  # type: ignore[attr-defined]
        stored = path.read_bytes()
        for at in range(len(stored)):
            for bit in range(8) if len(content) < 3000 or len(stored) < 200 else [at % 8]:
                with changed(path, stored[:at] + bytes([stored[at] ^ 1 << bit]) + stored[at + 1 :]):
                    if not is_noticed(store, digest, content, READS[(at + bit) % len(READS)]):
                        assert stored.startswith(FRAME)
                        harmless += 1
                flipped += 1
    assert flipped > 2000
    assert harmless < flipped / 50
    for digest, content in kept.items():
        assert all(read(store, digest) == content for read in READS)


def test_every_shorter_and_some_longer_files_are_noticed(store: ContentStore, kept: dict[Digest, bytes]) -> None:
    for digest, content in kept.items():
        path = Path(store.backend.root, store.location(digest))  # type: ignore[attr-defined]
        stored = path.read_bytes()
        for other in [*(stored[:size] for size in range(len(stored))), stored + b"\0", stored + stored]:
            if other != stored:
                with changed(path, other):
                    assert is_noticed(store, digest, content, READS[len(other) % len(READS)])


def test_what_was_verified_and_mapped_is_noticed_when_it_changes(tmp_path: Path) -> None:
    content = random.Random(2).randbytes(5 * MIB)
    store = ContentStore(LocalBackend(tmp_path))
    digest = store.put_buffer(content)
    assert store.load(digest) == store.load(digest) == content
    for piece in [one for one in store if one.algorithm == "sha256"]:
        path = tmp_path / store.location(piece)
        before, stored = path.stat(), path.read_bytes()
        path.write_bytes(stored[:-1] + bytes([stored[-1] ^ 1]))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        for reader in (store, ContentStore(LocalBackend(tmp_path))):
            with pytest.raises(DamagedObject, match=str(piece)):
                reader.load(digest)
        path.write_bytes(stored)
        assert store.load(digest) == content


def test_damage_to_what_is_remembered_as_verified_is_harmless(tmp_path: Path) -> None:
    content = random.Random(3).randbytes(3 * MIB)
    digest = ContentStore(LocalBackend(tmp_path)).put_buffer(content)
    ContentStore(LocalBackend(tmp_path)).load(digest)
    [memory] = [path for path in (tmp_path / "verified").rglob("*") if path.is_file()]
    stored = memory.read_bytes()
    others: list[Any] = [
        b"",
        stored[:-1],
        stored * 2,
        *(stored[:at] + b"\xff" + stored[at + 1 :] for at in range(0, len(stored), 9)),
    ]
    for other in others:
        memory.write_bytes(other)
        assert ContentStore(LocalBackend(tmp_path)).load(digest) == content


def test_flipped_bits_of_the_file_of_small_pieces_are_noticed(tmp_path: Path) -> None:
    """Wherever they are: what is read is right, or the error names the object or that file; and fsck tells of what was lost."""
    contents = [b"%d some text " % number * (number % 40) for number in range(60)]
    digests = ContentStore(LocalBackend(tmp_path, fsync="never")).put_many(contents)
    path, chance = tmp_path / NAME, random.Random(4)
    sound = path.read_bytes()
    places = [*range(110), *chance.sample(range(len(sound)), 200)]
    lost = 0
    for at in places:
        overwrite(path, sound[:at] + bytes([sound[at] ^ 1 << chance.randrange(8)]) + sound[at + 1 :])
        store = ContentStore(LocalBackend(tmp_path, fsync="never"))
        right = [is_right(store, digest, content) for digest, content in zip(digests, contents, strict=True)]
        if not all(right):
            lost += 1
            assert not store.fsck().ok, at
    overwrite(path, sound)
    assert lost > 50
    assert ContentStore(LocalBackend(tmp_path)).fsck().ok


def is_right(store: ContentStore, digest: Digest, content: bytes) -> bool:
    """Whether it is read; wrong bytes, and errors that name something else, fail the test."""
    with contextlib.suppress(DamagedObject, MissingObject, UnsupportedFormat):
        try:
            assert store.get(digest) == content
        except CasStoreError as error:
            if str(digest) not in str(error) and NAME not in str(error):
                raise AssertionError(f"neither the object nor the file is named: {error}") from error
            raise
        return True
    return False


def test_files_that_are_none_of_ours_disturb_nothing(tmp_path: Path) -> None:
    store = ContentStore(LocalBackend(tmp_path))
    digest = store.put(b"content")
    for stray in (
        "v1/sha256/README",
        "v1/sha256/00/short",
        "v1/other/00/" + "0" * 64,
        "notes.txt",
        "v1/sha256/zz/" + "z" * 64,
    ):
        (tmp_path / stray).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / stray).write_bytes(b"?")
    assert list(store) == [digest]
    for wrong in (store.location(digest)[:-1] + "g",):
        (tmp_path / wrong).write_bytes(b"?")
    assert list(store) == [digest]
    with pytest.raises(CasStoreError):
        store.get(Digest("sha256", "0" * 64))
