"""What production costs before a task runs: compiling, definitions, state transitions, a `create` that changes nothing.

    python benchmarks/bench_compile.py

Compiling is CPU time, the best of several. The limit beside it is `json.dumps` of the result, which whoever sends a definition
to AWS cannot do without. Bytes are those of the definition as it is sent, and everything else is counted.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cas_store import MemoryBackend, ReadThroughStore
from sched_sfn import BatchJob, BatchRunner, FanOut, S3Record, StateMachine, Template, compile_machine
from stepwell.api.definition import FlowDefinition, read_flow
from stepwell.api.loading import load_flow
from stepwell.config import Settings, load_settings
from stepwell.deploying.production_machine import Limits, compile_flow
from stepwell.execution.stores import Stores
from stepwell_testing.aws_rig import Rig
from stepwell_testing.counted_calls import counting

STEPS, WIDTH = 1_000, 1_000
VERSION = "roots/Flow/0123456789abcdef.json"
SETTINGS = {
    "STEPWELL_METADATA": "service",
    "STEPWELL_SERVICE_URL": "http://metadata.example.org:8080",
    "STEPWELL_DATASTORE": "s3",
    "STEPWELL_DATASTORE_ROOT": "s3://a-bucket-of-the-lab/stepwell",
    "STEPWELL_BATCH_QUEUE": "arn:aws:batch:us-east-1:123456789012:job-queue/main",
    "STEPWELL_BATCH_IMAGE": "python:3.11",
    "STEPWELL_SFN_ROLE": "arn:aws:iam::123456789012:role/states",
    "STEPWELL_AWS_REGION": "us-east-1",
    "STEPWELL_USER": "ann",
}
HEADER = "from stepwell import FlowSpec, step\n\n\nclass Flow(FlowSpec):\n"
FOOTER = "\n\nif __name__ == '__main__':\n    Flow()\n"


def step(name: str, way: str, arguments: str = "self") -> str:
    """The source of a step."""
    return f'    @step\n    def {name}({arguments}):\n        """Step {name}."""\n        {way}\n\n'


def chain(*steps: tuple[str, str] | tuple[str, str, str]) -> str:
    """The source of a flow."""
    return HEADER + "".join(step(*one) for one in steps) + FOOTER


def long_flow(steps: int) -> str:
    """The source of a flow of about so many steps: blocks of a split of two arms, a join, and a step that goes on."""
    blocks = steps // 5
    found: list[Any] = [("start", "self.next(self.a0, self.b0)")]
    for n in range(blocks):
        after = "self.next(self.end)" if n == blocks - 1 else f"self.next(self.a{n + 1}, self.b{n + 1})"
        found += [
            (f"a{n}", f"self.next(self.c{n})"),
            (f"b{n}", f"self.next(self.j{n})"),
            (f"c{n}", f"self.next(self.j{n})"),
        ]
        found += [(f"j{n}", f"self.next(self.f{n})", "self, inputs"), (f"f{n}", after)]
    return chain(*found, ("end", "pass"))


SHAPES = {
    "linear": [("start", "self.next(self.work)"), ("work", "self.next(self.end)"), ("end", "pass")],
    "split": [
        ("start", "self.next(self.left, self.right)"), ("left", "self.next(self.join)"), ("right", "self.next(self.join)"),
        ("join", "self.next(self.end)", "self, inputs"), ("end", "pass"),
    ],
    "foreach, one step": [
        ("start", "self.items = [1]; self.next(self.work, foreach='items')"), ("work", "self.next(self.join)"),
        ("join", "self.next(self.end)", "self, inputs"), ("end", "pass"),
    ],
    "foreach, two steps": [
        ("start", "self.items = [1]; self.next(self.work, foreach='items')"), ("work", "self.next(self.more)"),
        ("more", "self.next(self.join)"), ("join", "self.next(self.end)", "self, inputs"), ("end", "pass"),
    ],
    "foreach in foreach": [
        ("start", "self.items = [1]; self.next(self.fan, foreach='items')"),
        ("fan", "self.items = [1]; self.next(self.work, foreach='items')"), ("work", "self.next(self.inner)"),
        ("inner", "self.next(self.outer)", "self, inputs"), ("outer", "self.next(self.end)", "self, inputs"), ("end", "pass"),
    ],
    "switch": [
        ("start", "self.way = 'a'; self.next({'a': self.one, 'b': self.two}, condition='way')"),
        ("one", "self.next(self.end)"), ("two", "self.next(self.end)"), ("end", "pass"),
    ],
    "recursive switch": [
        ("start", "self.next(self.turn)"),
        ("turn", "self.way = 'a'; self.next({'a': self.turn, 'b': self.end}, condition='way')"), ("end", "pass"),
    ],
}  # fmt: skip


def flow_of(source: str, folder: Path) -> FlowDefinition:
    """A flow from a file."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        file = Path(own, "flow.py")
        file.write_text(source)
        flow = read_flow(load_flow(file), file)
        assert flow.graph  # read from the source while it is there
    return flow


