"""A disk that fills up in mid-run: one clear error, and after somebody made room, `resume` comes to the right result."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FLOW = """
import random
from stepwell import FlowSpec, step

class Filling(FlowSpec):
    @step
    def start(self):
        self.items = list(range(12))
        self.next(self.fill, foreach="items")

    @step
    def fill(self):
        self.block = random.Random(self.input).randbytes(1_000_000)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.firsts = [one.block[:4] for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    Filling()
"""
READ = """
import random
from stepwell import Flow
assert Flow("Filling").latest_run.data.firsts == [random.Random(n).randbytes(1_000_000)[:4] for n in range(12)]
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A directory on a disk of 16 MB, half of it taken by a file that can be removed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)], check=True)
    try:
        (disk / "ballast").write_bytes(bytes(8_000_000))
        (disk / "filling.py").write_text(FLOW)
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "STEPWELL_USER": "chaos", "STEPWELL_CONFIG_DIR": str(folder / "config")}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )  # fmt: skip


def test_a_run_outlives_a_full_disk(small_disk: Path) -> None:
    full = python(small_disk, "filling.py", "run")
    assert full.returncode == 1
    assert "No space left" in full.stderr or "full" in full.stderr
    (small_disk / "ballast").unlink()
    resumed = python(small_disk, "filling.py", "resume")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    read = python(small_disk, "-c", READ)
    assert read.returncode == 0, read.stderr
    whole = python(small_disk, "-m", "stepwell", "fsck")
    assert whole.returncode == 0, whole.stdout + whole.stderr
