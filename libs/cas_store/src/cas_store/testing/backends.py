"""The suite that says whether a backend keeps its promises. Derive from it, override ``backend``, run pytest::

    from cas_store.testing.backends import BackendContract

    class TestMine(BackendContract):
        @pytest.fixture
        def backend(self):
            return MyBackend(...)   # empty

Where several objects can stand on the same place (a directory, a bucket), override ``another`` as well: races and visibility
are then tried between objects of their own, as between processes.
"""

from __future__ import annotations

import functools
import os
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from cas_store.backend import Backend, Stat
from cas_store.errors import BadName, MissingObject

CONTENTS = {
    "empty": b"",
    "a zero": b"\0",
    "text": b"some text\r\n" * 50,
    "every byte": bytes(range(256)),
    "noise": random.Random(1).randbytes(300_000),
}
NAMES = [
    "a",
    "with space",
    "per%2Fcent",
    "plus+and&equals=",
    "question?hash#",
    "quote'\"<>|*:",
    "tilde~",
    ".dot",
    "v1/sha256/00/" + "0" * 64,
    "ümläut/ß",
    "漢字/\N{SNOWMAN}/\N{PILE OF POO}",
    "p" * 255,
    "/".join(["deep"] * 180),
]
BAD_NAMES = [
    "",
    "/",
    "/a",
    "a/",
    "a//b",
    ".",
    "..",
    "../a",
    "a/../b",
    "a/.",
    ".tmp/a",
    "a\\b",
    "a\0b",
    "a\nb",
    "p" * 256,
]
TEN = b"0123456789"
RANGES = [(0, 10), (0, 3), (3, 4), (9, 1), (8, 100), (0, 0), (5, 0), (10, 1), (1000, 5)]


