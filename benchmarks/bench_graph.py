"""What flow_graph costs: reading and checking a class of 100, 1,000 and 10,000 steps, and importing the package.

    python benchmarks/bench_graph.py

CPU time, the best of several. Python's garbage collector is on, and what it costs for each step grows with the heap, in
`ast.parse` as in here; the last column has it off, to show that the work itself is linear. The limits beside it:
`ast.parse` of the same source, which no reader of source can do without, and `import attrs`, which the package is made
of. Imports are timed with their bytecode at hand.
"""

from __future__ import annotations

import ast
import gc
import importlib.util
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flow_graph import check, read_class

SIZES = (100, 1_000, 10_000)
HEADER = '''
def step(function):
    return function


class FlowSpec:
    def next(self, *targets, **options): ...
    def merge_artifacts(self, inputs, exclude=(), include=()): ...


class Flow(FlowSpec):
    """Blocks of five steps: a split of two arms that is joined, and a step that goes on."""

    alpha = 0.5
'''
STEP = '''
    @step
    def {name}({arguments}):
        """Step {name}."""
        {begin}
        scaled = [item * self.alpha for item in range(10)]
        if scaled:
            self.kept_{name} = sum(scaled)
        print("step {name}", len(scaled), self.total)
        {way}
'''


def source_of(steps: int) -> str:
    """The source of a flow of about so many steps, each of seven lines."""
    parts = [HEADER, written("start", "self.total = 0", "self.next(self.a0, self.b0)")]
    blocks = steps // 5
    for block in range(blocks):
        last = block == blocks - 1
        parts += [
            written(f"a{block}", "self.total += 1", f"self.next(self.c{block})"),
            written(f"b{block}", f"self.other{block} = self.total", f"self.next(self.j{block})"),
            written(f"c{block}", "pass", f"self.next(self.j{block})"),
            written(
                f"j{block}", "self.total = sum(i.total for i in inputs)", f"self.next(self.f{block})", "self, inputs"
            ),
            written(
                f"f{block}",
                "pass",
                "self.next(self.end)" if last else f"self.next(self.a{block + 1}, self.b{block + 1})",
            ),
        ]
    return "".join([*parts, written("end", "pass", "")])


def written(name: str, begin: str, way: str, arguments: str = "self") -> str:
    """The source of one step."""
    return STEP.format(name=name, begin=begin, way=way, arguments=arguments)


def load(source: str, folder: Path, name: str) -> type:
    """The class that a source defines, from a file."""
    file = folder / f"{name}.py"
    file.write_text(source)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    flow: type = module.Flow
    return flow


def best(action: Callable[[], Any]) -> float:
    """The CPU time of an action in seconds, the best of several; of a long one, of fewer."""
    found: list[float] = []
    while len(found) < 2 or (len(found) < 7 and sum(found) < 5):
        gc.collect()
        began = time.process_time()
        action()
        found.append(time.process_time() - began)
    return min(found)


def started(code: str, environment: dict[str, str], times: int = 10) -> float:
    """The CPU time of a Python that runs some code, in seconds, the best of several."""
    found = []
    for _ in range(times):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], check=True, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def reading(folder: Path) -> None:
    """Print what reading and checking costs."""
    print(" steps   ast.parse  read_class     check  read+check  / ast.parse  per step  without collector")
    for size in SIZES:
        source = source_of(size)
        flow = load(source, folder, f"flow{size}")
        graph = read_class(flow)
        assert check(graph) == []
        parse = best(lambda source=source: ast.parse(source))
        read = best(lambda flow=flow: read_class(flow))
        checked = best(lambda flow=flow: check(read_class(flow)))
        gc.disable()
        alone = best(lambda flow=flow: check(read_class(flow)))
        gc.enable()
        print(
            f"{len(graph):>6,} {parse * 1e3:>8.1f} ms {read * 1e3:>8.1f} ms {(checked - read) * 1e3:>6.1f} ms "
            f"{checked * 1e3:>8.1f} ms {checked / parse:>10.1f} x {checked / len(graph) * 1e6:>6.0f} µs "
            f"{alone / len(graph) * 1e6:>15.0f} µs"
        )


def importing(folder: Path) -> None:
    """Print what importing costs."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(folder)
    empty, attrs, package = (started(code, environment) for code in ("pass", "import attrs", "import flow_graph"))
    print(f"python -c pass {empty * 1e3:.0f} ms; import attrs {(attrs - empty) * 1e3:.0f} ms more; ", end="")
    print(f"import flow_graph {(package - empty) * 1e3:.0f} ms more, {(package - empty) / (attrs - empty):.2f} x attrs")
    heavy = ("networkx", "hypothesis", "cattrs")
    code = f"import sys, flow_graph; sys.exit(any(name in sys.modules for name in {heavy}))"
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    print(f"not imported with it: {', '.join(heavy)}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        reading(Path(scratch))
        importing(Path(scratch))
