"""What surrounds a run fails: the disk is full or read-only, the clock goes back, others run beside it, somebody ends it."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cas_store import Backend
from conftest import Project
from meta_client import EmbeddedStore
from processes import ended, left_running, start, warm_up
from stepwell.api.definition import FlowDefinition, read_flow
from stepwell.api.loading import load_flow
from stepwell.api.options import FlowOptions
from stepwell.errors import DecoratorError
from stepwell.execution.claims import claim, claim_numbered_run, new_claim
from stepwell.execution.records import RunRecord, done_name, find_task, read_run, read_task
from stepwell.execution.spec import TaskSpec
from stepwell.execution.stores import stores_at
from stepwell.execution.task import run as run_task

SLEEPS = """
@step
def start(self):
    import os, subprocess, time
    if {stubborn}:
        import signal
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen(["sleep", "1000"])
    open("begun", "w").close()
    time.sleep(1000)
    self.next(self.end)

@step
def end(self):
    pass
"""
FORKS = """
@step
def start(self):
    self.items = list(range(6))
    self.next(self.each, foreach="items")

@step
def each(self):
    import os
    {each}
    self.kept = os.urandom(450_000)
    self.next(self.join)

@step
def join(self, inputs):
    self.count = len(inputs)
    self.next(self.end)

@step
def end(self):
    print("count", self.count)
"""


def wait_for(path: Path) -> None:
    wait_until(path.exists)


def wait_until(holds: Callable[[], bool], seconds: float = 240) -> None:
    give_up_at = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < give_up_at, "it does not become so"
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("stubborn", "signals", "status"),
    [(False, [signal.SIGTERM], 143), (True, [signal.SIGINT, signal.SIGINT], 130), (True, [signal.SIGTERM, signal.SIGINT], 143)],
    ids=["SIGTERM", "SIGINT twice, a step that does not listen", "SIGTERM, then SIGINT"],
)  # fmt: skip
def test_a_run_that_somebody_ends(
    a_users_own: Path, monkeypatch: pytest.MonkeyPatch, stubborn: bool, signals: list[signal.Signals], status: int
) -> None:
    project = Project(a_users_own)
    project.flow(SLEEPS.format(stubborn=stubborn))
    warm_up()
    if len(signals) > 1:  # asked twice, nobody waits for a step that does not listen
        monkeypatch.setattr("stepwell.scheduling.schedule._SECONDS_TO_END", 10_000.0)
    pid = start(project.path, project.path / "flow.py", "run")
    wait_for(project.path / "begun")
    for number in signals:
        os.kill(pid, number)
        wait_until(lambda: "Terminating 1 active tasks" in (project.path / "output").read_text())
    assert ended(pid) == status
    assert left_running(pid) == []
    said = (project.path / "output").read_text()
    assert f"interrupted by {signals[0].name}" in said
    assert "resume --origin-run-id 1" in said
    assert project.stepwell("ls", "TestFlow").stdout.split()[:2] == ["TestFlow/1", "failed"]


@pytest.fixture
def small(project: Project) -> Iterator[Project]:
    """A project whose datastore has little room: a file system of its own where mounting is permitted, else files stay short."""
    directory = project.path / ".stepwell"
    directory.mkdir()
    is_mounted = mount("-t", "tmpfs", "-o", "size=2m", "tmpfs", directory)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    if not is_mounted:
        resource.setrlimit(resource.RLIMIT_FSIZE, (250_000, before[1]))
    try:
        yield project
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        if is_mounted:
            subprocess.run(["umount", "-l", str(directory)], check=True)


def mount(*arguments: str | Path) -> bool:
    """Mount something; False where that is not permitted here."""
    with contextlib.suppress(FileNotFoundError):
        return (
            os.getuid() == 0 and subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode == 0
        )
    return False


def test_a_full_disk_is_named_and_got_over(small: Project) -> None:
    small.flow(FORKS.format(each="open(f'ran{self.index}', 'a').write('x')"))
    full = small.python("flow.py", "run", "--max-workers", "1")
    assert full.returncode == 1, full.stdout + full.stderr
    assert "make room" in full.stderr
    assert "'each'" in full.stderr
    assert "bug in stepwell" not in full.stderr
    done = {name for name in range(6) if find_task(records(small), "TestFlow", "1", "each", f"t{name}")}
    if not mount("-o", "remount,size=50m", small.path / ".stepwell"):
        resource.setrlimit(
            resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        )
    resumed = small.python("flow.py", "resume")
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "count 6" in resumed.stdout
    assert all((small.path / f"ran{name}").read_text() == "x" for name in done)


def test_a_datastore_made_read_only_in_mid_run_is_named(small: Project) -> None:
    (small.path / "lock.py").write_text(READ_ONLY)
    small.flow(
        FORKS.format(each="import subprocess, sys; self.index == 1 and subprocess.run([sys.executable, 'lock.py'])")
    )
    done = small.python("flow.py", "run", "--max-workers", "1")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "'each'" in done.stderr
    assert "ead-only" in done.stderr or "ermission" in done.stderr
    assert "bug in stepwell" not in done.stderr
    assert small.client("print(Task('TestFlow/1/each/t0').successful)") == "True"
    again = small.python("flow.py", "run")
    assert again.returncode == 1
    assert "bug in stepwell" not in again.stderr
    assert "Traceback" not in again.stderr
    subprocess.run([sys.executable, "lock.py", "open"], cwd=small.path, check=True)


READ_ONLY = """
import os, pathlib, subprocess, sys
opened = len(sys.argv) > 1
if os.getuid() == 0 and os.path.ismount(".stepwell"):
    if opened:
        subprocess.run(["umount", ".stepwell"], check=True)
    else:
        subprocess.run(["mount", "--bind", ".stepwell", ".stepwell"], check=True)
        subprocess.run(["mount", "-o", "remount,ro,bind", ".stepwell"], check=True)
