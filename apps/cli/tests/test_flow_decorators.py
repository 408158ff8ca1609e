"""`@project` and `@schedule`: what a flow as a whole says of itself."""

from __future__ import annotations

import json

import pytest
from conftest import Project
from hypothesis import given
from hypothesis import strategies as st
from stepwell import FlowSpec, project, schedule
from stepwell.api.decorators.cron import why_no_cron
from stepwell.api.decorators.flows import Project as ProjectDecorator
from stepwell.api.decorators.flows import ProjectFacts, Schedule, attached_to_flow
from stepwell.api.options import FlowOptions, read_options
from stepwell.errors import DecoratorError

END = "\n@step\ndef end(self):\n    pass\n"
FLOW = """
from stepwell import FlowSpec, current, project, schedule, step


@project(name="apples")
@schedule(cron="0 10 ? * MON-FRI *")
class TestFlow(FlowSpec):
    @step
    def start(self):
        self.where = [current.project_name, current.branch_name, current.is_user_branch, current.is_production]
        self.next(self.end)

    @step
    def end(self):
        print(self.where, current.project_flow_name, "project_name" in current)


if __name__ == "__main__":
    TestFlow()
"""


@pytest.mark.parametrize(
    ("options", "behind", "where", "branch"),
    [
        ((), (), ["apples", "user.tester", True, False], "user.tester"),
        (("--branch", "b"), ("--fresh",), ["apples", "test.b", False, False], "test.b"),
        (("--production", "--branch", "b"), (), ["apples", "prod.b", False, True], "prod.b"),
    ],
    ids=["user", "branch, fresh", "production branch"],
)
def test_a_run_belongs_to_a_branch_of_its_project(
    project: Project, options: tuple[str, ...], behind: tuple[str, ...], where: list[object], branch: str
) -> None:
    project.write(FLOW)
    done = project.python("flow.py", *options, "run", *behind)
    assert done.returncode == 0, done.stderr
    assert f"{where} apples.{branch}.TestFlow True" in done.stdout
    found = project.client(
        'import json; print(json.dumps(sorted(t for t in Flow("TestFlow").latest_run.system_tags if "project" in t)))'
    )
    assert json.loads(found) == ["project:apples", f"project_branch:{branch}"]


def test_the_environment_says_which_branch(project: Project) -> None:
    project.write(FLOW)
    assert "prod.x.TestFlow" in project.run(METAFLOW_BRANCH="x", METAFLOW_PRODUCTION="1").stdout
    done = project.stepwell("run", "--branch", "y", "flow.py")
    assert "test.y.TestFlow" in done.stdout, done.stderr


def test_a_flow_without_project_has_no_branch(project: Project) -> None:
    project.flow(
        "@step\ndef start(self):\n    current.project_name\n    self.next(self.end)\n\n@step\ndef end(self):\n    pass\n"
    )
    done = project.python("flow.py", "run")
    assert "current has no 'project_name'" in done.stderr
    done = project.python("flow.py", "--branch", "x", "run")
    assert done.returncode == 2
    assert "--branch" in done.stderr


def test_the_branch_of_a_run() -> None:
    def branch(given: str | None, in_production: bool, **declared: object) -> str:
        return ProjectDecorator(name="p", **declared).facts("F", "ann", given, in_production).branch_name  # type: ignore[arg-type]

    assert branch(None, False) == "user.ann"
    assert branch(None, True) == "prod"
    assert branch(None, False, branch="b") == "test.b"
    assert branch("c", False, branch="b") == "test.c"
    assert branch(None, False, branch="b", production=True) == "prod.b"


