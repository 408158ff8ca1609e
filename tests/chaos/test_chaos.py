"""Runs in shared mode while everything around them, and they themselves, are killed.

Nothing that was recorded is lost, nothing that was done is done again, every run comes to the right result.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import pytest
from stepwell.execution.packs import CLONES, parse_pack
from system import System, Weather, descendants

SEED = int(os.environ.get("CHAOS_SEED", "7"))
RUNS = int(os.environ.get("CHAOS_RUNS", "9"))
AT_ONCE = 2
RESUMES = 6
LONGEST_RUN_S = 600  # how slow a machine may be, not what is expected


def block(number: int) -> bytes:
    return hashlib.shake_256(str(number).encode()).digest(200_000)


def expected(seed: int, width: int) -> list[int]:
    """What ledger.py comes to."""
    total = sum(zlib.crc32(block((seed + item) % 9)) for item in range(width))
    return [total, 2 + seed % 2, zlib.crc32(block(9 + seed))]


def done_tasks(system: System, run_id: str) -> set[str]:
    """`run/step/task` of all tasks that are recorded as done, or as taken over, read from the bucket itself."""
    client, bucket = system.s3.client(), system.s3.bucket
    pages = client.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=f"stepwell/flows/Ledger/runs/{run_id}/"
    )
    done = set()
    for key in [entry["Key"] for page in pages for entry in page.get("Contents", ())]:
        *_, run, step, last = key.split("/")
        if last == CLONES:
            pack = client.get_object(Bucket=bucket, Key=key)["Body"].read()
            done |= {f"{run}/{step}/{task}" for task in parse_pack(pack, key)}
        elif last == "done.json":
            done.add("/".join(key.split("/")[-4:-1]))
    return done


@attrs.define
class Story:
    """One user's run: its flow's seed, the runs that it took, and what was recorded of each when it ended.

    What one of them has done (`step/task`), none that resumes it does `again`, even where that one between was killed before it
    had made the work of the others its own.
    """

    number: int
    runs: list[str] = attrs.field(factory=list)
    recorded: dict[str, set[str]] = attrs.field(factory=dict)
    done: set[str] = attrs.field(factory=set)
    again: set[str] = attrs.field(factory=set)
    tries: int = 0
    finished: bool = False
    unwanted: list[str] = attrs.field(factory=list)


class Killer:
    """Kills schedulers and their tasks at random instants; counts them."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self.done: Counter[str] = Counter()

    def watch(self, process: subprocess.Popen[bytes], id_file: Path, limit: float) -> None:
        """Perhaps kill this run or a part of it, most often after it has got its id; returns when it has ended, by whatever."""
        with self._lock:
            kind = self._random.choices(["scheduler", "task", None], [5, 3, 3])[0]
            at_start, delay = self._random.random() < 0.15, self._random.uniform(0, 1.5)
        last = time.monotonic() + limit
        while kind and not at_start and process.poll() is None and not id_file.exists() and time.monotonic() < last:
            time.sleep(0.01)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(delay if kind else limit)
            return
        if kind == "scheduler":
            process.kill()
            self.done["schedulers killed"] += 1
        elif kind == "task" and (below := descendants(process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._random.choice(below), signal.SIGKILL)
                self.done["tasks and fork servers killed"] += 1
        process.wait(limit)


def tell(system: System, story: Story, killer: Killer | None) -> None:
    """Run, then resume what did not end well, as a user would."""
    for _ in range(RESUMES):
        story.tries += 1
        journal, id_file, log = (
            system.folder / f"{story.number}-{story.tries}.{kind}" for kind in ("journal", "id", "log")
        )
        resuming = ["resume", "--origin-run-id", story.runs[-1]] if story.runs else ["run", "--seed", str(story.number)]
        process = system.start("ledger.py", *resuming, "--run-id-file", str(id_file), journal=journal, log=log)
        if killer:
            killer.watch(process, id_file, LONGEST_RUN_S)
        process.wait(LONGEST_RUN_S)
        end_leftovers(process)
        begun = set(journal.read_text().splitlines()) if journal.exists() else set()
        if not id_file.exists():
            continue  # it ended before it had a run: there is nothing to go on from
        run_id = id_file.read_text().strip()
        story.again |= story.done & {task.partition("/")[2] for task in begun}
        story.runs.append(run_id)
        story.recorded[run_id] = done_tasks(system, run_id)
        story.done |= {task.partition("/")[2] for task in story.recorded[run_id]}
        if process.returncode == 0:
            story.finished = True
            tidy_up(system, story)
            return


def tidy_up(system: System, story: Story) -> None:
    """Of some stories only the last run stays, which keeps what it took over; of some nothing, once its result has been seen."""
    if story.number % 4 == 1:
        known = system.run("-c", READ, story.runs[-1])
        assert known.returncode == 0, known.stderr
        assert json.loads(known.stdout)[story.runs[-1]][:2] == [True, expected(story.number, 4)]
    story.unwanted = list({0: story.runs[:-1], 1: story.runs[::-1]}.get(story.number % 4, []))
    remove_unwanted(system, story)


def remove_unwanted(system: System, story: Story) -> str:
    """What the storm interrupts is removed in part, and again later; gives what was said where it was not removed whole."""
    said = ""
    for run in list(story.unwanted):
        removed = system.run("-m", "stepwell", "rm", "--force", f"Ledger/{run}")
        if removed.returncode == 0 or "There is no run" in removed.stderr:
            story.unwanted.remove(run)
            del story.recorded[run]
        else:
            said += removed.stderr
    return said


def end_leftovers(process: subprocess.Popen[bytes]) -> None:
    """Tasks of a killed scheduler end by themselves; the test waits for that before it looks at what they recorded."""
    deadline = time.monotonic() + LONGEST_RUN_S
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    raise AssertionError("processes of a run outlived it")


@contextlib.contextmanager
def collecting(system: System, done: Counter[str], problems: list[str]) -> Iterator[None]:
    """`gc` beside it all, one after the other."""
    over = threading.Event()

    def collect() -> None:
        while not over.wait(1.0):
            result = system.run("collect.py")
            done["collections beside live runs" if result.returncode == 0 else "collections that gave up"] += 1
            if deleted := re.match(r"Deleted ([0-9,]+)", result.stdout):
                done["objects collected"] += int(deleted[1].replace(",", ""))
            if "Traceback" in result.stderr:
                problems.append(result.stderr)

    thread = threading.Thread(target=collect)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


READ = """
import json, sys
from stepwell import Run, namespace
namespace(None)
found = {}
for name in sys.argv[1:]:
    run = Run("Ledger/" + name)
    found[name] = [run.successful, run.data.result if run.successful else None,
                   sorted(f"{name}/{task.pathspec.split('/', 2)[2]}" for step in run for task in step)]
print(json.dumps(found))
"""


def test_nothing_is_lost_whatever_is_killed(system: System, capsys: pytest.CaptureFixture[str]) -> None:
    stories = [Story(number) for number in range(RUNS)]
    killer, counts, problems = Killer(SEED), Counter[str](), list[str]()
    began = time.monotonic()
    with Weather(system, SEED) as weather, collecting(system, counts, problems), ThreadPoolExecutor(AT_ONCE) as users:
        list(users.map(lambda story: tell(system, story, killer), stories))
    assert weather.error is None
    for story in stories:  # the storm is over: what has not ended yet is resumed in peace
        if not story.finished:
            tell(system, story, None)
    still_there = {story.number: said for story in stories if (said := remove_unwanted(system, story))}
    seconds = time.monotonic() - began

    assert [story.number for story in stories if not story.finished] == []
    assert {story.number: story.again for story in stories if story.again} == {}, "tasks that were done ran again"
    assert (problems, still_there) == ([], {})

    done = system.run("-m", "stepwell", "reindex")
    assert done.returncode == 0, done.stdout + done.stderr
    resumed = sum(len(story.runs) - 1 for story in stories)
    read = system.run("-c", READ, *(name for story in stories for name in story.recorded))
    assert read.returncode == 0, read.stderr
    known = json.loads(read.stdout)
    lost = {
        name: sorted(recorded - set(known[name][2])) for story in stories for name, recorded in story.recorded.items()
    }
    assert {name: tasks for name, tasks in lost.items() if tasks} == {}, (
        f"recorded tasks that the Client API does not find; reindex said:\n{done.stdout}{done.stderr}"
    )
    for story in stories:
        if story.runs[-1] in known:
            assert known[story.runs[-1]][:2] == [True, expected(story.number, 4)]
            assert story.done <= {task.partition("/")[2] for task in known[story.runs[-1]][2]}
    whole = system.run("-m", "stepwell", "fsck")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    traces = [path.name for path in system.folder.glob("*.log") if "Internal error" in path.read_text(errors="replace")]
    assert traces == []

    counts.update(weather.done)
    counts.update(killer.done)
    with capsys.disabled():
        print(f"\nchaos, {seconds:.0f} s: {RUNS} runs resumed {resumed} times; losses: 0")
        for kind, count in sorted(counts.items()):
            print(f"  {kind}: {count}")
