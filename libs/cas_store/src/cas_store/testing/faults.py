"""A backend that goes wrong on a schedule, around one that does not.

::

    backend = FaultyBackend(MemoryBackend(), at({3: Fail(), 5: Truncate(10)}))

The third call fails, the fifth returns ten bytes less than it should. What was called is in ``backend.calls``.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import attrs

from cas_store.backend import Backend, Bytes, Stat
from cas_store.errors import BackendUnavailable, CasStoreError

R = TypeVar("R")


@attrs.frozen
class Call:
    """One call of the wrapped backend: its number from 1 on, the method, and the name (or prefix) that it is about."""

    number: int
    method: str
    name: str


@attrs.frozen
class Fault:
    """What goes wrong with one call; this one: nothing."""

    def before(self, call: Call) -> None:
        """What happens before the backend sees the call."""

    def written(self, data: bytes) -> bytes:
        """What reaches the backend of what is written."""
        return data

    def after(self, call: Call) -> None:
        """What happens after the backend has done it."""

    def returned(self, data: bytes) -> bytes:
        """What the caller gets of what was read."""
        return data


@attrs.frozen
class Fail(Fault):
    """The call raises and does nothing: ``error``, or `BackendUnavailable`."""

    error: CasStoreError | None = None

    def before(self, call: Call) -> None:
        """Raise."""
        raise self.error or BackendUnavailable(f"injected: {call.method} of {call.name!r} failed", call.name)


@attrs.frozen
class LoseAnswer(Fault):
    """The call is done, but the caller is told that it failed: a connection reset at the end, a timeout too short."""

    error: CasStoreError | None = None

    def after(self, call: Call) -> None:
        """Raise."""
        raise self.error or BackendUnavailable(f"injected: no answer to {call.method} of {call.name!r}", call.name)


@attrs.frozen
class Tear(LoseAnswer):
    """Only the first ``kept`` bytes of what is written arrive, then the call fails: what a power cut can do."""

    kept: int = 0

    def written(self, data: bytes) -> bytes:
        """The first bytes."""
        return data[: self.kept]


@attrs.frozen
class Delay(Fault):
    """The call takes ``seconds`` longer."""

    seconds: float

    def before(self, call: Call) -> None:
        """Wait."""
        time.sleep(self.seconds)


@attrs.frozen
class Truncate(Fault):
    """What is read comes back ``missing`` bytes short, without an error."""

    missing: int = 1

    def returned(self, data: bytes) -> bytes:
        """All but the last bytes."""
        return data[: max(len(data) - self.missing, 0)]


@attrs.frozen
class Flip(Fault):
    """One bit of what is read comes back flipped: number ``bit`` modulo the number of bits."""

    bit: int = 0

    def returned(self, data: bytes) -> bytes:
        """The bytes, one of them wrong."""
        if not data:
            return data
        at = self.bit % (8 * len(data))
        return data[: at // 8] + bytes([data[at // 8] ^ 1 << at % 8]) + data[at // 8 + 1 :]


Schedule = Callable[[Call], Fault | None]


def at(faults: Mapping[int, Fault]) -> Schedule:
    """These faults at the calls of these numbers."""
    return lambda call: faults.get(call.number)


def every(number: int, fault: Fault, methods: Sequence[str] = ()) -> Schedule:
    """The fault at each ``number``-th call, of these methods if any are given (calls of others are counted, too)."""
    return lambda call: fault if call.number % number == 0 and (not methods or call.method in methods) else None


def seeded(seed: int, share: float, faults: Sequence[Fault]) -> Schedule:
    """Any of the faults at this share of the calls; the same ones for the same seed, however many threads call."""

    def choose(call: Call) -> Fault | None:
        chance = random.Random(f"{seed} {call.number}")
        return chance.choice(faults) if chance.random() < share else None

    return choose


class FaultyBackend(Backend):
    """Passes every call on to ``backend``, but for what ``schedule`` says. Safe to share between threads if the backend is."""

    def __init__(self, backend: Backend, schedule: Schedule = lambda _: None) -> None:
        self.backend = backend
        self.schedule = schedule
        self.calls: list[Call] = []
        self.parallel = backend.parallel
        self.ask_first_bytes = backend.ask_first_bytes
        self.may_tear = backend.may_tear
        self.has_files = backend.has_files
        self.small_bytes = backend.small_bytes
        self.together_bytes = backend.together_bytes
        self._lock = threading.Lock()

    def count(self, *methods: str) -> int:
        """How many calls of these methods there were."""
        return sum(call.method in methods for call in self.calls)

    def create(self, name: str, data: Bytes) -> bool:
        """Passed on."""
        return self._call("create", name, lambda fault: self.backend.create(name, _written(fault, data)))

    def create_many(self, items: Sequence[tuple[str, Bytes]]) -> list[str]:
        """Passed on."""
        return self._call("create_many", "", lambda _: self.backend.create_many(items))

    def create_parts(self, name: str, parts: Iterable[Bytes], size: int) -> bool:
        """Passed on; as one part where the fault is about what is written."""

        def create(fault: Fault) -> bool:
            if isinstance(fault, Tear):
                return self.backend.create(name, fault.written(b"".join(parts)))
            return self.backend.create_parts(name, parts, size)

        return self._call("create_parts", name, create)

    def replace(self, name: str, data: Bytes) -> None:
        """Passed on."""
        self._call("replace", name, lambda fault: self.backend.replace(name, _written(fault, data)))

    def replace_parts(self, name: str, parts: Iterable[Bytes], size: int) -> None:
        """Passed on; as one part where the fault is about what is written."""

        def replace(fault: Fault) -> None:
            if isinstance(fault, Tear):
                self.backend.replace(name, fault.written(b"".join(parts)))
            else:
                self.backend.replace_parts(name, parts, size)

        self._call("replace_parts", name, replace)

    def read(self, name: str) -> bytes:
        """Passed on."""
        return self._call("read", name, lambda fault: fault.returned(self.backend.read(name)))

    def read_range(self, name: str, offset: int, size: int) -> bytes:
        """Passed on."""
        return self._call("read_range", name, lambda fault: fault.returned(self.backend.read_range(name, offset, size)))

    def exists(self, name: str) -> bool:
        """Passed on."""
        return self._call("exists", name, lambda _: self.backend.exists(name))

    def stat(self, name: str) -> Stat:
        """Passed on."""
        return self._call("stat", name, lambda _: self.backend.stat(name))

    def delete(self, name: str) -> None:
        """Passed on."""
        self._call("delete", name, lambda _: self.backend.delete(name))

    def delete_many(self, names: Iterable[str]) -> None:
        """Passed on."""
        self._call("delete_many", "", lambda _: self.backend.delete_many(names))

    def names(self, prefix: str = "") -> Iterator[str]:
        """Passed on; a fault comes with the first name."""
        yield from self._call("names", prefix, lambda _: self.backend.names(prefix))

    def stats(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        """Passed on; a fault comes with the first name."""
        yield from self._call("stats", prefix, lambda _: self.backend.stats(prefix))

    def leftovers(self) -> Iterator[tuple[str, Stat]]:
        """Passed on."""
        yield from self._call("leftovers", "", lambda _: self.backend.leftovers())

    def remove_leftover(self, name: str) -> None:
        """Passed on."""
        self._call("remove_leftover", name, lambda _: self.backend.remove_leftover(name))

    def damage(self) -> Mapping[str, str]:
        """Passed on."""
        return self._call("damage", "", lambda _: self.backend.damage())

    def set_aside(self, name: str, aside: str) -> Iterator[tuple[str, bytes]]:
        """Passed on."""
        yield from self._call("set_aside", name, lambda _: self.backend.set_aside(name, aside))

    def flush(self) -> None:
        """Passed on."""
        self._call("flush", "", lambda _: self.backend.flush())

    def rely_on(self, latest: Stat) -> None:
        """Passed on, without a fault: it is no call about a name."""
        self.backend.rely_on(latest)

    def open_file(self, name: str) -> int | None:
        """Passed on: faults of reading cannot reach what is mapped."""
        return self._call("open_file", name, lambda _: self.backend.open_file(name))

    def _call(self, method: str, name: str, act: Callable[[Fault], R]) -> R:
        with self._lock:
            call = Call(len(self.calls) + 1, method, name)
            self.calls.append(call)
        fault = self.schedule(call) or Fault()
        fault.before(call)
        result = act(fault)
        fault.after(call)
        return result


def _written(fault: Fault, data: Bytes) -> Bytes:
    return fault.written(bytes(data)) if isinstance(fault, Tear) else data
