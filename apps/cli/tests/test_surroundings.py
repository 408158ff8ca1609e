"""What surrounds a step's body: `@timeout`, `@environment`, decorators for all steps."""

from __future__ import annotations

import pytest
from conftest import Project
from stepwell import catch, environment, timeout
from stepwell.api.options import FlowOptions, read_options
from stepwell.errors import DecoratorError
from test_catching import END, READ, failing


def body(self: object) -> None:
    """A step."""


@pytest.mark.parametrize(
    "declare",
    [
        lambda: catch(var=1)(body),
        lambda: catch(var="no name")(body),
        lambda: timeout(body),
        lambda: timeout(seconds=-1)(body),
        lambda: timeout(minutes="5")(body),
        lambda: environment(vars=[1])(body),
        lambda: environment(vars={1: 2})(body),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(declare: object) -> None:
    with pytest.raises(DecoratorError, match=r"^@(catch|timeout|environment): "):
        declare()  # type: ignore[operator]


def test_a_wrong_declaration_is_one_message_with_its_line(project: Project) -> None:
    project.flow("@timeout\n@step\ndef start(self):\n    self.next(self.end)\n" + END)
    done = project.python("flow.py", "check")
    assert done.returncode == 1
    assert "flow.py:4: @timeout: say how long" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_step_that_takes_too_long_is_interrupted_and_retry_and_catch_see_it(project: Project) -> None:
    project.flow(
        failing(
            "import time; print('sleeping'); time.sleep(60)",
            '@retry(times=1, minutes_between_retries=0)\n@catch(var="failure")\n@timeout(seconds=0.3)',
        )
    )
    assert project.run().stdout.count(")] sleeping") == 2
    assert project.client(READ + "print(failure.type, failure.exception)") == (
        "stepwell.errors.TimeoutException Step 'start' did not end within its @timeout of 0.3 seconds"
    )


def test_a_step_that_python_cannot_interrupt_is_ended(project: Project) -> None:
    project.flow(
        failing(
            "import signal, time; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM]); time.sleep(60)",
            "@timeout(seconds=0.2)",
        )
    )
    done = project.python("flow.py", "run")
    assert done.returncode == 1
    assert "@timeout of 0.2 seconds" in done.stderr
    assert "flow.py" in done.stdout.partition("Timeout (")[2], "the log shows where it hung"


def test_a_step_in_time_is_left_alone(project: Project) -> None:
    project.flow(
        failing(
            "from stepwell.exception import TimeoutException, MetaflowException\n"
            "    assert issubclass(TimeoutException, MetaflowException)",
            "@timeout(hours=1)",
        )
    )
    project.run()


SEES = """
_seen_on_import = __import__("os").environ.get("COLOUR")

@environment(vars={"COLOUR": "blue", "COUNT": 3})
@step
def start(self):
    print("saw", self._seen_on_import, __import__("os").environ["COUNT"])
    self.next(self.end)

@step
def end(self):
    print("then", self._seen_on_import, __import__("os").environ.get("COUNT"))
"""


@pytest.mark.parametrize("options", [(), ("--fresh",)], ids=["forked", "fresh"])
def test_the_environment_is_set_before_the_flow_is_imported(project: Project, options: tuple[str, ...]) -> None:
    project.flow(SEES)
    done = project.run(*options)
    assert "saw blue 3" in done.stdout
    assert "then None None" in done.stdout


def test_a_task_that_another_program_starts_sees_the_environment_in_its_step(project: Project) -> None:
    project.flow(SEES)
    run_id = project.python("flow.py", "init").stdout.strip()
    done = project.python("flow.py", "step", "start", "--run-id", run_id)
    assert "saw None 3" in done.stdout, done.stderr


FAILS = "@step\ndef start(self):\n    1 / 0\n    self.next(self.end)\n" + END


def test_decorators_of_the_command_line_reach_fresh_interpreters(project: Project) -> None:
    project.flow(FAILS)
    done = project.python("flow.py", "--with", "catch:var=failure", "run", "--fresh")
    assert done.returncode == 0, done.stderr
    assert project.client(READ + "print(task.data.failure.type)") == "builtins.ZeroDivisionError"


@pytest.mark.parametrize("variable", ["STEPWELL_DEFAULT_DECOSPECS", "METAFLOW_DEFAULT_DECOSPECS"])
def test_decorators_for_all_flows_come_from_the_environment(project: Project, variable: str) -> None:
    project.flow(FAILS)
    project.run(**{variable: "catch:print_exception=false retry:times=1,minutes_between_retries=0"})
    assert project.client('print(Flow("TestFlow").latest_run["start"].task.current_attempt)') == "1"


def test_options_go_through_an_environment() -> None:
    options = FlowOptions(added=("catch:var=x", "retry"))
    assert read_options(options.to_environment()) == options
    assert read_options({}) == FlowOptions()
    assert FlowOptions().to_environment() == {}
