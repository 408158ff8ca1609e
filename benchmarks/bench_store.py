"""The content store beside Metaflow's: saving and loading large values, saving many small ones.

R: 256 MiB of random float64; S: of a smooth series; T: 256 MiB of JSON text; K: 10,000 objects of 1 KiB. CPU seconds are those of
all threads. Both run in turn, each in a process of its own; medians.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness import heading, peer

RUNS = 2
HERE = Path(__file__).parent
MIB = 1024 * 1024


class Worker:
    """A store in a process of its own."""

    def __init__(self, kind: str, python: str) -> None:
        self.kind = kind
        self._process = subprocess.Popen(
            [python, str(HERE / "store_worker.py"), kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def do(self, what: str, root: Path, **told: Any) -> dict[str, Any]:
        """What one thing took."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"do": what, "root": str(root), **told}), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the worker of {self.kind} ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def median(rows: list[dict[str, Any]], key: str) -> float:
    """The median of one figure."""
    return statistics.median(row[key] for row in rows)


def line(what: str, ours: float, theirs: float, goal: str, unit: str = "MiB/s") -> None:
    """One comparison: ours, the other's, how many times it is, and what was aimed at."""
    print(f"{what:44} {ours:10.1f} {theirs:10.1f} {unit:8} {ours / theirs:8.2f} x   goal {goal}")


def fresh(directory: Path) -> Path:
    """An empty place below it."""
    shutil.rmtree(directory, ignore_errors=True)
    return directory


def save_and_load(ours: Worker, metaflow: Worker, at: Path, name: str, goals: tuple[str, str]) -> None:
    """Save and load one large value, both stores in turn."""
    saves: dict[str, list[dict[str, Any]]] = {"ours": [], "metaflow": []}
    loads: dict[str, list[dict[str, Any]]] = {"ours": [], "metaflow": []}
    for _ in range(RUNS):
        for worker in (ours, metaflow):
            root = fresh(at / worker.kind)
            saved = worker.do("save", root, data=name)
            saves[worker.kind].append(saved)
            loads[worker.kind].append(worker.do("load", root, key=saved["result"]))
    speed = {kind: 256 / median(rows, "cpu") for kind, rows in saves.items()}
    line(f"save {name}, cpu", speed["ours"], speed["metaflow"], goals[0])
    wall = {kind: 256 / median(rows, "wall") for kind, rows in saves.items()}
    line(f"save {name}, wall", wall["ours"], wall["metaflow"], "-")
    size = {kind: 256 * MIB / rows[0]["stored"] for kind, rows in saves.items()}
    line(f"save {name}, how many times smaller", size["ours"], size["metaflow"], ">= 1 x", "times")
    for clock in ("cpu", "wall"):
        reading = {kind: 256 / median(rows, clock) for kind, rows in loads.items()}
        line(f"load {name}, not yet verified, {clock}", reading["ours"], reading["metaflow"], goals[1])
    grown = {kind: median(rows, "growth") for kind, rows in saves.items()}
    line(f"save {name}, growth of memory", grown["ours"], grown["metaflow"], "<= 32 MiB (R, S)", "MiB")
    if name == "R":
        bounds(ours, at, speed["ours"])
    if name in "RS":
        verified(ours, at, saves["ours"][-1]["result"])


def bounds(ours: Worker, at: Path, saved: float) -> None:
    """What hashing and writing alone would take, and saving what is there already."""
    rows: dict[str, list[dict[str, Any]]] = {"hash": [], "write": [], "save": []}
    for _ in range(RUNS):
        for what in rows:
            root = at / "ours" if what == "save" else fresh(at / "bound")
            rows[what].append(ours.do(what, root, data="R"))
    hashed, written = 256 / median(rows["hash"], "cpu"), 256 / median(rows["write"], "cpu")
    line("save R beside 1/(1/hash + 1/write), cpu", saved, 1 / (1 / hashed + 1 / written), ">= 0.6 x")
    line("save R again beside sha256 alone, cpu", 256 / median(rows["save"], "cpu"), hashed, ">= 0.8 x")
    fresh(at / "bound")


def verified(ours: Worker, at: Path, key: Any) -> None:
    """Loading what some process verified before."""
    took = [ours.do("load", at / "ours", key=key, verified=True)["wall"] * 1000 for _ in range(12)][2:]
    wall = statistics.median(took)
    print(f"{'load, verified before, wall':44} {wall:10.2f} {'':10} ms                  goal <= 5 ms")
    print(f"{'the same, a piece of 2 MiB':44} {wall * 1000 / 128:10.1f} {'':10} us                  goal <= 15 us")


def small(ours: Worker, metaflow: Worker, at: Path, where: str) -> None:
    """Many small objects."""
    saves: dict[str, list[float]] = {"ours": [], "metaflow": []}
    loads: dict[str, list[float]] = {"ours": [], "metaflow": []}
    for _ in range(RUNS + 1):
        for worker in (ours, metaflow):
            root = fresh(at / worker.kind)
            saved = worker.do("save many", root, data="K")
            saves[worker.kind].append(saved["cpu"] * 100)
            loads[worker.kind].append(worker.do("load many", root, key=saved["result"])["cpu"] * 100)
    for what, rows, goal in (("save", saves, "<= 0.125 x"), ("load", loads, "-")):
        mine, theirs = (statistics.median(rows[kind]) for kind in ("ours", "metaflow"))
        line(f"{what} K {where}, cpu per object", mine, theirs, goal, "us")


GOALS = {"R": (">= 25 x", ">= 8 x"), "S": (">= 3.5 x", ">= 8 x"), "T": (">= 3.5 x", "-")}


def main() -> None:
    """Print all, or those whose names are given (R, S, T, K)."""
    chosen = sys.argv[1:] or [*GOALS, "K"]
    heading("Content store beside Metaflow 2.19.39 (fsync policy: batch; Metaflow never syncs)")
    print(f"{'':44} {'cas_store':>10} {'Metaflow':>10}")
    ours = Worker("ours", sys.executable)
    metaflow = Worker("metaflow", str(peer("metaflow==2.19.39", "numpy")))
    try:
        with tempfile.TemporaryDirectory(prefix="bench-store-") as directory:
            for name in filter(GOALS.__contains__, chosen):
                save_and_load(ours, metaflow, Path(directory), name, GOALS[name])
            if "K" in chosen:
                small(ours, metaflow, Path(directory), "on disk")
        if "K" in chosen and Path("/dev/shm").is_dir():  # where making a file costs next to nothing
            with tempfile.TemporaryDirectory(prefix="bench-store-", dir="/dev/shm") as directory:
                small(ours, metaflow, Path(directory), "in memory")
    finally:
        ours.close()
        metaflow.close()


if __name__ == "__main__":
    main()
