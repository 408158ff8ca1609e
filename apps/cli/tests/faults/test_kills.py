"""The scheduler, its fork server or a task killed at random instants: a resume comes to the undisturbed run's artifacts,
runs nothing again that was recorded done, and nothing stays behind."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from processes import children, ended, is_running, left_running, start, warm_up
from shapes import FLOW, notes
from stepwell.caring.walking import read_tasks, stored_runs
from stepwell.execution.stores import stores_at

KILLS, KILLS_OF_A_CHAIN = 104, 3
VICTIMS = ("scheduler", "server", "task")
TASKS = 19

Left = dict[str, dict[str, str]]


def left_by(directory: Path) -> dict[str, Left]:
    """For each run, what its done tasks left: the identities of their artifacts, by "step/task"."""
    records = stores_at(str(directory / ".stepwell")).records
    return {
        run.run_id: {
            f"{task.step}/{task.task_id}": {name: one.identity for name, one in task.artifacts.items()}
            for task in read_tasks(records, run)
        }
        for run in stored_runs(records)
        if run.claim_name in run.names
    }


def strike(scheduler: int, victim: str, chance: random.Random) -> bool:
    """Kill the scheduler, its fork server, or one of the tasks; says whether there was one."""
    below = children(scheduler)
    pids = {"scheduler": [scheduler], "server": below, "task": [task for pid in below for task in children(pid)]}[
        victim
    ]
    if not pids:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(chance.choice(pids), signal.SIGKILL)
        return True
    return False


def run_and_strike(directory: Path, command: str, victim: str, chance: random.Random) -> tuple[int, bool]:
    """Run a command and kill something of it once so many tasks have begun; gives its pid and whether it was in time."""
    begun = notes(directory).total()
    wanted = begun + chance.randrange(max(1, TASKS - begun))
    pid = start(directory, directory / "flow.py", "--quiet", command)
    while notes(directory).total() < wanted and is_running(pid):
        time.sleep(0.002)
    time.sleep(chance.random() * (0.03 if wanted > begun else 0.3))
    while is_running(pid):
        if strike(pid, victim, chance):
            return pid, True
        time.sleep(0.002)
    return pid, False


def disturbed(directory: Path, number: int) -> tuple[Left, int]:
    """Run the flow, killing something of it several times, each time going on by `resume`, until a run comes to its end.

    Gives what the last run left, and how often something was killed.
    """
    chance = random.Random(number)
    killed = status = 0
    for turn in range(KILLS_OF_A_CHAIN + 1):
        runs = left_by(directory)
        done = {task for left in runs.values() for task in left}
        before = notes(directory)
        command = "resume" if runs else "run"
        if turn < KILLS_OF_A_CHAIN:
            pid, hit = run_and_strike(directory, command, VICTIMS[(number + turn) % 3], chance)
            killed += hit
        else:
            pid = start(directory, directory / "flow.py", "--quiet", command)
        status = ended(pid)
        assert left_running(pid) == []
        after = notes(directory)
        again = {task for task in done if after[task] != before[task]}
        assert not again, f"chain {number}, turn {turn}: {sorted(again)} were done and ran again"
        if status == 0:
            break
    assert status == 0, (directory / "output").read_text()
    runs = left_by(directory)
    return runs[max(runs, key=int)], killed


def with_flow(directory: Path) -> Path:
    directory.mkdir()
    (directory / "flow.py").write_text(FLOW)
    return directory


def shard(root: Path, numbers: Iterable[int]) -> list[tuple[Left, int]]:
    """Chains, until they have their share of the kills."""
    warm_up()
    found: list[tuple[Left, int]] = []
    for number in numbers:
        found.append(disturbed(with_flow(root / str(number)), number))
        if sum(killed for _, killed in found) >= KILLS // 2:
            break
    return found


def test_what_was_done_stays_done_and_the_result_is_the_undisturbed_one(a_users_own: Path) -> None:
    calm = with_flow(a_users_own / "calm")
    assert ended(start(calm, calm / "flow.py", "run")) == 0
    undisturbed = left_by(calm)["1"]
    assert len(undisturbed) == TASKS
    shards = [range(at, 2 * KILLS, 2) for at in range(2)]
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("fork")) as pool:
        found = [one for some in pool.map(shard, [a_users_own] * 2, shards) for one in some]
    assert all(left == undisturbed for left, _ in found)
    assert sum(killed for _, killed in found) >= KILLS
