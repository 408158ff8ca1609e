"""`@parallel` and `num_parallel`: tasks that run at once on this machine, and can find each other."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Project
from flow_graph import ForeachFrame
from stepwell.api.transitions import GANG, Transition
from stepwell.execution.records import TaskRecord
from stepwell.execution.spec import TaskSpec
from stepwell.execution.step_records import read_tasks
from stepwell.execution.stores import stores_at
from stepwell.scheduling.gangs import Gang, publish
from stepwell.scheduling.schedule import Attempt

FLOW = """
@step
def start(self):
    self.nodes = 3
    self.next(self.train, num_parallel=self.nodes)

@parallel
@step
def train(self):
    import pathlib, time

    me = current.parallel
    assert current.is_parallel and me.main_ip == "127.0.0.1" and me.control_task_id == "t0"
    pathlib.Path(f"node{me.node_index}").touch()
    deadline = time.monotonic() + 100
    while len(list(pathlib.Path(".").glob("node*"))) < me.num_nodes:
        assert time.monotonic() < deadline, "the others never came"
        time.sleep(0.01)
    self.seen = (me.num_nodes, me.node_index, self.input, self.index)
    self.next(self.join)

@step
def join(self, inputs):
    assert "parallel" not in current
    self.all = [one.seen for one in inputs]
    self.next(self.end)

@step
def end(self):
    print("all", self.all)
"""
ALL = "all [(3, 0, 0, 0), (3, 1, 1, 1), (3, 2, 2, 2)]"


@pytest.mark.parametrize("options", [(), ("--fresh",)], ids=["forked", "fresh"])
def test_all_tasks_of_a_gang_run_at_once_whatever_the_limit(project: Project, options: tuple[str, ...]) -> None:
    project.flow(FLOW)
    assert ALL in project.run("--max-workers", "1", *options).stdout
    found = project.client(
        """
        step = Run("TestFlow/1")["train"]
        print(step.control_task.id, [task.id for task in step.control_tasks()], Step("TestFlow/1/join").control_task,
              [task.id for task in step])
        """
    )
    assert found == "t0 ['t0'] None ['t0', 't1', 't2']"


def test_a_gang_is_taken_over_by_resume_whole_or_not_at_all(project: Project) -> None:
    project.flow(FLOW)
    project.run()
    done = project.python("flow.py", "resume", "end")
    assert ALL in done.stdout, done.stderr
    assert "/train/" not in done.stdout
    (project.path / ".stepwell/flows/TestFlow/runs/1/train/t2/done.json").unlink()
    again = project.python("flow.py", "resume", "--origin-run-id", "1")
    assert ALL in again.stdout, again.stderr
    assert again.stdout.count("/train/") == 3 * len(("is starting", "finished"))


FAILING = """
@step
def start(self):
    self.next(self.train, num_parallel=3)

@retry(times=1, minutes_between_retries=0)
@parallel
@step
def train(self):
    import pathlib, time

    me, attempt = current.parallel.node_index, current.retry_count
    print("node", me, "attempt", attempt)
    self.made = (me, attempt)
    if me == 2 and attempt < FAILURES:
        while not list(pathlib.Path(".stepwell").rglob(f"t0/{attempt}.*.node.json")):
            time.sleep(0.01)
        raise RuntimeError("node 2 fails when node 0 is through")
    if me == 1 and attempt < FAILURES:
        time.sleep(600)
    self.next(self.join)

@step
def join(self, inputs):
    self.all = [one.made for one in inputs]
    self.next(self.end)

@step
def end(self):
    print("all", self.all)
"""


def test_where_one_fails_the_whole_gang_is_tried_again(project: Project) -> None:
    project.flow(FAILING.replace("FAILURES", "1"))
    done = project.run()
    assert "all [(0, 1), (1, 1), (2, 1)]" in done.stdout
    assert "with its whole gang, is tried again" in done.stdout
    assert "1 attempt failed (train)" in done.stdout
    assert not list(project.path.rglob("*.node.json"))
    found = project.client(
        """
        for task in Step("TestFlow/1/train"):
            print(task.current_attempt, task.successful, Task(task.pathspec, attempt=0).stdout.strip(),
                  task.metadata_dict["attempt_ok"], end="; ")
        """
    )
    assert found == "; ".join(f"1 True node {node} attempt 0 True" for node in range(3)) + ";"


def test_of_a_gang_that_fails_for_good_nothing_is_done(project: Project) -> None:
    project.flow(FAILING.replace("FAILURES", "2"))
    done = project.python("flow.py", "run")
    assert done.returncode == 1
    assert "node 2 fails when node 0 is through" in done.stderr
    assert not list(project.path.rglob("train/*/done.json"))
    project.flow(FAILING.replace("FAILURES", "0"))
    assert "all [(0, 0), (1, 0), (2, 0)]" in project.python("flow.py", "resume").stdout


def test_of_two_processes_that_ran_one_gang_the_first_to_publish_publishes_all_of_it(tmp_path: Path) -> None:
    stores = stores_at(str(tmp_path))
    first, second = handed_in("first"), handed_in("second")
    assert [record.token for _, record in publish(stores, first)] == ["first"] * 3
    assert publish(stores, second) == []
    assert {one.token for one in read_tasks(stores.records, "F", "1", [("train", f"t{n}") for n in range(3)])} == {
        "first"
    }
    assert len(publish(stores, first)) == 3, "a write that is tried again is its own"


def handed_in(token: str) -> Gang:
    """A gang of three that all have handed in, last first."""
    gang = Gang(3)
    for node in (2, 1, 0):
        spec = TaskSpec("F", "1", "train", f"t{node}", frames=(ForeachFrame("start", GANG, node, 3),))
        record = TaskRecord(
            "F", "1", "train", f"t{node}", 0, token, 1.0, 2.0, Transition(targets=("join",)), {}, depth=1
        )
        gang.ended.append((Attempt(None, spec, None, None), record))  # type: ignore[arg-type]
    return gang


@pytest.mark.parametrize(
    ("number", "says"), [("0", "from 1, not 0"), ("'4'", "not '4'"), ("True", "not True")]
)  # fmt: skip
def test_a_gang_has_a_number_of_tasks(project: Project, number: str, says: str) -> None:
    project.flow(FLOW.replace("self.nodes = 3", f"self.nodes = {number}"))
    done = project.python("flow.py", "run")
    assert done.returncode == 1
    assert says in done.stderr


def test_a_gang_is_declared_on_both_sides(project: Project) -> None:
    project.flow(FLOW.replace("@parallel\n", ""))
    done = project.python("flow.py", "check")
    assert (done.returncode, "unmarked-gang" in done.stdout) == (1, True)


def test_a_gang_on_batch_is_refused_in_one_sentence(project: Project) -> None:
    project.flow(FLOW.replace("@parallel\n", "@batch\n@parallel\n"))
    done = project.python("flow.py", "--datastore", "local", "run", STEPWELL_BATCH_QUEUE="q")
    assert done.returncode == 1
    assert "one machine only" in done.stderr
