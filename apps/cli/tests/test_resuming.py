"""Resume: what was done is taken over, what was not runs again, with code that may have changed."""

from __future__ import annotations

import subprocess
import sys

from conftest import Project

BODY = """
alpha = Parameter("alpha", default=1)

@step
def start(self):
    print("start ran")
    self.items = list(range(4))
    self.next(self.each, foreach="items")

@step
def each(self):
    import os
    print("each ran", self.index)
    if self.index == 2 and not os.path.exists("mended"):
        raise RuntimeError("not mended")
    self.square = self.input**2 * self.alpha
    self.next(self.join)

@step
def join(self, inputs):
    self.total = sum(one.square for one in inputs)
    self.rounds = 0
    self.next(self.again)

@step
def again(self):
    import os
    print("again ran", self.rounds)
    self.rounds += 1
    if self.rounds == 2 and not os.path.exists("round"):
        raise RuntimeError("no second round")
    self.more = self.rounds < 3
    self.next({True: self.again, False: self.end}, condition="more")

@step
def end(self):
    print("total", self.total, "rounds", self.rounds, "resumed", current.origin_run_id)
"""


def ran(output: str) -> list[str]:
    """What the steps printed, in order of appearance."""
    return [line.rpartition(")] ")[2] for line in output.splitlines() if " ran" in line]


def test_a_failed_run_goes_on_from_where_it_failed(project: Project) -> None:
    project.flow(BODY)
    assert project.python("flow.py", "run", "--alpha", "10", "--max-workers", "1").returncode == 1
    (project.path / "mended").touch()
    first = project.python("flow.py", "resume", "--max-workers", "1")
    assert first.returncode == 1
    assert ran(first.stdout) == ["each ran 2", "each ran 3", "again ran 0", "again ran 1"]
    (project.path / "round").touch()
    second = project.python("flow.py", "resume")
    assert second.returncode == 0, second.stderr
    assert ran(second.stdout) == ["again ran 1", "again ran 2"]
    assert "total 140 rounds 3 resumed 2" in second.stdout
    found = project.client(
        """
        run = Flow("TestFlow").latest_run
        each = run["each"]["t0"]
        print(run.successful, run.origin_pathspec, each.origin_pathspec, each.stdout.strip(), each.data.alpha,
              run.end_task.origin_pathspec, sorted(task.id for task in run["again"]))
        """
    )
    assert found == "True TestFlow/2 TestFlow/1/each/t0 each ran 0 10 None ['t0', 't0-r1', 't0-r2']"


WIDE = """
@step
def start(self):
    self.items = list(range(20))
    self.next(self.each, foreach="items")

@step
def each(self):
    self.own = bytes([self.index]) * 50_000
    self.next(self.more)

@step
def more(self):
    import os
    if self.index == 7 and not os.path.exists("mended"):
        raise RuntimeError("not mended")
    print("more ran", self.index)
    self.next(self.join)

@step
def join(self, inputs):
    self.total = sum(len(one.own) for one in inputs)
    self.next(self.end)

@step
def end(self):
    print("total", self.total)
"""


def test_a_wide_run_is_taken_over_in_one_object_a_step_which_outlives_its_origin(project: Project) -> None:
    project.flow(WIDE)
    assert project.python("flow.py", "run", "--max-workers", "1").returncode == 1
    (project.path / "mended").touch()
    second = project.python("flow.py", "resume")
    assert "total 1000000" in second.stdout, second.stderr
    assert "Step each: 20 of its tasks taken over from run 1" in second.stdout
    third = project.python("flow.py", "resume", "end")
    assert "total 1000000" in third.stdout, third.stderr
    run = project.path / ".stepwell" / "flows" / "TestFlow" / "runs" / "3"
    assert {path.relative_to(run).parts[:2] for path in run.rglob("*") if path.is_file()} == {
        ("run.json",), ("ended.json",), ("start", "clones.pack"), ("each", "clones.pack"), ("more", "clones.pack"),
        ("join", "clones.pack"), ("end", "t0"),
    }  # fmt: skip
    assert project.stepwell("rm", "TestFlow/1", "TestFlow/2").returncode == 0
    for _ in range(2):
        assert project.stepwell("gc", "--grace", "0s").returncode == 0
    assert project.stepwell("fsck").returncode == 0
    found = project.client(
        """
        run = Flow("TestFlow")["3"]
        each = list(run["each"])
        print([task.data.own[0] for task in each] == list(range(20)), each[4].origin_pathspec, run["each"].finished_at,
              [len(list(run[step])) for step in ("start", "more", "join")], len(list(run["join"].task.parent_tasks)),
              list(Task("TestFlow/3/each/t4").parent_task_pathspecs))
        """
    )
    assert found.startswith("True TestFlow/1/each/t4 2"), found
    assert found.endswith("[1, 20, 1] 20 ['TestFlow/3/start/t0']")


