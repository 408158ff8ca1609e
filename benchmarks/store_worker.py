"""One store in a process of its own, ours or Metaflow's, that does what it is told and says what it took.

``python store_worker.py ours|metaflow``: a JSON object a line in, one a line out. Runs in either environment, so it needs NumPy
and one of the stores only.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from backing import back_memory

MIB = 1024 * 1024
FLOATS = 32 * MIB  # 256 MiB of float64


@functools.lru_cache(maxsize=2)
def data(name: str) -> Any:
    """The benchmarks' contents: the same in every process."""
    random = np.random.default_rng(0)
    if name == "R":
        return random.normal(size=FLOATS)
    if name == "S":
        return np.cumsum(random.integers(-2, 3, size=FLOATS)).astype(np.float64) / 4
    if name == "T":
        return _json_text(256 * MIB)
    if name == "K":
        return [bytes(row) for row in random.integers(0, 256, size=(10_000, 1024), dtype=np.uint8)]
    if name == "R, 1 % changed in place":
        array = data("R").copy()
        array[FLOATS // 3 : FLOATS // 3 + FLOATS // 100] = 0.5 + np.arange(FLOATS // 100)
        return array
    if name == "R, 1 % appended":
        return np.concatenate([data("R"), random.normal(size=FLOATS // 100) + 7])
    if name == "R as bytes":
        return data("R").tobytes()
    assert name == "R as bytes, 1,000 bytes inserted"
    whole = data("R as bytes")
    return whole[:5000] + bytes(range(250)) * 4 + whole[5000:]


def _json_text(size: int) -> str:
    """A record a line, all different: numbers, a time, and words as frequent as in a language (Zipf)."""
    random = np.random.default_rng(1)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(random.choice(letters, random.integers(2, 11))) for _ in range(5000)]
    count = size // 180
    ids, values = random.integers(1 << 40, size=count).tolist(), random.normal(size=count).tolist()
    picks = np.minimum(random.zipf(1.3, size=(count, 16)), len(words)) - 1
    row = '{"id": %d, "user": "%s", "value": %r, "at": "2026-01-%02dT%02d:%02d:07Z", "text": "%s"}\n'
    rows = (
        row
        % (one, words[one % 5000], value, one % 28 + 1, one % 24, one % 60, " ".join([words[pick] for pick in chosen]))
        for one, value, chosen in zip(ids, values, picks.tolist(), strict=True)
    )
    text = "".join(rows)
    return (text * (size // len(text) + 1))[:size] if len(text) < size else text[:size]


class Ours:
    """cas_store on a local directory, with its default fsync policy (``batch``)."""

    def __init__(self, root: str) -> None:
        from cas_store import ContentStore, LocalBackend, ObjectStore

        self.root = root
        self.store = ContentStore(LocalBackend(root))
        self.objects = ObjectStore(self.store)

    def save(self, value: Any) -> Any:
        """The key of a saved value."""
        return self.objects.save(value).to_json()

    def save_many(self, blobs: list[bytes]) -> Any:
        """The keys of many byte strings."""
        return [str(digest) for digest in self.store.put_many(blobs)]

    def load(self, key: Any) -> Any:
        """A value."""
        from cas_store import Reference

        return self.objects.load(Reference.from_json(key))

    def load_many(self, keys: list[str]) -> int:
        """How many bytes the byte strings have that were loaded."""
        from cas_store import Digest

        return sum(len(content) for content in self.store.get_many(map(Digest.parse, keys)))

    def forget_verified(self) -> None:
        """Let it verify what it loads."""
        shutil.rmtree(Path(self.root, "verified"), ignore_errors=True)


class Metaflow:
    """Metaflow's content-addressed store on a local directory, with its artifact serializer."""

    def __init__(self, root: str) -> None:
        from metaflow.datastore.content_addressed_store import ContentAddressedStore
        from metaflow.plugins.datastores.local_storage import LocalStorage
        from metaflow.plugins.datastores.serializers.pickle_serializer import PickleSerializer

        self.serializer = PickleSerializer
        self.store = ContentAddressedStore("data", LocalStorage(root))

    def save(self, value: Any) -> Any:
        """The key of a saved value."""
        blobs, _ = self.serializer.serialize(value)
        return self.store.save_blobs(iter([blobs[0].value]))[0].key

    def save_many(self, blobs: list[bytes]) -> Any:
        """The keys of many byte strings."""
        return [one.key for one in self.store.save_blobs(iter(blobs), len_hint=len(blobs))]

    def load(self, key: Any) -> Any:
        """A value."""
        [(_, blob)] = self.store.load_blobs([key])
        return self.serializer.deserialize([blob])

    def load_many(self, keys: list[str]) -> int:
        """How many bytes the byte strings have that were loaded."""
        return sum(len(blob) for _, blob in self.store.load_blobs(keys))

    def forget_verified(self) -> None:
        """It never verifies."""


def memory(reset: bool) -> float:
    """MiB of this process: now (and the peak starts anew from here), or the peak since."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    field = "VmRSS:" if reset else "VmHWM:"
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def stored_bytes(root: str) -> int:
    """Bytes of all files of a store, but for what is only remembered."""
    return sum(
        path.lstat().st_size for path in Path(root).rglob("*") if "verified" not in path.parts and path.is_file()
    )


def peak(act: Any) -> tuple[Any, dict[str, float]]:
    """What it gives, and what it took: seconds of wall and CPU (all threads), MiB of growth."""
    back_memory()
    before = memory(reset=True)
    used, started = time.process_time(), time.perf_counter()
    result = act()
    return result, {
        "wall": time.perf_counter() - started,
        "cpu": time.process_time() - used,
        "growth": memory(reset=False) - before,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def answer(kind: type[Ours] | type[Metaflow], told: dict[str, Any]) -> dict[str, Any]:
    """Do one thing."""
    store = kind(told["root"])
    content = data(told["data"]) if "data" in told else None
    match told["do"]:
        case "save":
            result, took = peak(lambda: store.save(content))
        case "save many":
            result, took = peak(lambda: store.save_many(content))
        case "load":
            if not told.get("verified"):
                store.forget_verified()
            value, took = peak(lambda: store.load(told["key"]))
            result = len(value)
        case "load many":
            result, took = peak(lambda: store.load_many(told["key"]))
        case "hash":
            import hashlib

            result, took = peak(lambda: hashlib.sha256(memoryview(content).cast("B")).hexdigest())
        case _:
            result, took = peak(lambda: _write_files(told["root"], memoryview(content).cast("B")))
    return {"result": result, "stored": stored_bytes(told["root"]), **took}


def _write_files(root: str, view: memoryview) -> int:
    """The floor of writing: the same files, of bytes that are known already, on disk before they get their names."""
    from ctypes import CDLL

    Path(root).mkdir(parents=True, exist_ok=True)
    length, together = 2 * MIB, 16 * MIB
    for start in range(0, view.nbytes, together):
        fds = []
        for at in range(start, min(start + together, view.nbytes), length):
            fds.append(os.open(root, os.O_TMPFILE | os.O_WRONLY, 0o666))
            os.write(fds[-1], view[at : at + length])
        CDLL(None).syncfs(fds[0])
        for fd in fds:
            os.link(f"/proc/self/fd/{fd}", f"{root}/{start}-{fd}", src_dir_fd=fd, follow_symlinks=True)
            os.close(fd)
    return view.nbytes


def main() -> None:
    """Answer until standard input ends."""
    kind = {"ours": Ours, "metaflow": Metaflow}[sys.argv[1]]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints
    for line in sys.stdin:
        print(json.dumps(answer(kind, json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