else:
    for path in [pathlib.Path(".stepwell"), *pathlib.Path(".stepwell").rglob("*")]:
        path.chmod(0o755 if opened else 0o555)
"""


def records(project: Project) -> Backend:
    return stores_at(str(project.path / ".stepwell")).records


def test_two_runs_of_one_flow_at_once_in_one_directory(project: Project) -> None:
    project.flow(FORKS.format(each="pass"))
    command = [sys.executable, "flow.py", "run"]
    running = [
        subprocess.Popen(command, cwd=project.path, env=project.environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=240)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert all("count 6" in output for output in outputs)
    found = project.client("print(*sorted(run.id for run in Flow('TestFlow') if run.successful))")
    assert found == "1 2 3"


def test_a_clock_that_goes_backwards(project: Project) -> None:
    folder = project.path / "clock"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import itertools, time\nreal, steps = time.time, itertools.count()\n"
        "time.time = lambda: real() - 60 * next(steps)\n"
    )
    project.flow(FORKS.format(each="print('each', self.index)"))
    done = project.run(PYTHONPATH=str(folder))
    assert "count 6" in done.stdout
    assert project.stepwell("logs", "TestFlow/1/each/t3").stdout == "each 3\n"
    assert project.client("run = Run('TestFlow/1'); print(run.successful, run.data.count)") == "True 6"
    assert "completed" in project.stepwell("ls", "TestFlow").stdout
    again = project.python("flow.py", "resume", "join", PYTHONPATH=str(folder))
    assert again.returncode == 0, again.stderr


NO_LOCKS = """
import sqlite3


class Remote(sqlite3.Connection):
    def execute(self, statement, *parameters):
        if statement.startswith(("BEGIN IMMEDIATE", "PRAGMA journal_mode")):
            raise sqlite3.OperationalError({message!r})
        return super().execute(statement, *parameters)


