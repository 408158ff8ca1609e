"""What garbage collection promises, alone and beside writers."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cas_store import (
    ArchivedObject,
    ContentStore,
    Digest,
    LocalBackend,
    MemoryBackend,
    MissingObject,
    ObjectStore,
    SweepRefused,
    UnsupportedFormat,
    renewing,
    small_objects,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class World:
    """A backend, the records that keep objects alive, and clocks that can be moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, directory: Path | None = None, *, rows: bool = False) -> None:
        self.backend: Any = TimedDirectory(self, directory) if directory else MemoryBackend()
        self.rows = rows
        if rows:  # of whatever comes through put_many
            monkeypatch.setattr("cas_store.local.FEWEST", 1)
            monkeypatch.setitem(small_objects._SYNCHRONOUS, "never", "off")
            monkeypatch.setattr("cas_store.small_objects._now", lambda: int(self.now().timestamp() * 1e9))
        self.records: list[Digest] = []
        self._passed = timedelta(0)
        real = renewing.clock
        monkeypatch.setattr(renewing, "clock", lambda: real() + self._passed.total_seconds())
        for module in ("memory", "sweeping"):
            monkeypatch.setattr(f"cas_store.{module}.datetime", SimpleNamespace(now=lambda _: self.now()))

    def now(self) -> datetime:
        return datetime.now(timezone.utc) + self._passed

    def wait(self, time: timedelta) -> None:
        self._passed += time

    def store(self) -> ContentStore:
        return ContentStore(self.backend)

    def put(self, store: ContentStore, content: Any) -> Digest:
        if isinstance(content, tuple):
            return put_list(store, *content, rows=self.rows)
        return store.put_many([content])[0] if self.rows else store.put(content)

    def live(self) -> Iterator[Digest]:
        yield from self.records


class TimedDirectory(LocalBackend):
    """A local backend whose files are written at the world's time."""

    def __init__(self, world: World, directory: Path) -> None:
        super().__init__(directory, fsync="never")
        self._world = world

    def _named(self, path: str) -> None:
        super()._named(path)
        os.utime(path, (self._world.now().timestamp(),) * 2)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def put_list(store: ContentStore, *contents: bytes, rows: bool = False) -> Digest:
    """An object of several pieces, without the megabytes that one takes."""
    began = renewing.clock()
    digests = store.put_many(contents) if rows else [store.writer.piece(content) for content in contents]
    pieces = list(zip(digests, map(len, contents), strict=True))
    return store.writer.list("sha256-cdc", pieces, began)


# --- alone


def test_what_is_not_live_is_condemned_first_and_deleted_a_grace_later(world: World) -> None:
    store = world.store()
    kept, garbage = store.put(b"kept"), store.put(b"garbage")
    world.wait(2 * DAY)
    first = store.collect_garbage([kept])
    assert (first.condemned, first.condemned_bytes, first.deleted) == (1, len(b"garbage"), 0)
    assert garbage in store
    assert store.collect_garbage(iter([])) == first  # not due yet: nothing happens
    world.wait(DAY)
    second = store.collect_garbage([kept])
    assert (second.condemned, second.deleted, second.deleted_bytes) == (0, 1, len(b"garbage"))
    assert list(store) == [kept]
    assert list(world.backend.names("sweep/")) == []


def test_what_is_young_is_not_condemned(world: World) -> None:
    store = world.store()
    store.put(b"of a writer that has not committed yet")
    world.wait(DAY - HOUR)
    assert store.collect_garbage([]).condemned == 0


def test_without_grace_garbage_goes_at_once(world: World) -> None:
    store = world.store()
    kept = store.put(b"kept")
    store.put(b"garbage")
    assert store.collect_garbage([kept], grace=timedelta(0)).deleted == 1
    assert list(store) == [kept]


def test_a_grace_in_which_writers_may_not_hear_of_the_sweep_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="at least 1:00:00"):
        world.store().collect_garbage([], grace=timedelta(minutes=59))


