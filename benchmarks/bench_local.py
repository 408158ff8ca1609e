"""Whole-process time of local runs, beside stock Metaflow: two steps, and a foreach of trivial tasks.

python benchmarks/bench_local.py [WIDTH]        WIDTH of the foreach, default 1000 (stock Metaflow takes minutes for it)
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from harness import Command, compare, heading, in_turn, peer

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
        (str(peer(METAFLOW)), "flow.py", "--no-pylint", "run", *options),
        scratch / "metaflow",
        {"flow.py": flow.replace("from stepwell", "from metaflow")},
        {"METAFLOW_USER": "bench", "METAFLOW_HOME": str(scratch), "HOME": str(scratch)},
    )


def main(width: int) -> None:
    """Print both figures."""
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

        heading(f"foreach of {width:,} trivial tasks, two workers, one run each")
        flow = WIDE.replace("WIDTH", str(width))
        options = ("--max-workers", "2", "--max-num-splits", str(width))
        pair = ours(flow, scratch, *options), theirs(flow, scratch, *options)
        compare(*pair, in_turn(pair, runs=1, warmups=0))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