real = sqlite3.connect
sqlite3.connect = lambda *arguments, **options: real(*arguments, **{{**options, "factory": Remote}})
"""


def test_a_home_on_a_network_file_system_without_locks(project: Project) -> None:
    """What SQLite says there, at its first write, is put in the place of its own words."""
    folder = project.path / "remote"
    folder.mkdir()
    project.flow(FORKS.format(each="pass"))
    project.run()
    (folder / "sitecustomize.py").write_text(NO_LOCKS.format(message="locking protocol"))
    done = project.python("flow.py", "run", PYTHONPATH=str(folder))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "metadata.db" in done.stderr
    assert "network file system" in done.stderr
    assert "Traceback" not in done.stderr
    assert "completed" in project.stepwell("ls", "TestFlow", PYTHONPATH=str(folder)).stdout, "reading needs no lock"


def definition(project: Project) -> FlowDefinition:
    file = project.flow(FORKS.format(each="pass"))
    return read_flow(load_flow(file), file)


def test_two_directories_with_metadata_of_their_own_on_one_root_never_share_a_run(a_users_own: Path) -> None:
    """Each numbers from 1; who comes second to a number takes the next one that is free."""
    flow = definition(Project(a_users_own))
    stores = stores_at(str(a_users_own / "shared"))

    def make(run_id: str) -> RunRecord:
        return new_claim(flow, stores, run_id, "tester", {}, {})

    with EmbeddedStore(a_users_own / "a.db") as a, EmbeddedStore(a_users_own / "b.db") as b:
        claimed = [
            claim_numbered_run(store, stores, make, "TestFlow", "tester", (), ())[1] for store in (a, a, b, b, a, b)
        ]
    assert [one.run_id for one in claimed] == ["1", "2", "3", "4", "5", "6"]
    assert [read_run(stores.records, "TestFlow", one.run_id).token for one in claimed] == [one.token for one in claimed]


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_attempts_alive_at_once_the_first_to_end_wins_whole(a_users_own: Path, first: int) -> None:
    project = Project(a_users_own)
    flow = project.write(ATTEMPTS)
    flow = read_flow(load_flow(flow), flow)
    stores = stores_at(str(a_users_own / ".stepwell"))
    claim(stores, new_claim(flow, stores, "1", "tester", {}, {}))
    pids = []
    for attempt in (0, 1):
        if (pid := os.fork()) == 0:
            os.chdir(a_users_own)
            status = 9
            with contextlib.suppress(BaseException):
                status = run_task(TaskSpec("TwoAttempts", "1", "start", "t0", attempt=attempt), stores, flow).exit_code
            os._exit(status)
        pids.append(pid)
    for attempt in (0, 1):
        wait_for(a_users_own / f"begun{attempt}")  # both are alive now
    seen = []
    for attempt in (first, 1 - first):
        (a_users_own / f"go{attempt}").touch()
        assert ended(pids[attempt]) == 0, "who comes second is done as well"
        seen.append(stores.records.read(done_name("TwoAttempts", "1", "start", "t0")))
    assert seen[0] == seen[1], "and publishes nothing"
    record = read_task(stores.records, "TwoAttempts", "1", "start", "t0")
    values = {name: stores.objects.load(reference) for name, reference in record.artifacts.items()}
    assert record.attempt == first
    assert values == {"who": first, "big": bytes([first]) * 300_000, "items": [first] * (2 + first)}
    assert record.transition.cardinality == 2 + first, "its decision is the winner's, too"


ATTEMPTS = """
import os, time
from stepwell import FlowSpec, current, step


class TwoAttempts(FlowSpec):
    @step
    def start(self):
        self.who = current.retry_count
        self.big = bytes([self.who]) * 300_000
        self.items = [self.who] * (2 + self.who)
        open(f"begun{self.who}", "w").close()
        while not os.path.exists(f"go{self.who}"):
            time.sleep(0.01)
        self.next(self.each, foreach="items")

    @step
    def each(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    TwoAttempts()
"""

LIMITS = [("--max-workers", "-1"), ("--max-workers", "0"), ("--max-num-splits", "0"), ("--max-num-splits", "-5")]


@pytest.mark.parametrize(("option", "value"), LIMITS, ids=[" ".join(one) for one in LIMITS])
def test_a_limit_that_makes_no_sense_begins_nothing(project: Project, option: str, value: str) -> None:
    project.flow(FORKS.format(each="pass"))
    done = project.python("flow.py", "run", option, value)
    assert done.returncode == 2, done.stdout
    assert option in done.stderr
    assert "Traceback" not in done.stderr
    assert not (project.path / ".stepwell").exists()


@pytest.mark.parametrize(
    "argument",
    [
        "retry:times=-1", "retry:times=99", "retry:times=x", "retry:times", "retry:minutes_between_retries=-1",
        "timeout", "timeout:seconds=-1", "timeout:seconds=soon", "resources:cpu=-1", "resources:memory=lots",
        "resources:memory=0", "resources:gpu=-1", "catch:var=not a name", "batch:cpu=-1", "batch:memory=0", "nothing",
    ],
)  # fmt: skip
def test_an_argument_of_a_decorator_that_makes_no_sense_is_refused_by_name(a_users_own: Path, argument: str) -> None:
    project = Project(a_users_own)
    file = project.flow(FORKS.format(each="pass"))
    name = argument.partition(":")[0]
    with pytest.raises(DecoratorError, match=name):
        read_flow(load_flow(file), file, FlowOptions(added=(argument,)))
