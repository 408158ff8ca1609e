"""Whole-process time of local runs, beside stock Metaflow.

python benchmarks/bench_local.py [WIDTH]            two steps; a foreach of WIDTH trivial tasks, 1000 unless given, which takes
                                                    Metaflow minutes; the same in a flow that imports NumPy and pandas
python benchmarks/bench_local.py array              256 MB of numbers through three steps, changed once
python benchmarks/bench_local.py chain              200 trivial steps; Metaflow beside it with 20
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from harness import Command, compare, heading, in_turn, peer, timed

METAFLOW = "metaflow==2.19.39"
HELLO = (Path(__file__).parents[1] / "examples" / "hello.py").read_text()
WIDE = '''
from stepwell import FlowSpec, step


class WideFlow(FlowSpec):
    """A foreach over WIDTH numbers, one small artifact a task."""

    @step
    def start(self):
        self.numbers = list(range(WIDTH))
        self.next(self.each, foreach="numbers")

    @step
    def each(self):
        self.result = self.input + 1
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(one.result for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        assert self.total == WIDTH * (WIDTH + 1) // 2


if __name__ == "__main__":
    WideFlow()
'''


def ours(flow: str, scratch: Path, *options: str) -> Command:
    """The flow on stepwell."""
    return Command(
        "stepwell",
        (sys.executable, "flow.py", "run", *options),
        scratch / "stepwell",
        {"flow.py": flow},
        {"STEPWELL_USER": "bench", "STEPWELL_CONFIG_DIR": str(scratch)},
    )


def theirs(flow: str, scratch: Path, *options: str) -> Command:
    """The flow on stock Metaflow."""
    return Command(
        METAFLOW,
        (str(peer(METAFLOW, "numpy", "pandas")), "flow.py", "--no-pylint", "run", *options),
        scratch / "metaflow",
        {"flow.py": flow.replace("from stepwell", "from metaflow")},
        {"METAFLOW_USER": "bench", "METAFLOW_HOME": str(scratch), "HOME": str(scratch)},
    )


ARRAY = """
import numpy
from stepwell import FlowSpec, step


class ArrayFlow(FlowSpec):
    @step
    def start(self):
        self.numbers = numpy.random.default_rng(1).random(32 << 20)
        self.label = "untouched"
        self.next(self.change)

    @step
    def change(self):
        self.numbers[:1000] += 1
        self.next(self.end)

    @step
    def end(self):
        assert self.numbers[0] >= 1


if __name__ == "__main__":
    ArrayFlow()
"""


def chain(steps: int) -> str:
    """A flow of so many steps, one after the other."""
    names = ["start", *(f"step_{number}" for number in range(1, steps - 1)), "end"]
    following = [f"self.next(self.{name})" for name in names[1:]] + ["pass"]
    body = "\n".join(
        f"    @step\n    def {name}(self):\n        {after}\n" for name, after in zip(names, following, strict=True)
    )
    return f"from stepwell import FlowSpec, step\n\n\nclass ChainFlow(FlowSpec):\n{body}\n\nChainFlow()\n"


def wide(width: int) -> None:
    """The foreach, in a bare flow, and in one that imports NumPy and pandas."""
    options = ("--max-workers", "2", "--max-num-splits", str(width))
    for name, imports in (("", ""), (", NumPy and pandas imported", "import numpy\nimport pandas\n")):
        flow = imports + WIDE.replace("WIDTH", str(width))
        with tempfile.TemporaryDirectory() as folder:
            heading(f"foreach of {width:,} trivial tasks{name}, two workers, median of 3 beside one run of Metaflow")
            pair = ours(flow, Path(folder), *options), theirs(flow, Path(folder), *options)
            compare(*pair, [*in_turn(pair[:1], runs=3), timed(pair[1])])


def hello() -> None:
    """Two steps, and the time until a command says anything."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        heading("hello: two steps, whole process, median of 5")
        pair = ours(HELLO, scratch), theirs(HELLO, scratch)
        compare(*pair, in_turn(pair, runs=5))

        heading("stepwell --help, beside an empty interpreter, median of 9")
        pair = (
            Command("stepwell --help", (sys.executable, "-m", "stepwell", "--help"), scratch / "help"),
            Command("python -c pass", (sys.executable, "-c", "pass"), scratch / "pass"),
        )
        compare(*pair, in_turn(pair, runs=9))


def array() -> None:
    """A large array: what is stored of it, too."""
    with tempfile.TemporaryDirectory() as folder:
        heading("256 MB of random float64 through three steps, changed once; one run each")
        pair = ours(ARRAY, Path(folder)), theirs(ARRAY, Path(folder))
        compare(*pair, in_turn(pair, runs=1, warmups=0))
        for command in pair:
            stored = sum(file.stat().st_size for file in command.directory.rglob("*") if file.is_file())
            print(f"{command.name:28} stored {stored / 1e6:,.0f} MB")


def long_chain(steps: int = 200, beside: int = 20) -> None:
    """What a task of a long graph costs; for Metaflow of a shorter one."""
    with tempfile.TemporaryDirectory() as folder:
        heading(f"{steps} trivial steps in a row, {beside} for Metaflow; one run each")
        for command, count in (
            (ours(chain(steps), Path(folder)), steps),
            (theirs(chain(beside), Path(folder)), beside),
        ):
            timing = timed(command)
            each = f"a step: wall {1000 * timing.wall / count:.1f} ms, cpu {1000 * timing.cpu / count:.1f} ms"
            print(f"{command.name:28} wall {timing.wall:8.3f} s   cpu {timing.cpu:8.3f} s   {each}")


def main(what: str) -> None:
    """Print the figures asked for."""
    if what in ("array", "chain"):
        {"array": array, "chain": long_chain}[what]()
        return
    hello()
    wide(int(what))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "1000")
