"""`stepwell.compat`: a flow that imports the old name."""

from __future__ import annotations

import pytest
from conftest import Project

FLOW = """
import stepwell.compat
from metaflow import FlowSpec, Parameter, catch, current, retry, step
from metaflow.exception import MetaflowException, MetaflowNotFound


class TestFlow(FlowSpec):
    alpha = Parameter("alpha", default=1)

    @retry(times=0)
    @catch(var="failure", print_exception=False)
    @step
    def start(self):
        raise MetaflowException("as ever")
        self.next(self.end)

    @step
    def end(self):
        print(current.flow_name, self.alpha, self.failure.exception)


if __name__ == "__main__":
    TestFlow()
"""


@pytest.mark.parametrize("options", [(), ("--fresh",)], ids=["forked", "fresh"])
def test_a_flow_that_imports_the_old_name_runs(project: Project, options: tuple[str, ...]) -> None:
    project.write(FLOW)
    assert "TestFlow 1 as ever" in project.run(*options).stdout


@pytest.mark.parametrize("name", ["card", "S3", "conda"])
def test_what_is_not_there_fails_at_its_import(project: Project, name: str) -> None:
    project.write(FLOW.replace("Parameter, catch", f"Parameter, {name}, catch"))
    done = project.python("flow.py", "check")
    assert done.returncode == 1
    assert name in done.stderr


def test_two_libraries_under_one_name_are_refused(project: Project) -> None:
    project.write("x = 1", "metaflow.py")
    done = project.python("-c", "import metaflow, stepwell.compat")
    assert "above everything that imports it" in done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "from metaflow.client import Flow, get_namespace",
        "from metaflow.client.core import Run",
        "from metaflow.parameters import JSONType, Parameter",
        "import metaflow.client",
    ],
)
def test_modules_below_have_what_is_at_the_top(project: Project, line: str) -> None:
    done = project.python("-c", f"import stepwell.compat\n{line}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("line", "absent"),
    [
        ("from metaflow.cards import Markdown", "card"),
        ("from metaflow.plugins.datatools import S3", "S3"),
        ("from metaflow.datatools import S3", "S3"),
    ],
)
def test_modules_of_what_is_absent_say_what_to_do_instead(project: Project, line: str, absent: str) -> None:
    done = project.python("-c", f"import stepwell.compat\n{line}")
    assert done.returncode == 1
    assert f"ImportError: stepwell does not have '{absent}': " in done.stderr
