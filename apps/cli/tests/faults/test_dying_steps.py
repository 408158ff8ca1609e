"""Steps that die, print what is no text, print too much, or leave something running: one clear error, or a right result."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import attrs
import pytest
from conftest import Project

END = """

@step
def end(self):
    print("came to the end")
"""


def start(body: str) -> str:
    """A flow whose first step does this."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    imports = "    import os, signal, subprocess, sys, threading, time\n"
    return f"@step\ndef start(self):\n{imports}{lines}    self.next(self.end)\n{END}"


@attrs.frozen
class Death:
    """What a step does, and what the error must say of it."""

    body: str
    says: tuple[str, ...]


DEATHS = {
    "os._exit(0)": Death("os._exit(0)", ("'start'", "flow.py:5", "os._exit")),
    "os._exit(3)": Death(
        "print('so far')\nos._exit(3)", ("'start'", "flow.py:5", "status 3", "The last line it printed: so far")
    ),
    "a segmentation fault": Death("import ctypes; ctypes.string_at(0)", ("'start'", "flow.py:5", "SIGSEGV")),
    "the OOM killer": Death("os.kill(os.getpid(), signal.SIGKILL)", ("'start'", "flow.py:5", "SIGKILL", "out of memory")),
    "a limit of memory": Death(
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))\nself.x = bytearray(8 << 30)",
        ("'start'", "flow.py:9", "MemoryError"),
    ),
    "its fork server killed": Death(
        "os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(60)", ("'start'", "the process that forks the tasks", "SIGKILL")
    ),
    "an artifact of a kind that nobody can keep": Death(
        "self.handles = {'a': [open(os.devnull)]}", ("self.handles", "['a'][0]", "TextIOWrapper")
    ),
}  # fmt: skip


@pytest.mark.parametrize("death", DEATHS.values(), ids=DEATHS.keys())
def test_a_step_that_dies_is_one_clear_error(project: Project, death: Death) -> None:
    project.flow(start(death.body))
    done = project.python("flow.py", "run")
    assert done.returncode == 1, done.stdout + done.stderr
    for words in (*death.says, "resume --origin-run-id 1"):
        assert words in done.stderr
    assert "bug in stepwell" not in done.stderr
    assert "Traceback" not in done.stderr
    assert project.stepwell("ls", "TestFlow").stdout.split()[:2] == ["TestFlow/1", "failed"]


def test_a_fork_that_is_killed_while_it_waits_for_a_task_is_replaced(project: Project) -> None:
    """The next step's fork is there before this step ends; who kills it kills no task."""
    project.flow(
        start(
            """
server = os.getppid()
forks = lambda: [int(n) for n in open(f"/proc/{server}/task/{server}/children").read().split()]
while not (others := [pid for pid in forks() if pid != os.getpid()]):
    time.sleep(0.01)
for pid in others:
    os.kill(pid, signal.SIGKILL)
"""
        )
    )
    assert "came to the end" in project.run().stdout


def test_output_that_is_no_text_is_kept_as_far_as_it_goes(project: Project) -> None:
    project.flow(start(r"""
os.write(1, b"\xff\xfe bad \xc3\nnul \0 and\r\nno end \xe2\x82")
os.write(2, b"\n\n" + b"long" * 300_000)
"""))  # fmt: skip
    project.run()
    done = project.stepwell("logs", "TestFlow/1/start/t0", "--stdout")
    assert done.stdout == "\ufffd\ufffd bad \ufffd\nnul \0 and\nno end \ufffd\n"
    printed = project.stepwell("logs", "TestFlow/1/start/t0", "--stderr").stdout
    assert printed.startswith("\n\n")
    assert printed.replace("\n", "") == "long" * 300_000, "a line too long is cut, not lost"


# A program of its own, as a child begins with the memory of who starts it, and pytest's is large.
MEASURED = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:], stderr=subprocess.STDOUT).returncode
print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""


def test_a_flood_is_cut_in_the_middle_and_held_in_bounded_memory(project: Project) -> None:
    """200 MB here; what the scheduler holds does not depend on how many."""
    project.flow(start("""
flood = (b"x" * 9_999 + b"\\n") * 100
os.write(1, b"the first\\n")
for _ in range(200):
    os.write(1, flood)
print("the last", flush=True)
raise ValueError("too much")
"""))  # fmt: skip
    with (project.path / "output").open("wb") as output:
        measured = subprocess.run(
            [sys.executable, "-c", MEASURED, sys.executable, "flow.py", "run"],
            cwd=project.path, env=project.environment, stdout=output, stderr=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    status, most_kb = map(int, measured.stderr.split()[-2:])
    assert status == 1
    assert (project.path / "output").stat().st_size > 200_000_000
    assert most_kb < 150_000, "of the command and of all below it"
    log = project.path / ".stepwell" / "flows" / "TestFlow" / "runs" / "1" / "start" / "t0" / "0.log"
    assert 9_000_000 < log.stat().st_size < 11_000_000
    lines = project.stepwell("logs", "TestFlow/1/start/t0").stdout.splitlines()
    assert lines[0] == "the first"
    assert any("the log is full" in line and "lines between were left out" in line for line in lines)
    assert "the last" in lines
    assert lines[-1] == "ValueError: too much"


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("fresh", [(), ("--fresh",)], ids=["fork", "fresh"])
def test_what_a_step_leaves_behind_does_not_hold_it_up_nor_stay(project: Project, fresh: tuple[str, ...]) -> None:
    project.flow(start("""
import atexit
child = subprocess.Popen(["sleep", "1000"])  # it holds the step's pipes open
open("child", "w").write(str(child.pid))
threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
threading.Thread(target=lambda: (time.sleep(0.3), open("late", "w").close())).start()
atexit.register(print, "at its exit")
"""))  # fmt: skip
    done = project.run(*fresh)
    assert "came to the end" in done.stdout
    assert (project.path / "late").exists(), "a thread that is no daemon may finish, as in any Python program"
    assert "at its exit" in project.stepwell("logs", "TestFlow/1/start/t0").stdout
    assert not is_running(int((project.path / "child").read_text()))


def test_a_thread_that_never_ends_is_cut_off_with_a_word() -> None:
    from stepwell.execution import leaving

    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        import threading

        os.dup2(writer, 2)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        leaving.begin_anew()
        threading.Thread(target=time.sleep, args=(1000,), name="endless").start()
        leaving.leave(5, seconds=0.2)
    os.close(writer)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5
    with os.fdopen(reader) as said:
        assert "endless" in said.read()
