"""A job's attempts: what its environment says of decorators, and what `@catch` makes of a try that was killed."""

from __future__ import annotations

import subprocess

from conftest import Project
from stepwell.deploying.production_version import Version, keep_version
from stepwell.execution.stores import stores_at

FLOW = """
import os
from stepwell import FlowSpec, catch, current, project, retry, step


@project(name="apples")
class TestFlow(FlowSpec):
    colour = os.environ.get("COLOUR", "none")

    @step
    def start(self):
        print("in the body, attempt", current.retry_count, current.branch_name)
        os._exit(0)
        self.next(self.end)

    @step
    def end(self):
        print(current.task.pathspec, "colour", self.colour, "failure", getattr(self, "failure").type)


if __name__ == "__main__":
    TestFlow()
"""
OPTIONS = '{"added": ["catch:var=failure", "retry:times=1"], "production": true}'


VERSION = Version(
    flow="TestFlow", machine="test", machine_arn="arn:aws:states:here:1:stateMachine:test", package="none",
    user="tester", token="t", environment={"STEPWELL_PACKAGE_URL": "none"},
)  # fmt: skip


def job(project: Project, step: str, attempt: int) -> subprocess.CompletedProcess[str]:
    """Run one attempt of a step as its job does."""
    store = project.path / "store"
    keep_version(stores_at(str(store)), VERSION)
    return project.python(
        "-c",
        "import sys; from stepwell.deploying.job import main; sys.exit(main('.'))",
        STEPWELL_FLOW="TestFlow",
        STEPWELL_FLOW_FILE="flow.py",
        STEPWELL_STEP=step,
        STEPWELL_EXECUTION="one",
        STEPWELL_DATASTORE_ROOT=str(store),
        STEPWELL_DEPLOYMENT=f"{store}/{VERSION.name}",
        STEPWELL_FLOW_OPTIONS=OPTIONS,
        AWS_BATCH_JOB_ATTEMPT=str(attempt),
        COLOUR="blue",
    )


def test_the_attempt_after_the_last_try_says_what_happened_instead_of_running_the_body(project: Project) -> None:
    project.write(FLOW)
    tries = [job(project, "start", attempt) for attempt in (1, 2)]
    for number, one in enumerate(tries):
        assert f"in the body, attempt {number} prod" in one.stdout, one.stderr
        assert one.returncode == 1, "a step that is not done is no success, whatever its process says"
    last = job(project, "start", 3)
    assert last.returncode == 0, last.stderr
    assert "in the body" not in last.stdout
    end = job(project, "end", 1)
    assert end.returncode == 0, end.stderr
    assert "TestFlow/sfn-one/end/t0 colour blue failure TaskDied" in end.stdout
