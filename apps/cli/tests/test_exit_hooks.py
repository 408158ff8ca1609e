"""`@exit_hook`: functions that are called when a run has ended, however it did."""

from __future__ import annotations

import pytest
from conftest import Project
from stepwell import exit_hook
from stepwell.api.definition import read_flow, refuse_exit_hooks
from stepwell.api.loading import load_flow
from stepwell.errors import DecoratorError, FlowError

FLOW = """
from stepwell import *

def plain():
    print("plain called")

def told(run):
    print("told of", run.pathspec, run.finished, run.successful)

def broken(run):
    raise RuntimeError("the hook itself")

@exit_hook(on_success=[broken, "told"], on_error=["helpers.log_it", told])
@exit_hook(on_success=[plain])
class TestFlow(FlowSpec):
    fail = Parameter("fail", default=False)

    @step
    def start(self):
        if self.fail:
            raise RuntimeError("the step")
        self.next(self.end)

    @step
    def end(self):
        pass

if __name__ == "__main__":
    TestFlow()
"""


def called(output: str) -> list[str]:
    """What the hooks printed."""
    return [line for line in output.splitlines() if line.startswith(("plain", "told", "logged"))]


def test_hooks_are_called_in_order_with_the_run_and_one_that_fails_changes_nothing(project: Project) -> None:
    project.write(FLOW)
    project.write("def log_it():\n    print('logged')\n", "helpers.py")
    done = project.run()
    assert called(done.stdout) == ["told of TestFlow/1 True True", "plain called"]
    assert "The exit hook broken failed" in done.stderr
    assert "RuntimeError: the hook itself" in done.stderr
    failed = project.python("flow.py", "run", "--fail", "true")
    assert failed.returncode == 1
    assert called(failed.stdout) == ["logged", "told of TestFlow/2 True False"]


def test_a_name_that_is_no_function_is_said_before_anything_runs(project: Project) -> None:
    project.write(FLOW.replace('"told"', '"absent"'))
    done = project.python("flow.py", "run")
    assert done.returncode == 1
    assert "there is no function 'absent'" in done.stderr
    assert not list(project.path.glob(".stepwell/flows/*"))


@pytest.mark.parametrize("wrong", [{}, {"on_success": [1]}, {"on_error": 7}, {"on_success": [""]}], ids=str)
def test_what_can_be_no_hook_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(DecoratorError, match="@exit_hook"):
        exit_hook(**wrong)  # type: ignore[arg-type]


def test_hooks_go_above_a_class_and_are_inherited() -> None:
    from stepwell.api.decorators.flows import attached_to_flow

    with pytest.raises(DecoratorError, match="above a flow's class"):
        exit_hook(on_error="x")(lambda self: None)
    base = exit_hook(on_error="x")(type("Base", (), {}))
    flow = exit_hook(on_error="y", on_success="z")(type("Flow", (base,), {}))
    found = attached_to_flow(flow)["exit_hook"]
    assert (found.on_error, found.on_success) == (("y", "x"), ("z",))
    assert attached_to_flow(base)["exit_hook"].on_success == ()


def test_hooks_are_refused_where_no_command_sees_a_run_through(project: Project) -> None:
    file = project.write(FLOW)
    flow = read_flow(load_flow(file), file)
    with pytest.raises(FlowError, match="STEPWELL_NOTIFY_URL"):
        refuse_exit_hooks(flow)