class BackendContract:
    """What every backend promises; each test gets an empty one."""

    large_bytes = 20 * 1024 * 1024
    """Size of the object that is written in parts."""
    racers = 8
    """How many write one name at once."""

    @pytest.fixture
    def backend(self) -> Backend:
        """An empty backend: override this."""
        raise NotImplementedError(f"{type(self).__name__} has to override the fixture `backend`")

    @pytest.fixture
    def another(self, backend: Backend) -> Callable[[], Backend]:
        """Gives further objects on the same place; as it stands, the same one."""
        return lambda: backend

    # --- writing and reading

    @pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS.keys())
    def test_what_was_created_is_read_back(self, backend: Backend, content: bytes) -> None:
        """Every byte, and its length."""
        assert backend.create("x/y", content) is True
        assert backend.read("x/y") == content
        assert backend.stat("x/y").size_bytes == len(content)
        assert backend.exists("x/y")

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_any_contiguous_buffer_can_be_written(self, backend: Backend, kind: Callable[[bytes], Any]) -> None:
        """And is read back as bytes."""
        backend.create("created", kind(TEN))
        backend.replace("replaced", kind(TEN))
        backend.create_parts("in parts", [kind(TEN), kind(TEN)], 20)
        assert [type(backend.read(name)) for name in ("created", "replaced")] == [bytes, bytes]
        assert backend.read("created") == backend.read("replaced") == TEN
        assert backend.read("in parts") == TEN + TEN

    def test_what_is_kept_is_a_copy(self, backend: Backend) -> None:
        """A buffer that changes afterwards changes nothing."""
        buffer = bytearray(TEN)
        backend.create("x", buffer)
        buffer[0] = 0
        assert backend.read("x") == TEN

    def test_a_taken_name_is_not_created_again(self, backend: Backend, another: Callable[[], Backend]) -> None:
        """Whatever the bytes, and also in parts."""
        backend.create("x", b"first")
        assert another().create("x", b"second") is False
        assert another().create("x", b"first") is False
        assert another().create_parts("x", iter([b"sec", b"ond"]), 6) is False
        assert backend.read("x") == b"first"

    def test_replacing_takes_effect_for_everyone(self, backend: Backend, another: Callable[[], Backend]) -> None:
        """Longer, shorter and empty; a free name, too."""
        other = another()
        for content in (b"first", b"the second, longer", b"3", b""):
            backend.replace("x", content)
            assert other.read("x") == content
            assert other.stat("x").size_bytes == len(content)

    @pytest.mark.parametrize(("offset", "size"), RANGES)
    def test_a_range_is_what_a_slice_is(self, backend: Backend, offset: int, size: int) -> None:
        """Shorter where the end is nearer, empty behind it."""
        backend.create("x", TEN)
        assert backend.read_range("x", offset, size) == TEN[offset : offset + size]

    def test_a_range_of_nothing_is_nothing(self, backend: Backend) -> None:
        """An empty object can be read by range."""
        backend.create("x", b"")
        assert backend.read_range("x", 0, 10) == b""

    # --- large objects

    def test_a_large_object_is_written_in_parts(self, backend: Backend) -> None:
        """Of any lengths, taken once, and read by range."""
        content = random.Random(2).randbytes(self.large_bytes)
        assert backend.create_parts("large", _uneven_parts(content), len(content)) is True
        assert backend.stat("large").size_bytes == len(content)
        assert backend.read_range("large", len(content) - 5, 10) == content[-5:]
        assert backend.read("large") == content
        assert backend.create_parts("large", _uneven_parts(bytes(len(content))), len(content)) is False
        assert backend.read_range("large", 1_000_000, 1000) == content[1_000_000:1_001_000]
        backend.replace_parts("large", _uneven_parts(content[::-1]), len(content))
        assert backend.read("large") == content[::-1]

    def test_parts_that_fail_half_way_leave_no_name(self, backend: Backend) -> None:
        """The caller's own error comes out."""

        def parts() -> Iterator[bytes]:
            for _ in range(self.large_bytes // 2_000_000):
                yield bytes(1_000_000)
            raise ZeroDivisionError

        for write in (backend.create_parts, backend.replace_parts):
            with pytest.raises(ZeroDivisionError):
                write("large", parts(), self.large_bytes)
        assert not backend.exists("large")
        assert list(backend.names()) == []
        assert backend.create("large", b"small") is True

    # --- what is not there

    def test_what_is_missing_is_named(self, backend: Backend) -> None:
        """By every method that needs it."""
        backend.create("x/there", TEN)
        for name in ("x/not", "x", "not/at/all"):
            for read in (backend.read, backend.stat, lambda name: backend.read_range(name, 0, 1)):
                with pytest.raises(MissingObject) as caught:
                    read(name)
                assert caught.value.key == name
            assert not backend.exists(name)

    def test_deleting_removes_and_may_be_repeated(self, backend: Backend, another: Callable[[], Backend]) -> None:
        """The name is free again, for everyone."""
        other = another()
        backend.create("x/y", b"first")
        backend.delete("x/y")
        backend.delete("x/y")
        assert not other.exists("x/y")
        assert list(other.names()) == []
        assert other.create("x/y", b"second") is True
        assert backend.read("x/y") == b"second"

    def test_many_are_deleted_whether_there_or_not(self, backend: Backend) -> None:
        """And no others."""
        for number in range(30):
            backend.create(f"n/{number:02}", b"x")
        backend.delete_many(f"n/{number:02}" for number in range(5, 40))
        backend.delete_many([])
        assert list(backend.names()) == [f"n/{number:02}" for number in range(5)]

    # --- names

    def test_every_allowed_name_can_be_kept(self, backend: Backend) -> None:
        """Long ones, deep ones, and all of Unicode."""
        for number, name in enumerate(NAMES):
            assert backend.create(name, b"%d" % number) is True
        assert {name: backend.read(name) for name in NAMES} == {name: b"%d" % at for at, name in enumerate(NAMES)}
        assert list(backend.names()) == sorted(NAMES)
        backend.delete_many(NAMES)
        assert list(backend.names()) == []

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_no_other_name_reaches_the_storage(self, backend: Backend, name: str) -> None:
        """Refused by every method."""
        for act in (
            lambda: backend.create(name, b""),
            lambda: backend.replace(name, b""),
            lambda: backend.create_parts(name, [b""], 0),
            lambda: backend.read(name),
            lambda: backend.read_range(name, 0, 1),
            lambda: backend.stat(name),
            lambda: backend.exists(name),
            lambda: backend.delete(name),
            lambda: backend.delete_many([name]),
        ):
            with pytest.raises(BadName):
                act()
        assert list(backend.names()) == []

    def test_a_listing_is_sorted_by_code_point_and_starts_with_its_prefix(self, backend: Backend) -> None:
        """A prefix may end anywhere, also inside a part."""
        names = ["a-b", "a.b/c", "a/b", "a/b-c", "a/bc/d", "a0", "aa/b", "b/1/2/3", "b/1/2-3", "\uffee", "\U0001f600"]
        for name in random.Random(3).sample(names, len(names)):
            backend.create(name, b"x")
        for prefix in ("", "a", "a/", "a/b", "a/bc/", "b/1/2", "b/1/2/", "c", "a/b/c/d", "\uffee"):
            assert list(backend.names(prefix)) == sorted(name for name in names if name.startswith(prefix)), prefix

    def test_a_listing_may_delete_what_it_gives(self, backend: Backend) -> None:
        """Collectors do; nothing is left out."""
        names = [f"{number % 7}/{number:03}" for number in range(100)]
        for name in names:
            backend.create(name, b"x")
        seen = []
        for name in backend.names():
            backend.delete(name)
            seen.append(name)
        assert seen == sorted(names)
        assert list(backend.names()) == []

    def test_a_listing_knows_sizes_and_times(self, backend: Backend) -> None:
        """The same that stat says; times in UTC, never backwards."""
        for size in (0, 1, 1000):
            backend.create(f"s/{size:04}", bytes(size))
        found = dict(backend.stats("s/"))
        assert list(found) == ["s/0000", "s/0001", "s/1000"]
        for name, stat in found.items():
            assert isinstance(stat, Stat)
            assert stat.size_bytes == int(name[2:])
            assert stat.modified.utcoffset() == timedelta(0)
            assert abs(stat.modified - backend.stat(name).modified) <= timedelta(seconds=1)
        backend.replace("s/0000", b"later")
        assert backend.stat("s/0000").modified >= found["s/0000"].modified.replace(microsecond=0)

    # --- several at once

    def test_of_racing_creators_exactly_one_makes_the_name(
        self, backend: Backend, another: Callable[[], Backend]
    ) -> None:
        """And what is read is what that one wrote."""
        for turn in range(3):
            contents = [b"%d " % racer * 3000 for racer in range(self.racers)]
            writers = [functools.partial(another().create, f"r/{turn}", content) for content in contents]
            made = _at_once(writers)
            assert sum(made) == 1
            assert backend.read(f"r/{turn}") == contents[made.index(True)]

    def test_racing_creators_of_large_objects_make_one(self, backend: Backend, another: Callable[[], Backend]) -> None:
        """As with small ones."""
        size = self.large_bytes // 2
        contents = [bytes([racer]) * size for racer in range(2)]
        made = _at_once(
            [functools.partial(another().create_parts, "large", _uneven_parts(content), size) for content in contents]
        )
        assert sum(made) == 1
        assert backend.read("large") == contents[made.index(True)]

    def test_a_reader_sees_the_whole_of_one_write(self, backend: Backend, another: Callable[[], Backend]) -> None:
        """While others replace: the old or the new, and never nothing."""
        contents = [bytes([number]) * (100_000 + number) for number in range(4)]
        backend.replace("x", contents[0])
        stop = threading.Event()

        def write(one: Backend) -> None:
            while not stop.is_set():
                one.replace("x", random.choice(contents))

        with ThreadPoolExecutor(2) as pool:
            writers = [pool.submit(write, another()) for _ in range(2)]
            try:
                seen = [backend.read("x") for _ in range(40)]
            finally:
                stop.set()
            for writer in writers:
                writer.result()
        assert all(content in contents for content in seen)

    def test_what_was_written_is_seen_by_everyone_at_once(
        self, backend: Backend, another: Callable[[], Backend]
    ) -> None:
        """By reading, asking and listing; also after having asked before."""
        other = another()
        assert not other.exists("x/y")
        assert list(other.names("x/")) == []
        backend.create("x/y", TEN)
        assert other.exists("x/y")
        assert other.read("x/y") == TEN
        assert list(other.names("x/")) == ["x/y"]

    # --- the rest

    def test_sound_writes_leave_nothing_behind(self, backend: Backend) -> None:
        """And flushing may be repeated."""
        backend.create("x", TEN)
        backend.create("x", TEN)
        backend.replace("x", TEN)
        backend.create_parts("y", [TEN], 10)
        backend.flush()
        backend.flush()
        assert list(backend.leftovers()) == []
        assert list(backend.names()) == ["x", "y"]

    def test_a_file_to_map_holds_the_bytes(self, backend: Backend) -> None:
        """Where there are files."""
        backend.create("x", TEN)
        descriptor = backend.open_file("x")
        if descriptor is not None:
            try:
                assert os.pread(descriptor, 100, 0) == TEN
            finally:
                os.close(descriptor)
            with pytest.raises(MissingObject):
                backend.open_file("y")


def _uneven_parts(content: bytes) -> Iterator[bytes]:
    lengths = [1, 0, 100_000, 3_000_000, 7, 1_048_576]
    at = number = 0
    while at < len(content):
        length = lengths[number % len(lengths)]
        yield content[at : at + length]
        at, number = at + length, number + 1


def _at_once(acts: Sequence[Callable[[], bool]]) -> list[bool]:
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], bool]) -> bool:
        start.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))