def test_what_became_live_during_the_grace_stays(world: World) -> None:
    store = world.store()
    garbage = store.put(b"garbage")
    world.wait(2 * DAY)
    assert store.collect_garbage([]).condemned == 1
    world.wait(DAY)
    assert store.collect_garbage([garbage]).spared == 1
    assert garbage in store


def test_a_live_list_keeps_its_pieces_and_a_dead_one_takes_its_own_along(world: World) -> None:
    store = world.store()
    kept = put_list(store, b"shared", b"kept")
    put_list(store, b"shared", b"lost")
    report = store.collect_garbage([kept], grace=timedelta(0))
    assert report.deleted == 2  # the list, and the piece that only it had
    assert store.get(kept) == b"sharedkept"


def test_a_young_list_keeps_its_old_pieces(world: World) -> None:
    store = world.store()
    store.put(b"old")
    world.wait(2 * DAY)
    young = put_list(world.store(), b"old", b"new")
    assert store.collect_garbage([]).condemned == 0
    assert store.get(young) == b"oldnew"


def test_live_may_be_digests_texts_and_references(world: World) -> None:
    store = world.store()
    objects = ObjectStore(store)
    value = {"text": "t" * 1000, "bytes": bytearray(50_000)}
    reference = objects.save(value)
    digest, text = store.put(b"by digest"), str(store.put(b"by text"))
    store.put(b"garbage")
    assert store.collect_garbage([reference, digest, text], grace=timedelta(0)).deleted == 1
    assert objects.load(reference) == value


def test_a_dry_run_writes_nothing_and_tells_what_a_sweep_does(world: World) -> None:
    store = world.store()
    kept = store.put(b"kept")
    put_list(store, b"a", b"bc")
    world.wait(2 * DAY)
    before = dict(world.backend._kept)
    dry = store.collect_garbage([kept], dry_run=True)
    assert world.backend._kept == before
    real = store.collect_garbage([kept])
    assert (dry.condemned, dry.condemned_bytes) == (real.condemned, real.condemned_bytes) == (3, real.condemned_bytes)
    world.wait(DAY)
    dry = store.collect_garbage([kept], dry_run=True)
    real = store.collect_garbage([kept])
    assert (dry.deleted, dry.deleted_bytes) == (real.deleted, real.deleted_bytes) == (3, real.deleted_bytes)