def test_decorators_are_inherited_and_replaced() -> None:
    @project(name="one")
    @schedule
    class Base(FlowSpec):
        pass

    @project(name="two")
    class Derived(Base):
        pass

    facts = attached_to_flow(Derived)["project"].facts("F", "u", None, False)  # type: ignore[attr-defined]
    assert facts == ProjectFacts("two", "user.u", True, False, "two.user.u.F")
    assert attached_to_flow(Derived)["schedule"] == Schedule()
    assert attached_to_flow(Base)["project"].project == "one"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (lambda: project(FlowSpec), "needs name"),
        (lambda: project("apples"), "by name"),
        (lambda: project(name="Big Apples"), "a-z, 0-9 and _"),
        (lambda: project(name="x" * 129), "128"),
        (lambda: project(name="x", branch="a b"), "letters"),
        (lambda: project(nome="x"), "no attribute 'nome'"),
        (lambda: project(name="x")(lambda self: None), "above a flow's class"),
        (lambda: project(name="x")(project(name="y")(type("F", (), {}))), "twice"),
        (lambda: schedule(cron="0 10 * * *"), "six"),
        (lambda: schedule(daily=False), "six"),
        (lambda: schedule(hourly=1), "hourly"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(declare: object, says: str) -> None:
    with pytest.raises(DecoratorError, match=says):
        declare()  # type: ignore[operator]


def test_schedules_are_cron_expressions_of_aws() -> None:
    assert Schedule(hourly=True).expression == "0 * * * ? *"
    assert Schedule(weekly=True).expression == "0 0 ? * SUN *"
    assert Schedule().expression == "0 0 * * ? *"
    assert Schedule(cron="15 12 ? * * *", weekly=True).expression == "15 12 ? * * *"


@pytest.mark.parametrize(
    "expression",
    ["0 10 * * ? *", "15 12 * * ? *", "0 18 ? * MON-FRI *", "0 8 1 * ? *", "0/15 * * * ? *", "0/10 * ? * MON-FRI *",
     "0/5 8-17 ? * MON-FRI *", "0 9 ? * 2#1 *", "0 0 L * ? *", "0 0 3W * ? *", "0 0 ? JAN,MAR 6L 2027-2030"],
)  # fmt: skip
def test_expressions_of_the_guide_are_accepted(expression: str) -> None:
    assert why_no_cron(expression) is None


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("60 10 * * ? *", "minutes"),
        ("0 24 * * ? *", "hours"),
        ("0 10 0 * ? *", "day of month"),
        ("0 10 * 13 ? *", "month"),
        ("0 10 ? * 8 *", "day of week"),
        ("0 10 ? * 2#6 *", "day of week"),
        ("0 10 * * ? 1969", "year"),
        ("0 10 * * * *", "just one"),
        ("0 10 ? * ? *", "just one"),
        ("5-1 10 * * ? *", "minutes"),
        ("*/0 10 * * ? *", "minutes"),
        ("rate(5 minutes)", "six"),
    ],
)
def test_other_expressions_are_refused_with_the_field(expression: str, says: str) -> None:
    assert says in (why_no_cron(expression) or "")


@given(st.integers(-5, 70), st.integers(-5, 30))
def test_numbers_are_checked_against_the_bounds_of_their_field(minute: int, hour: int) -> None:
    assert (why_no_cron(f"{minute} {hour} * * ? *") is None) == (0 <= minute < 60 and 0 <= hour < 24)


@given(st.text(max_size=30))
def test_any_text_is_answered(text: str) -> None:
    assert why_no_cron(text) is None or "cron=" in (why_no_cron(text) or "")


@given(st.builds(FlowOptions, st.tuples(st.text()), st.none() | st.text(min_size=1), st.booleans()))
def test_options_go_through_an_environment(options: FlowOptions) -> None:
    assert read_options(options.to_environment()) == options


TRIGGERED = """
from stepwell import *


@trigger_on_finish(flow="Prepare")
class TestFlow(FlowSpec):
    @step
    def start(self):
        by = current.trigger
        print("by", by and (by.run.pathspec, by.event.name, by.event.type, "Prepare" in by, by["Prepare"].data.table))
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    TestFlow()
"""


@pytest.mark.parametrize("options", [(), ("--fresh",)], ids=["forked", "fresh"])
def test_a_trigger_is_tried_with_a_run_of_ones_own(project: Project, options: tuple[str, ...]) -> None:
    project.flow(
        "@step\ndef start(self):\n    self.table = [1]\n    self.next(self.end)\n\n@step\ndef end(self):\n    pass\n",
        name="Prepare",
        file="prepare.py",
    )
    project.run(file="prepare.py")
    project.write(TRIGGERED)
    assert "by None" in project.run(*options).stdout
    done = project.python("flow.py", "--trigger", "Prepare/1", "run", *options)
    assert "by ('Prepare/1', 'Prepare.end', 'run', True, [1])" in done.stdout, done.stderr
    assert project.client("print(Flow('TestFlow').latest_run.trigger.run.pathspec)") == "Prepare/1"
    for absent in ("Prepare/9", "Prepare", "../x"):
        done = project.python("flow.py", "--trigger", absent, "run")
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith(f"There is no run '{absent}' to be the trigger; stepwell ls")
