"""A second version of 256 MiB costs what changed: the content store beside Metaflow's, restic and borg (where installed)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
from bench_store import MIB, Worker
from harness import heading, peer
from store_worker import data, stored_bytes

PAIRS = (
    ("R", "R, 1 % changed in place"),
    ("R", "R, 1 % appended"),
    ("R as bytes", "R as bytes, 1,000 bytes inserted"),
)
QUIET = {
    "RESTIC_PASSWORD": "x",
    "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
    "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
}


@attrs.frozen
class Version:
    """What storing one version took: new bytes on disk, and seconds."""

    stored: int
    cpu: float
    wall: float


def ours_or_metaflow(worker: Worker, root: Path, names: tuple[str, str]) -> Iterator[Version]:
    """Both versions, in a store of Python values."""
    before = 0
    for name in names:
        took = worker.do("save", root, data=name)
        yield Version(took["stored"] - before, took["cpu"], took["wall"])
        before = took["stored"]


def backup(program: str, root: Path, file: Path, names: tuple[str, str]) -> Iterator[Version]:
    """Both versions, as a file of that name in a backup."""
    make, add = {
        "restic": (["restic", "init", "-q", "-r", str(root)], ["restic", "backup", "-q", "-r", str(root), str(file)]),
        "borg": (["borg", "init", "-e", "none", str(root)], ["borg", "create", f"{root}::{{now:%f}}", str(file)]),
    }[program]
    environment = {**os.environ, **QUIET, "XDG_CACHE_HOME": str(root) + ".cache", "BORG_BASE_DIR": str(root) + ".cache"}
    subprocess.run(make, env=environment, check=True, stdout=subprocess.DEVNULL)
    for name in names:
        file.write_bytes(data(name))
        before, started, used = stored_bytes(str(root)), time.perf_counter(), os.times()
        subprocess.run(add, env=environment, check=True, stdout=subprocess.DEVNULL)
        now = os.times()
        cpu = now.children_user + now.children_system - used.children_user - used.children_system
        yield Version(stored_bytes(str(root)) - before, cpu, time.perf_counter() - started)


def show(store: str, first: Version, second: Version) -> None:
    """One line."""
    share = 100 * second.stored / (256 * MIB)
    print(
        f"  {store:10} first {first.stored / MIB:7.1f} MiB {first.cpu:6.2f} s cpu   second {second.stored / MIB:7.2f} MiB"
        f" ({share:5.2f} %) {second.cpu:6.2f} s cpu {second.wall:6.2f} s wall"
    )


def main() -> None:
    """Print all."""
    heading("New bytes of a second version of 256 MiB (goal: <= 5 %)")
    workers = [Worker("ours", sys.executable), Worker("metaflow", str(peer("metaflow==2.19.39", "numpy")))]
    with tempfile.TemporaryDirectory(prefix="bench-versions-") as directory:
        for number, names in enumerate(PAIRS):
            print(names[1])
            for worker in workers:
                root = Path(directory, f"{worker.kind}{number}")
                show({"ours": "cas_store"}.get(worker.kind, worker.kind), *ours_or_metaflow(worker, root, names))
                shutil.rmtree(root)
            for program in filter(shutil.which, ("restic", "borg")):
                root = Path(directory, f"{program}{number}")
                show(program, *backup(program, root, Path(directory, "file"), names))
                shutil.rmtree(root)
    for worker in workers:
        worker.close()


if __name__ == "__main__":
    main()
