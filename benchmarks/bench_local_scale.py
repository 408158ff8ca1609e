"""Local runs at ten times the width: time, the scheduler's memory, resume, and listing many runs.

python benchmarks/bench_local_scale.py [WIDTH]      a foreach of WIDTH tasks (10000 unless given) beside one of a tenth;
                                                    then its resume at the join
python benchmarks/bench_local_scale.py listing      the latest 100 of 10,000 runs through the Client API
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from bench_local import WIDE
from harness import Command, heading, timed

PROBE = """
import os
import time


def resident_mib(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def parent(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("PPid"))


"""
JOIN = "    def join(self, inputs):\n"
END = "    def end(self):\n"
LIST = """
import itertools, time
from stepwell import Flow, namespace
namespace(None)
Flow("F").latest_run
started = time.perf_counter()
runs = list(itertools.islice(Flow("F").runs(), 100))
print(f"{time.perf_counter() - started:.4f} s for the latest", len(runs), "of which the last is", runs[-1].id)
"""


def probed(width: int) -> str:
    """The wide flow, whose join says when it begins, and whose end says how large the scheduler is."""
    flow = PROBE + WIDE.replace("WIDTH", str(width))
    flow = flow.replace(JOIN, f'{JOIN}        print("join began", time.time())\n')
    return flow.replace(END, f'{END}        print("scheduler MiB", resident_mib(parent(os.getppid())))\n')


def command(name: str, width: int, folder: Path, *arguments: str) -> Command:
    """A command on the wide flow, in a directory that is kept."""
    options = ("--max-workers", "2", "--max-num-splits", str(width))
    environment = {"STEPWELL_USER": "bench", "STEPWELL_CONFIG_DIR": str(folder)}
    directory = folder / str(width)
    return Command(
        name,
        (sys.executable, "flow.py", *arguments, *options),
        directory,
        {"flow.py": probed(width)},
        environment,
        kept=True,
    )


def said(what: str, output: str) -> float:
    """The number behind some words of a task's output."""
    found = re.search(rf"{what} ([0-9.]+)", output)
    assert found is not None, output[-2000:]
    return float(found[1])


def scale(width: int) -> None:
    """Time and memory of both widths, then the resume."""
    with tempfile.TemporaryDirectory() as folder:
        heading(f"foreach of {width // 10:,} and of {width:,} trivial tasks, two workers, one run each")
        taken = []
        for count in (width // 10, width):
            run = command(f"{count:,} tasks", count, Path(folder), "run")
            timing = timed(run)
            taken.append((timing.wall, timing.cpu, said("scheduler MiB", run.output)))
            print(
                f"{run.name:28} wall {timing.wall:8.2f} s   cpu {timing.cpu:8.2f} s   scheduler {taken[-1][2]:6.1f} MiB"
            )
        wall, cpu, memory = (large / small for small, large in zip(*taken, strict=True))
        print(f"{'ratio':28} wall {wall:8.2f} x   cpu {cpu:8.2f} x   scheduler {memory:6.2f} x")

        resume = command("resume join", width, Path(folder), "resume", "join")
        timing = timed(resume)
        until = said("join began", resume.output) - timing.began
        print(
            f"{resume.name:28} join begins after {until:.2f} s   whole: wall {timing.wall:.2f} s, cpu {timing.cpu:.2f} s"
        )


def listing(runs: int = 10_000) -> None:
    """The latest of many runs, in a process of its own that has found the store."""
    from meta_client import EmbeddedStore

    with tempfile.TemporaryDirectory() as folder:
        heading(f"the latest 100 of {runs:,} runs through the Client API")
        (Path(folder) / ".stepwell").mkdir()
        with EmbeddedStore(Path(folder) / ".stepwell" / "metadata.db") as store:
            store.create_flow("F", user="bench")
            for _ in range(runs):
                store.create_run("F", user="bench", system_tags=["user:bench"])
        environment = {"STEPWELL_USER": "bench", "STEPWELL_CONFIG_DIR": folder}
        look = Command("list", (sys.executable, "-c", LIST), Path(folder), environment=environment, kept=True)
        timed(look)
        print(look.output.strip())


if __name__ == "__main__":
    if sys.argv[1:] == ["listing"]:
        listing()
    else:
        scale(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
