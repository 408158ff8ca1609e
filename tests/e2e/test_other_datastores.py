"""A run is resumed from S3 into a laptop's datastore, and from there into another one on S3."""

from __future__ import annotations

import shutil
from pathlib import Path

from conftest import Place
from stepwell_testing.s3 import S3Server

FLOW = """
import os
import random

from stepwell import FlowSpec, Parameter, current, step


class Moving(FlowSpec):
    text = Parameter("text", default="x" * 300)

    @step
    def start(self):
        print("start ran")
        self.used = random.Random(1).randbytes(2_500_000)
        self.unused = random.Random(2).randbytes(2_500_000)
        self.next(self.middle)

    @step
    def middle(self):
        if not os.path.exists("mended"):
            raise RuntimeError("not mended")
        self.size = len(self.used) + len(self.text)
        self.next(self.end)

    @step
    def end(self):
        print("size", self.size, current.origin_run_id)


if __name__ == "__main__":
    Moving()
"""


def place(folder: Path, s3: S3Server, root: str | None = None) -> Place:
    folder.mkdir()
    (folder / "moving.py").write_text(FLOW)
    reached = {**s3.environment, "STEPWELL_S3_ENDPOINT_URL": s3.url}
    on_s3 = {"STEPWELL_DATASTORE": "s3", "STEPWELL_DATASTORE_ROOT": root} if root else {}
    return Place(folder, {**reached, **on_s3})


def test_a_run_goes_from_s3_to_a_laptop_and_back(tmp_path: Path, s3: S3Server) -> None:
    roots = [f"s3://{s3.bucket}/{tmp_path.name}/{name}" for name in ("team", "other")]
    team, laptop, other = (
        place(tmp_path / name, s3, root) for name, root in (("team", roots[0]), ("laptop", None), ("other", roots[1]))
    )
    assert team.command("moving.py", "run").returncode == 1
    (laptop.path / "mended").touch()
    printed = laptop.succeed("moving.py", "resume", "--origin-run-id", "1", "--origin-datastore", roots[0])
    assert "size 2500300 1" in printed
    assert "start ran" not in printed
    assert "more objects are in other datastores" in laptop.succeed("-m", "stepwell", "fsck")

    again = other.succeed("moving.py", "resume", "end", "--origin-run-id", "1", "--origin-datastore", str(laptop.path))
    assert "size 2500300 1" in again
    shutil.rmtree(
        laptop.path
    )  # what only the laptop had is on S3; the rest comes from where the laptop would have got it
    asked = 'task = Task("Moving/1/start/t0"); print(len(task.data.used), len(task.data.unused), task.stdout.strip())'
    assert other.client(asked) == "2500000 2500000 start ran"
    assert "more objects" not in other.succeed("-m", "stepwell", "fsck")