def test_a_step_and_all_behind_it_can_run_again(project: Project) -> None:
    project.flow(BODY)
    for name in ("mended", "round"):
        (project.path / name).touch()
    project.run()
    again = project.python("flow.py", "resume", "join", "--origin-run-id", "1")
    assert again.returncode == 0, again.stderr
    assert ran(again.stdout) == ["again ran 0", "again ran 1", "again ran 2"]
    whole = project.stepwell("resume", "flow.py", "start")
    assert len(ran(whole.stdout)) == 8


def test_changed_code_runs_where_it_no_longer_fits(project: Project) -> None:
    project.flow(BODY)
    for name in ("mended", "round"):
        (project.path / name).touch()
    project.run()
    project.flow(BODY.replace("self.next(self.again)", "self.next(self.between)").replace(
        "@step\ndef again", "@step\ndef between(self):\n    print('between ran')\n    self.next(self.again)\n\n@step\ndef again"
    ))  # fmt: skip
    done = project.python("flow.py", "resume")
    assert done.returncode == 0, done.stderr
    assert ran(done.stdout) == ["between ran", "again ran 0", "again ran 1", "again ran 2"]


def test_another_users_run_can_be_resumed_by_its_id(project: Project) -> None:
    project.flow(BODY)
    assert project.python("flow.py", "run", STEPWELL_USER="somebody").returncode == 1
    for name in ("mended", "round"):
        (project.path / name).touch()
    done = project.python("flow.py", "resume")
    assert done.returncode == 1
    assert "tester has no run of TestFlow to resume" in done.stderr
    assert project.python("flow.py", "resume", "--origin-run-id", "1").returncode == 0


def test_several_processes_may_resume_into_one_run(project: Project) -> None:
    project.flow(BODY)
    project.python("flow.py", "run")
    for name in ("mended", "round"):
        (project.path / name).touch()
    command = [sys.executable, "flow.py", "resume", "--origin-run-id", "1", "--run-id", "second", "--reentrant"]
    processes = [
        subprocess.Popen(command, cwd=project.path, env=project.environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=240)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    found = project.client('run = Flow("TestFlow")["second"]; print(run.successful, run.data.total, run.data.rounds)')
    assert found == "True 14 3"


def test_what_cannot_be_resumed_says_why(project: Project) -> None:
    project.flow(BODY)
    for arguments, says in (
        ((), "no run of TestFlow"),
        (("--origin-run-id", "77"), "TestFlow/77"),
        (("nowhere", "--origin-run-id", "1"), "no step 'nowhere'"),
        (("--reentrant",), "--run-id"),
    ):
        done = project.python("flow.py", "resume", *arguments)
        assert done.returncode == 1, done.stdout
        assert says in done.stderr
    assert project.python("flow.py", "resume", "--run-id", "12").returncode == 2
    assert project.stepwell("ls", "TestFlow").stdout == ""


def test_a_run_whose_scheduler_was_killed_is_resumed_to_the_same_result(project: Project) -> None:
    project.flow(BODY.replace("self.square =", "import time; time.sleep(0.2); self.square ="))
    for name in ("mended", "round"):
        (project.path / name).touch()
    process = subprocess.Popen(
        [sys.executable, "flow.py", "run"], cwd=project.path, env=project.environment,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        if "each ran" in line:
            break
    process.kill()
    process.communicate()
    assert "total 14 rounds 3" in project.python("flow.py", "resume").stdout