def compiled(flow: FlowDefinition, settings: Settings) -> StateMachine:
    """What `create` sends to AWS."""
    stores = Stores(SETTINGS["STEPWELL_DATASTORE_ROOT"], MemoryBackend(), ReadThroughStore(MemoryBackend(), list))
    return compile_flow(flow, settings, stores, VERSION, Limits())


def best(action: Callable[[], Any]) -> float:
    """The CPU time of an action in seconds, the best of several."""
    found: list[float] = []
    while len(found) < 3 or (len(found) < 7 and sum(found) < 5):
        gc.collect()
        began = time.process_time()
        action()
        found.append(time.process_time() - began)
    return min(found)


def compiling(folder: Path, settings: Settings) -> None:
    """Print what compiling a long flow costs."""
    flow = flow_of(long_flow(STEPS), folder)
    machine = compiled(flow, settings)
    took, dumped = best(lambda: compiled(flow, settings)), best(lambda: json.dumps(machine.definition))
    size = len(machine.to_json(None).encode())
    print(f"{len(flow.graph):,} steps: compiled in {took:.2f} s CPU (goal 2 s); json.dumps {dumped * 1e3:.1f} ms, "
          f"{took / dumped:.0f} x; {size:,} bytes")  # fmt: skip


def sizes(folder: Path, settings: Settings) -> None:
    """Print the bytes of definitions."""
    print("shape                 steps   bytes  bytes/step (goal 2,048)")
    for name, steps in SHAPES.items():
        flow = flow_of(chain(*steps), folder)
        size = len(compiled(flow, settings).to_json(None).encode())
        print(f"{name:20} {len(flow.graph):>6} {size:>7,} {size / len(flow.graph):>11,.0f}")


def transitions(folder: Path, settings: Settings) -> None:
    """Print the state transitions of a wide foreach."""
    flow = flow_of(chain(*SHAPES["foreach, one step"]), folder)
    record = S3Record("bucket", Template("{execution}/{step}/{task_id}"))
    runner = BatchRunner(BatchJob(definition="d", queue="q", environment={"OFFSET": Template("{offset}")}), record)
    for kind, goal in (("array", "goal 10"), ("inline", "goal 3 a task"), ("distributed", "goal 3 a task")):
        machine = compile_machine(flow.graph, runner, fan_outs={"start": FanOut(kind)})  # type: ignore[arg-type]
        count = machine.cost({"start": WIDTH}).state_transitions
        print(
            f"a foreach of {WIDTH:,} tasks, {kind:12} {count:>6,} state transitions, {count / WIDTH:.3f} a task ({goal})"
        )


def unchanged(folder: Path) -> None:
    """Print what a `create` asks of AWS that changes nothing."""
    (folder / "flow.py").write_text(chain(*SHAPES["foreach, one step"]))
    with Rig(engine="process") as rig:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "STEPWELL_"))}
        mine = {"STEPWELL_DATASTORE_ROOT": f"s3://{rig.bucket}/stepwell", "STEPWELL_BATCH_QUEUE": rig.queue,
                "STEPWELL_SFN_ROLE": rig.role, "STEPWELL_AWS_ENDPOINT_URL": rig.url}  # fmt: skip
        environment = {**kept, **SETTINGS, **rig.aws_env(), **mine}
        for name in ("first", "unchanged"):
            done = subprocess.run(
                [sys.executable, "-c", counting("flow.py", "step-functions", "create")],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
            )
            if done.returncode:
                raise RuntimeError(done.stderr)
            calls = done.stdout.split("CALLS")[1].split()
            uploads = [call for call in calls if call.startswith(("Put", "Create", "Update", "Register", "Upload"))]
            print(f"create, {name}: {len(calls)} calls, {len(uploads)} that change something ({', '.join(calls)})")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        configured = load_settings(SETTINGS)
        compiling(place, configured)
        sizes(place, configured)
        transitions(place, configured)
        unchanged(place)