def test_many_parts_and_batches_are_swept_as_a_few_are(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cas_store.condemned.PART_RECORDS", 7)
    monkeypatch.setattr("cas_store.sweeping.BATCH_RECORDS", 5)
    store = world.store()
    digests = store.put_many([str(number).encode() for number in range(100)])
    kept = digests[::3]
    world.wait(2 * DAY)
    assert store.collect_garbage(kept).condemned == 66
    renewed = set(world.store().put_many([str(number).encode() for number in range(1, 30, 3)]))
    world.wait(DAY)
    report = store.collect_garbage(kept)
    assert (report.deleted, report.spared) == (56, 10)
    assert set(store) == set(kept) | renewed


def test_progress_is_told(world: World) -> None:
    store = world.store()
    kept = store.put(b"kept")
    store.put(b"garbage")
    told: list[Any] = []
    store.collect_garbage([kept], grace=timedelta(0), progress=told.append)
    assert [(step.stage, step.objects) for step in told] == [("marking", 1), ("condemning", 2), ("deleting", 1)]


# --- refusing


def test_a_live_list_that_is_missing_or_damaged_stops_the_sweep(world: World) -> None:
    store = world.store()
    digest = put_list(store, b"a", b"b")
    store.put(b"garbage")
    world.backend.replace(store.location(digest), b"CASL and other bytes")
    with pytest.raises(SweepRefused, match=str(digest)):
        store.collect_garbage([digest], grace=timedelta(0))
    store.delete(digest)
    with pytest.raises(SweepRefused, match=str(digest)):
        store.collect_garbage([digest], grace=timedelta(0))
    assert len(list(store)) == 3
    assert list(world.backend.names("sweep/")) == []


def test_a_live_list_that_is_archived_stops_the_sweep(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store = world.store()
    digest = put_list(store, b"a", b"b")

    def archived(name: str, *_: Any) -> bytes:
        raise ArchivedObject(name, "GLACIER")

    monkeypatch.setattr(world.backend, "read_range", archived)
    with pytest.raises(SweepRefused, match="restore it in S3"):
        store.collect_garbage([digest], grace=timedelta(0))
    assert len(list(store)) == 3


class _ListsByDirectory(MemoryBackend):
    """As some stand-ins for S3 do: ``a/b`` comes before ``a-b``."""

    def names(self, prefix: str = "") -> Iterator[str]:
        yield from sorted(super().names(prefix), key=lambda name: name.split("/"))


class _ListsInDisorder(MemoryBackend):
    def names(self, prefix: str = "") -> Iterator[str]:
        yield from reversed(list(super().names(prefix)))


def test_a_backend_that_lists_by_directory_is_swept_rightly(world: World) -> None:
    world.backend = _ListsByDirectory()
    store = world.store()
    kept = [put_list(store, b"a", b"b"), store.put(b"plain", plain=True), store.put(b"piece")]
    put_list(store, b"b", b"c")
    assert store.collect_garbage(kept, grace=timedelta(0)).deleted == 2
    assert store.fsck().ok
    assert set(kept) <= set(store)


def test_a_backend_that_lists_in_disorder_is_not_swept(world: World) -> None:
    world.backend = _ListsInDisorder()
    store = world.store()
    store.put_many([b"a", b"b", b"c"])
    with pytest.raises(SweepRefused, match="in order"):
        store.collect_garbage([], grace=timedelta(0))
    assert len(list(store)) == 3


def test_what_a_later_release_wrote_stops_the_sweep(world: World) -> None:
    store = world.store()
    store.put(b"garbage")
    world.backend.create("v2/anything", b"")
    for dry_run in (False, True):
        with pytest.raises(SweepRefused, match="upgrade"):
            store.collect_garbage([], grace=timedelta(0), dry_run=dry_run)
    assert len(list(store)) == 1


def test_an_error_of_what_tells_the_live_stops_the_sweep(world: World) -> None:
    store = world.store()
    store.put(b"garbage")

    def unreadable_records() -> Iterator[str]:
        yield str(store.put(b"kept"))
        raise OSError("the disk of the records failed")

    with pytest.raises(OSError, match="records"):
        store.collect_garbage(unreadable_records(), grace=timedelta(0))
    with pytest.raises(SweepRefused, match="'nonsense' is not a digest"):
        store.collect_garbage(["nonsense"], grace=timedelta(0))
    assert len(list(store)) == 2


def test_one_sweep_at_a_time(world: World) -> None:
    store = world.store()

    def live() -> Iterator[Digest]:
        with pytest.raises(SweepRefused, match="a sweep is at work"):
            store.collect_garbage([])
        yield from ()

    store.collect_garbage(live())


def test_a_sweep_that_was_taken_over_stops(world: World) -> None:
    store = world.store()
    store.put(b"garbage")

    def live() -> Iterator[Digest]:
        world.wait(timedelta(minutes=16))
        store.collect_garbage([])
        yield from ()

    with pytest.raises(SweepRefused, match="took over"):
        store.collect_garbage(live(), grace=timedelta(0))
    assert len(list(store)) == 1


def sealed(data: bytes) -> bytes:
    return data + hashlib.sha256(data).digest()


@pytest.mark.parametrize("header", [b"", b"{}", sealed(b""), sealed(b"{}"), sealed(b'{"v": 1}'), sealed(b"[1]")])
def test_writers_beside_a_damaged_list_write_anew_and_the_next_sweep_replaces_it(world: World, header: bytes) -> None:
    store = world.store()
    digest = store.put(b"garbage")
    world.wait(2 * DAY)
    store.collect_garbage([])
    world.backend.replace("sweep/v1/condemned", header)
    assert store.collect_garbage([], dry_run=True).condemned == 1
    world.store().put(b"garbage")
    assert store.collect_garbage([]).condemned == 0  # as it is young now
    assert store.get(digest) == b"garbage"
    assert list(world.backend.names("sweep/")) == []


def test_a_damaged_part_or_batch_is_no_hindrance_to_writers_or_the_sweep(world: World) -> None:
    store = world.store()
    store.put_many([b"garbage", b"other"])
    world.wait(2 * DAY)
    store.collect_garbage([])
    for name in [*world.backend.names("sweep/v1/list-"), "sweep/v1/batch"]:
        world.backend.replace(name, b"torn")
    world.wait(DAY - HOUR)
    writer = world.store()
    world.backend.delete("sweep/v1/batch")
    kept = writer.put(b"garbage")
    world.backend.replace("sweep/v1/batch", b"torn")
    world.wait(HOUR)
    assert store.collect_garbage([]).condemned == 1
    world.wait(DAY - HOUR)
    writer.confirm([kept])
    world.wait(HOUR)
    assert store.collect_garbage([kept]).deleted == 1
    assert list(store) == [kept]


def test_a_list_of_a_later_release_stops_writers_and_sweeps(world: World) -> None:
    store = world.store()
    world.backend.replace("sweep/v1/condemned", sealed(b'{"v": 2}'))
    for act in (lambda: store.put(b"content"), lambda: store.collect_garbage([])):
        with pytest.raises(UnsupportedFormat, match="upgrade"):
            act()


# --- beside writers


def test_a_writer_that_meets_what_is_condemned_writes_it_anew(world: World) -> None:
    store = world.store()
    store.put(b"garbage")
    put_list(store, b"a", b"b")
    world.wait(2 * DAY)
    assert store.collect_garbage([]).condemned == 4
    world.wait(DAY - HOUR)
    writer = world.store()
    small, large = writer.put(b"garbage"), put_list(writer, b"a", b"b")
    world.wait(HOUR)
    assert store.collect_garbage([]).spared == 4
    assert store.get(small) == b"garbage"
    assert store.get(large) == b"ab"


def test_a_plain_file_that_is_condemned_is_written_anew(world: World) -> None:
    store = world.store()
    digest = store.put(b"garbage", plain=True)
    world.wait(2 * DAY)
    store.collect_garbage([])
    world.wait(DAY - HOUR)
    world.store().put(b"garbage", plain=True)
    world.wait(HOUR)
    assert store.collect_garbage([]).spared == 1
    assert store.get(digest) == b"garbage"


@pytest.mark.parametrize("plain", [False, True])
def test_a_long_lived_writer_confirms_before_it_commits(world: World, plain: bool) -> None:
    writer, store = world.store(), world.store()
    small, large = writer.put(b"garbage", plain=plain), put_list(writer, b"a", b"b")
    world.wait(DAY + HOUR)
    assert store.collect_garbage([]).condemned == 4
    world.wait(DAY - HOUR)
    writer.confirm([small, large])
    world.wait(HOUR)
    assert store.collect_garbage([]).spared == 4
    assert store.get(large) == b"ab"


def test_confirming_what_was_collected_says_so(world: World) -> None:
    writer = world.store()
    digests = writer.put(b"garbage"), put_list(writer, b"a", b"b")
    world.wait(DAY)
    world.store().collect_garbage([], grace=timedelta(0))
    for digest in digests:
        with pytest.raises(MissingObject, match=str(digest)):
            writer.confirm([digest])


def test_confirming_what_one_deleted_oneself_says_so(world: World) -> None:
    store = world.store()
    deleted, collected = store.put(b"deleted"), store.put(b"collected")
    store.delete(deleted)
    with pytest.raises(MissingObject):
        store.confirm([deleted])
    store.collect_garbage([], grace=timedelta(0))
    with pytest.raises(MissingObject):
        store.confirm([collected])


def test_confirming_what_was_put_just_now_asks_nothing(world: World) -> None:
    calls: list[str] = []
    store = ContentStore(Hooked(world.backend, calls.append))  # type: ignore[arg-type]
    digests = [store.put(b"x"), put_list(store, b"a", b"b")]
    calls.clear()
    store.confirm(digests)
    assert calls == ["flush"]


class Hooked:
    """A backend that tells before each of its calls, and before each name of a listing."""

    def __init__(self, inner: Any, before: Callable[[str], None]) -> None:
        self._inner = inner
        self._before = before

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._inner, name)
        if not callable(attribute):
            return attribute

        def call(*arguments: Any) -> Any:
            self._before(name)
            result = attribute(*arguments)
            return self._told(name, result) if name in ("names", "stats") else result

        return call

    def _told(self, name: str, items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            yield item
            self._before(name)


class Actor:
    """Something that runs step by step: each of its backend calls, and each time it waits, gives the turn back."""

    current: Actor | None = None

    def __init__(self, world: World, act: Callable[[ContentStore], None]) -> None:
        self._go, self._back = threading.Semaphore(0), threading.Semaphore(0)
        self._act = act
        self._store = ContentStore(Hooked(world.backend, lambda _: self.pause()))  # type: ignore[arg-type]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.done = False
        self.failure: BaseException | None = None
        self._thread.start()

    def step(self) -> None:
        """Let it run until its next call."""
        Actor.current = self
        self._go.release()
        self._back.acquire()
        if self.done and self.failure:
            raise self.failure

    def pause(self) -> None:
        self._back.release()
        self._go.acquire()

    def _run(self) -> None:
        self._go.acquire()
        try:
            self._act(self._store)
        except BaseException as error:
            self.failure = error
        self.done = True
        self._back.release()


def test_a_sweep_that_ends_while_a_writer_looks_into_its_list_takes_nothing_from_it(world: World) -> None:
    store = world.store()
    digest = store.put(b"garbage")
    world.wait(2 * DAY)
    store.collect_garbage([])
    world.wait(DAY)
    reads = itertools.count(1)

    def end_the_sweep(call: str) -> None:
        if call == "read" and next(reads) == 2:  # the header was read, the part is about to be
            assert store.collect_garbage([]).deleted == 1

    ContentStore(Hooked(world.backend, end_the_sweep)).put(b"garbage")  # type: ignore[arg-type]
    assert store.get(digest) == b"garbage"


def test_a_writer_waits_for_a_batch_but_not_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    store = world.store()
    digest = store.put(b"garbage")
    world.wait(2 * DAY)
    store.collect_garbage([])
    world.wait(DAY)

    def die_before_deleting(call: str) -> None:
        if call == "stat" and world.backend.exists("sweep/v1/batch"):
            raise _Killed

    with pytest.raises(_Killed):
        ContentStore(Hooked(world.backend, die_before_deleting)).collect_garbage([])  # type: ignore[arg-type]
    waits: list[float] = []
    monkeypatch.setattr(renewing, "sleep", lambda _: (waits.append(0), world.wait(timedelta(minutes=1))))
    writer = world.store()
    for _ in range(2):
        writer.put(b"garbage")
    assert len(waits) == 15
    assert store.collect_garbage([], resume=True).spared == 1
    assert store.get(digest) == b"garbage"


CONTENTS = b"garbage", (b"a", b"b"), (b"b", b"new"), b"never seen"


def put_any(world: World, store: ContentStore, content: Any) -> Digest:
    while True:
        try:
            return world.put(store, content)
        except MissingObject:  # days passed while it was put, and a sweep took its first pieces
            continue


def commit(world: World, store: ContentStore, content: Any, digest: Digest) -> None:
    """What a right caller does: confirm, and put again what was collected; start over where too much time passed."""
    while True:
        began = renewing.clock()
        try:
            store.confirm([digest])
        except MissingObject:
            put_any(world, store, content)
            continue
        if renewing.clock() - began < 900:
            world.records.append(digest)
            return


def writing(world: World, content: Any) -> Callable[[ContentStore], None]:
    return lambda store: commit(world, store, content, put_any(world, store, content))


def sweeping(world: World) -> Callable[[ContentStore], None]:
    """Two calls a day apart: the second deletes and condemns."""

    def sweep(store: ContentStore) -> None:
        for _ in range(2):
            store.collect_garbage(world.live())
            world.wait(DAY + HOUR)

    return sweep


def prepare(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewing, "sleep", lambda _: Actor.current.pause())  # type: ignore[union-attr]
    monkeypatch.setattr("cas_store.sweeping.BATCH_RECORDS", 2)
    store = world.store()
    for content in CONTENTS[:2]:
        put_any(world, store, content)
    world.records.append(world.put(store, b"kept"))
    world.wait(2 * DAY)


def check(world: World, contents: tuple[Any, ...]) -> None:
    """All that was committed reads back, now and after more sweeps; nothing is left that is neither live nor young."""
    store = world.store()
    wanted = [b"kept", *(b"".join(content) if isinstance(content, tuple) else content for content in contents)]
    for _ in range(2):
        assert sorted(map(store.get, world.records)) == sorted(wanted)
        world.wait(DAY + HOUR)
        store.collect_garbage(world.live())
    report = store.fsck()
    assert (report.ok, report.leftovers) == (True, ())


def comes_at(world: World, point: int, content: Any, *, ahead: bool) -> bool:
    """A writer does all its work before the sweep's call of that number; whether the sweep has so many."""
    if ahead:
        early = world.store()
        digest = put_any(world, early, content)
        world.wait(DAY)
        writer = Actor(world, lambda _: commit(world, early, content, digest))
    else:
        writer = Actor(world, writing(world, content))
    sweeper = Actor(world, sweeping(world))
    for _ in range(point):
        if not sweeper.done:
            sweeper.step()
    reached = not sweeper.done
    while not (writer.done and sweeper.done):
        for _ in range(100):  # more than a writer needs that does not have to wait for the sweep
            if not writer.done:
                writer.step()
        if not sweeper.done:
            sweeper.step()
    return reached


@pytest.mark.parametrize(
    ("content", "ahead", "kind"),
    [
        *itertools.product(CONTENTS, [False, True], ["memory"]),
        (CONTENTS[1], False, "local"),
        *itertools.product(CONTENTS[:2], [False, True], ["rows"]),
    ],
    ids=lambda value: repr(value).replace(" ", "") if isinstance(value, (bytes, tuple)) else str(value),
)
def test_nothing_is_lost_wherever_in_a_sweep_a_writer_comes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: Any, ahead: bool, kind: str
) -> None:
    for point in itertools.count(step={"memory": 1, "local": 5, "rows": 13}[kind]):
        with monkeypatch.context() as patch:
            world = World(patch, None if kind == "memory" else tmp_path / str(point), rows=kind == "rows")
            prepare(world, patch)
            reached = comes_at(world, point, content, ahead=ahead)
            check(world, (content,))
            if not reached:
                assert point > 30
                return


@pytest.mark.parametrize("seed", range(120))
def test_nothing_is_lost_however_writers_and_a_sweep_interleave(
    world: World, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    prepare(world, monkeypatch)
    chance = random.Random(seed)
    contents = tuple(chance.choice(CONTENTS) for _ in range(2))
    actors = [Actor(world, sweeping(world)), *(Actor(world, writing(world, content)) for content in contents)]
    weights = [chance.choice([1, 3, 10]) for _ in actors]
    while not all(actor.done for actor in actors):
        actor = chance.choices(actors, weights)[0]
        for _ in range(chance.randrange(6)):
            if not actor.done:
                actor.step()
    check(world, contents)


# --- killed


class _Killed(BaseException):
    pass


def test_a_sweep_killed_at_any_point_is_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for point in itertools.count():
        with monkeypatch.context() as patch:
            world = World(patch)
            prepare(world, patch)
            left = itertools.count(point, -1)

            def die(_: str, left: Iterator[int] = left) -> None:
                if next(left) <= 0:
                    raise _Killed

            doomed = ContentStore(Hooked(world.backend, die))  # type: ignore[arg-type]
            try:
                sweeping(world)(doomed)
            except _Killed:
                pass
            else:
                return
            for _ in range(3):
                world.store().collect_garbage(world.live(), resume=True)
                world.wait(DAY + HOUR)
            assert list(world.store()) == world.records
            assert list(world.backend.names("sweep/")) == []
