"""`ContentStore`: bytes, once, by content."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Union

import attrs

from cas_store import checking, counting, reading, sweeping
from cas_store.backend import Backend, Bytes
from cas_store.checking import FsckReport
from cas_store.chunking import MIB
from cas_store.counting import Usage
from cas_store.digests import ALGORITHMS, FILE, VERSION_PREFIX, Digest, digest_at, digest_given, digest_of, location
from cas_store.errors import DamagedObject
from cas_store.frames import codec
from cas_store.parallel import in_order
from cas_store.progress import Watch
from cas_store.references import Reference, digests_of
from cas_store.renewing import Renewing
from cas_store.storing import Writer, flat
from cas_store.streams import ObjectStream
from cas_store.sweeping import SweepReport
from cas_store.verified import Verified, name_of

Content = Union[bytes, bytearray, memoryview, "os.PathLike[str]", BinaryIO]


@attrs.frozen
class ObjectStat:
    """What a store knows of an object: its length, and the length of its own file (a list's pieces not included)."""

    size_bytes: int
    stored_bytes: int
    pieces: int


class ContentStore:
    """Keeps bytes once, by content, and gives them back verified. Safe to share between threads; survives a fork.

    Every method that takes a `Digest` raises `MissingObject` where there is none and `DamagedObject` rather than return wrong
    bytes. Any number of stores, processes and machines may use one backend at once.
    """

    def __init__(self, backend: Backend) -> None:
        given: object = backend
        if isinstance(given, type) or not hasattr(given, "create_parts"):  # what only behaves like a backend is one
            place = repr(str(given)) if isinstance(given, (str, os.PathLike)) else "'objects'"
            raise TypeError(
                f"{given!r:.200} is no backend: give LocalBackend({place}), or S3Backend('s3://bucket/prefix')"
            )
        self.backend = backend
        self._renewing = Renewing(backend)
        self.writer = Writer(backend, self._renewing)
        self._verified = Verified(backend)

    def __repr__(self) -> str:
        return f"ContentStore({self.backend!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        """For other processes: the backend, and nothing of what this one relies on."""
        return type(self), (self.backend,)

    # --- putting

    def put(self, content: Content, *, plain: bool = False) -> Digest:
        """Store bytes, a file (given as a path) or what a binary stream gives until its end, and return its digest.

        What reading the file or the stream raises comes out as it is. Equal bytes have equal digests. ``plain`` keeps the bytes
        as they are, in one file whatever their number, for readers that know nothing of this library (see `location`); their
        digests are others than those of ``put`` without it.
        """
        if plain:
            return self._put_file(content)
        if isinstance(content, (bytes, bytearray, memoryview)):
            digest = self.writer.bytes(content)
        elif isinstance(content, os.PathLike):
            with Path(content).open("rb", buffering=0) as file:
                digest = self.writer.stream(file)
        else:
            digest = self.writer.stream(_readable(content))
        if digest.is_list:
            self.backend.flush()
        return digest

    def put_buffer(self, data: Bytes) -> Digest:
        """Store memory that will be mapped: cut at fixed lengths instead of by content. See DESIGN.md for when which is right."""
        digest = self.writer.buffer(data)
        if digest.is_list:
            self.backend.flush()
        return digest

    def put_many(self, contents: Iterable[Bytes]) -> list[Digest]:
        """As ``put`` for each, several at a time where that pays; the digests in the order of the contents."""
        workers = self._small_workers()
        digests = list(self.writer.many(contents) if workers == 1 else in_order(workers, self.writer.bytes, contents))
        self.backend.flush()
        return digests

    # --- getting

    def get(self, digest: Digest) -> bytes:
        """All bytes of an object."""
        return reading.read_whole(self.backend, digest_given(digest))

    def get_many(self, digests: Iterable[Digest]) -> Iterator[bytes]:
        """As ``get`` for each, several at a time where that pays, in order; at most a few are held."""
        return in_order(self._small_workers(), self.get, digests)

    def get_range(self, digest: Digest, offset: int, size: int) -> bytes:
        """Some bytes of an object; only the pieces that hold them are read."""
        with self.open(digest) as stream:
            stream.seek(offset)
            return stream.read(max(size, 0))

    def view(self, digest: Digest) -> memoryview:
        """An object's bytes, read-only: mapped where the backend has files and they hold raw bytes, else in memory."""
        return self.load(digest).toreadonly()

    def load(self, digest: Digest) -> memoryview:
        """As ``view``, writable: changes stay in this process and never reach the store."""
        return reading.load_buffer(self.backend, self._verified, digest_given(digest))

    def open(self, digest: Digest) -> BinaryIO:
        """A seekable read-only stream; holds one piece of at most some MiB at a time."""
        return io.BufferedReader(ObjectStream(self.backend, digest_given(digest)), 64 * 1024)

    def parts(self, digest: Digest) -> Iterator[bytes]:
        """All bytes in order, in parts of at most some MiB, read ahead where that pays: for copying large objects."""
        return reading.read_parts(self.backend, digest_given(digest))

    # --- knowing

    def __contains__(self, digest: object) -> bool:
        return self.contains(digest)  # type: ignore[arg-type]  # which says so of what is no digest

    def contains(self, digest: Digest) -> bool:
        """Whether the object is stored, asked by name, never by listing. Of a large one this asks for its list only."""
        return self.backend.exists(location(digest_given(digest)))

    def stat(self, digest: Digest) -> ObjectStat:
        """Lengths of an object, from as few bytes as tell them."""
        stored = reading.file_size(self.backend, digest_given(digest))
        if digest.is_list:
            pieces = reading.read_list(self.backend, digest)
            return ObjectStat(pieces.size, stored, len(pieces.ends))
        return ObjectStat(reading.object_size(self.backend, digest), stored, 1)

    def location(self, digest: Digest) -> str:
        """The name of the digest's file in the backend."""
        return location(digest_given(digest))

    def __iter__(self) -> Iterator[Digest]:
        return self.digests()

    def digests(self) -> Iterator[Digest]:
        """Every digest that has a file: objects, lists, and the pieces of lists. Sorted by algorithm and digits."""
        for algorithm in sorted(ALGORITHMS):
            for name in self.backend.names(f"{VERSION_PREFIX}{algorithm}/"):
                digest = digest_at(name)
                if digest is not None:
                    yield digest

    def warm_up(self) -> None:
        """Import now what is otherwise imported when it is first needed: for a process that goes on to fork."""
        for module in ("ctypes", "concurrent.futures.thread", "pyfastcdc"):
            import_module(module)
        codec()
        self.backend.warm_up()

    # --- removing

    def delete(self, digest: Digest) -> None:
        """Remove an object's file at once, whoever needs it: `collect_garbage` is the safe way. Pieces of a list stay."""
        name = location(digest_given(digest))
        self._renewing.forget()
        self.backend.delete(name)
        self.backend.delete(name_of(digest))

    # --- care

    def confirm(self, digests: Iterable[Digest | Reference | str]) -> None:
        """Make sure that what is about to be referred to is there and stays, beside any sweep on any machine.

        To be called right before a record that keeps these alive is written, where they were put (or found in another record)
        more than half an hour ago; the record has to be there within 15 minutes of this call. What is condemned is written
        anew. Costs nothing for what this store put a few minutes ago. Raises `MissingObject` where something was collected
        already: put it again.
        """
        self._renewing.confirm(digests_of(digests))
        self.backend.flush()

    def collect_garbage(
        self,
        live: Iterable[Digest | Reference | str],
        *,
        grace: timedelta = timedelta(days=1),
        dry_run: bool = False,
        resume: bool = False,
        progress: Watch | None = None,
    ) -> SweepReport:
        """Delete what is not live, in two calls at least ``grace`` apart, beside any number of writers. Meant to run daily.

        A call deletes what an earlier one condemned at least ``grace`` ago, if it still is not live and nobody wrote it since;
        then it condemns what is not live now and older than ``grace``. While a grace is not over it does nothing, not even read
        ``live``. ``live`` is an iterable of any length of what has to stay; lists keep their pieces. Gather it when this is
        called, not earlier: it must show every record that was there an hour after the call that condemned.

        ``timedelta(0)`` deletes at once, and is for stores that nobody else uses meanwhile; other graces are an hour or more.
        ``dry_run`` writes nothing. A sweep that was killed is taken up by the next call, 15 minutes later or with ``resume``.
        Raises `SweepRefused`, and has deleted nothing that is live, where another sweep is at work, or where anything that may
        keep something alive is missing, damaged or of a later version. Memory stays bounded: what is many lies on disk, in the
        directory for temporary files (some 40 bytes a digest).
        """
        if dry_run:
            return sweeping.rehearse(self.backend, live, grace, progress)
        self._renewing.forget()
        return sweeping.collect(self.backend, live, grace, resume=resume, watch=progress)

    def fsck(
        self, *, quarantine: bool = False, remove_leftovers: timedelta | None = None, progress: Watch | None = None
    ) -> FsckReport:
        """Read and verify everything, several objects at once; never unpickles. Safe beside writers and sweeps.

        ``quarantine`` moves damaged files below ``quarantine/``, so that storing the same content again mends what needs it.
        ``remove_leftovers`` deletes what interrupted writers and sweeps left behind and is older than this; give a day or more
        while others may be at work.
        """
        return checking.check(self.backend, quarantine=quarantine, remove_leftovers=remove_leftovers, watch=progress)

    def usage(self, *, progress: Watch | None = None) -> Usage:
        """Count objects and bytes: one listing, one read for each list, and a short one for each piece that is in no list."""
        return counting.measure(self.backend, progress)

    # --- inside

    def _small_workers(self) -> int:
        """Local and memory writes of small objects are bound by this process: threads would only cost."""
        return self.backend.parallel if self.backend.parallel > 2 else 1

    def _put_file(self, content: Content) -> Digest:
        if isinstance(content, (bytes, bytearray, memoryview)):
            view = flat(content)
            digest = digest_of(FILE, view)
            self.writer.file(digest, lambda: [view[at : at + MIB] for at in range(0, view.nbytes, MIB)], view.nbytes)
            self.backend.flush()
            return digest
        if isinstance(content, os.PathLike):
            with Path(content).open("rb", buffering=0) as file:
                return self._put_open_file(file)
        import tempfile

        with tempfile.TemporaryFile() as spool:
            _copy(_readable(content), spool)
            return self._put_open_file(spool)

    def _put_open_file(self, file: Any) -> Digest:
        """The digest must be known before the name: read once to hash, once more to store."""
        digest, size = _hash_file(file)
        self.writer.file(digest, lambda: _checked(file, digest), size)
        self.backend.flush()
        return digest


def store_given(store: object) -> ContentStore:
    """An argument that has to be a store; `TypeError` says how to make one."""
    if isinstance(store, ContentStore):
        return store
    raise TypeError(f"{store!r:.200} is no store: give a ContentStore, such as ContentStore(LocalBackend('objects'))")


def _readable(content: object) -> Any:
    if not hasattr(content, "read") or isinstance(content, io.TextIOBase):
        raise TypeError(
            f"cannot store a {type(content).__name__}: give bytes, a pathlib.Path, or a stream that is open in binary mode"
        )
    return content


def _blocks(file: Any) -> Iterator[bytes]:
    while block := file.read(MIB):
        yield block


def _copy(source: Any, target: Any) -> None:
    for block in _blocks(source):
        target.write(block)


def _hash_file(file: Any) -> tuple[Digest, int]:
    file.seek(0)
    state = hashlib.sha256()
    size = 0
    for block in _blocks(file):
        state.update(block)
        size += len(block)
    return Digest(FILE, state.hexdigest()), size


def _checked(file: Any, digest: Digest) -> Iterator[bytes]:
    """The file's blocks again; a file that was changed in between is noticed before it gets a name."""
    file.seek(0)
    state = hashlib.sha256()
    for block in _blocks(file):
        state.update(block)
        yield block
    if state.hexdigest() != digest.hex:
        raise DamagedObject(digest, "the file was changed while it was being stored: store it again")
