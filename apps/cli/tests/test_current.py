"""`current`: what a step can ask about the task it is in."""

from __future__ import annotations

import pytest
from conftest import Project
from stepwell import current

BODY = """
alpha = Parameter("alpha", default=1)

@step
def start(self):
    self.facts = {name: current.get(name) for name in ("flow_name", "run_id", "step_name", "task_id", "retry_count",
        "origin_run_id", "pathspec", "namespace", "username", "parameter_names", "is_running_flow")}
    assert "nightly" in current.tags and "user:tester" in current.tags
    assert __import__("os").path.isdir(current.tempdir)
    assert [node["name"] for node in current.graph["steps"]] == ["start", "end"] and current.graph_info == current.graph
    assert current.run.pathspec == f"TestFlow/{current.run_id}" and not current.run.finished
    assert current.task.pathspec == current.pathspec and not current.task.successful
    assert "absent" not in current and current.get("absent", 7) == 7
    self.next(self.end)

@step
def end(self):
    assert current.run["start"].task.data.facts == self.facts
"""


@pytest.mark.parametrize("options", [(), ("--fresh",)], ids=["forked", "fresh"])
def test_a_step_can_ask_about_its_task(project: Project, options: tuple[str, ...]) -> None:
    project.flow(BODY)
    done = project.python("flow.py", "--datastore-root", "elsewhere", "run", "--tag", "nightly", *options)
    assert done.returncode == 0, done.stdout
    facts = project.python(
        "-c",
        'from stepwell import *; print(Flow("TestFlow").latest_run.data.facts)',
        STEPWELL_DATASTORE_ROOT="elsewhere",
    ).stdout
    assert eval(facts) == {
        "flow_name": "TestFlow",
        "run_id": "1",
        "step_name": "start",
        "task_id": "t0",
        "retry_count": 0,
        "origin_run_id": None,
        "pathspec": "TestFlow/1/start/t0",
        "namespace": "user:tester",
        "username": "tester",
        "parameter_names": ["alpha"],
        "is_running_flow": True,
    }


ELSEWHERE = """
@step
def start(self):
    print("run", current.run.pathspec, current.task.pathspec, current.namespace == get_namespace())
    self.next(self.end)

@step
def end(self):
    pass
"""


def test_the_client_looks_into_the_runs_namespace_whoever_the_process_is(project: Project) -> None:
    project.flow(ELSEWHERE)
    run_id = project.python("flow.py", "init").stdout.strip()
    done = project.python("flow.py", "step", "start", "--run-id", run_id, STEPWELL_USER="container")
    assert f"run TestFlow/{run_id} TestFlow/{run_id}/start/t0 True" in done.stdout, done.stderr


def test_outside_a_task_there_is_nothing_to_tell() -> None:
    assert not current.is_running_flow
    assert current.run_id is current.tags is current.run is current.graph is None
    with pytest.raises(AttributeError, match="current has no 'branch_name'"):
        current.branch_name  # noqa: B018
