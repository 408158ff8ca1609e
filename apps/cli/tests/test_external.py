"""`init` and `step`: a run whose tasks another program starts."""

from __future__ import annotations

import json

import pytest
from conftest import Project

BODY = """
size = 3
base = Parameter("base", default=1)

@step
def start(self):
    self.items = [self.base + n for n in range(self.size)]
    self.next(self.each, foreach="items")

@step
def each(self):
    if self.input == 12 and current.retry_count == 0:
        raise RuntimeError("once")
    print("square of", self.input)
    self.square = self.input**2
    self.next(self.join)

@step
def join(self, inputs):
    self.total = sum(one.square for one in inputs)
    self.next(self.end)

@step
def end(self):
    pass
"""


def test_another_program_runs_a_flow_task_by_task(project: Project) -> None:
    project.flow(BODY)
    run_id = project.python("flow.py", "init", "--base", "10", "--tag", "outside").stdout.strip()

    def step(name: str, task: str = "t0", *options: str) -> int:
        return project.python("flow.py", "step", name, "--run-id", run_id, "--task-id", task, *options).returncode

    early = project.python("flow.py", "step", "end", "--run-id", run_id)
    assert (early.returncode, "all tasks before" in early.stderr) == (1, True)
    assert step("start", "t0", "--outcome-file", "outcome.json") == 0
    outcome = json.loads((project.path / "outcome.json").read_text())
    assert (outcome["targets"], outcome["cardinality"]) == (["each"], 3)
    assert [step("each", f"t{n}") for n in range(3)] == [0, 0, 1]
    assert step("each", "t2", "--retry-count", "1") == 0
    assert project.client(f"print(Run('TestFlow/{run_id}').finished)") == "False"
    assert [step("join"), step("end")] == [0, 0]
    program = f"""
    run = Run("TestFlow/{run_id}")
    print(run.successful, run.finished_at is not None, run.data.total, sorted(run.user_tags), len(list(run["each"])))
    """
    assert project.client(program) == f"True True {10**2 + 11**2 + 12**2} ['outside'] 3"


def test_a_task_spec_comes_in_on_standard_input(project: Project) -> None:
    import subprocess
    import sys

    from stepwell.execution.spec import TaskSpec

    project.flow(BODY)
    run_id = project.python("flow.py", "init").stdout.strip()
    command = [sys.executable, "flow.py", "step"]
    spec = TaskSpec("TestFlow", run_id, "start", "t0", user="tester").to_json()
    done = subprocess.run(command, input=spec, cwd=project.path, env=project.environment, text=True, timeout=120)
    assert done.returncode == 0
    assert project.client(f"print(Run('TestFlow/{run_id}')['start'].task.data.items)") == "[1, 2, 3]"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("absent", "--run-id", "1"), 1, "no step 'absent'"),
        (("each", "--run-id", "1", "--task-id", "t0-1"), 1, "t0-1"),
        (("start", "--run-id", "77"), 1, "init"),
        (("start",), 2, "--run-id"),
        ((), 2, "no task spec"),
    ],
)
def test_what_is_wrong_with_a_step_is_said(
    project: Project, arguments: tuple[str, ...], status: int, says: str
) -> None:
    project.flow(BODY)
    done = project.python("flow.py", "step", *arguments)
    assert done.returncode == status, done.stderr
    assert says in done.stderr
