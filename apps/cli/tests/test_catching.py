"""`@catch`: what becomes of a step's failure."""

from __future__ import annotations

import pytest
from conftest import Project

END = """
@step
def end(self):
    pass
"""


def failing(body: str, decorators: str = '@catch(var="failure")', way: str = "self.end") -> str:
    """A flow whose first step fails."""
    return (
        f"{decorators}\n@step\ndef start(self):\n    self.before = 1\n    {body}\n"
        f"    self.after = 1\n    self.next({way})\n" + END
    )


BRANCHES = (
    "\n@step\ndef a(self):\n    self.next(self.join)\n\n@step\ndef b(self):\n    self.next(self.join)\n"
    "\n@step\ndef join(self, inputs):\n    self.merge_artifacts(inputs)\n    self.next(self.end)\n"
)


READ = """
run = Flow("TestFlow").latest_run
task, failure = run["start"].task, run.data.failure
"""


@pytest.mark.parametrize("options", [(), ("--fresh",)], ids=["forked", "fresh"])
def test_a_caught_exception_is_an_artifact_and_the_flow_goes_on(project: Project, options: tuple[str, ...]) -> None:
    project.flow(failing("{}['absent']", way="self.a, self.b") + BRANCHES)
    done = project.run(*options)
    assert "KeyError: 'absent'" in done.stdout
    assert "@catch caught" in done.stdout
    found = project.client(
        READ
        + """
print(run.successful, task.current_attempt, failure.type, failure.exception, failure.stacktrace.count("File "))
print("before" in task, "after" in task, bool(failure), "flow.py" in failure.stacktrace)
"""
    )
    assert found.splitlines() == ["True 0 builtins.KeyError 'absent' 1", "True False True True"]


def test_nothing_caught_is_none(project: Project) -> None:
    project.flow(failing("pass"))
    project.run()
    assert project.client(READ + "print(failure, run.data.after)") == "None 1"


def test_retries_come_before_catching(project: Project) -> None:
    project.flow(
        failing(
            "print('try', current.retry_count); raise OSError('no')",
            '@catch(var="failure", print_exception=False)\n@retry(times=2, minutes_between_retries=0)',
        )
    )
    done = project.run()
    assert [done.stdout.count(f"try {n}") for n in range(4)] == [1, 1, 1, 0]
    assert "@catch caught" not in done.stdout
    assert project.client(READ + "print(task.current_attempt, failure.type)") == "2 builtins.OSError"


@pytest.mark.parametrize("death", ["import os; os.kill(os.getpid(), 9)", "import os; os._exit(0)"])
def test_a_process_that_died_is_caught_by_an_attempt_that_does_not_run_the_body(project: Project, death: str) -> None:
    project.flow(
        failing(f"print('in the body'); {death}", '@catch(var="failure")\n@retry(times=1, minutes_between_retries=0)')
    )
    done = project.run()
    assert done.stdout.count("in the body") == 2
    assert project.client(READ + "print(task.current_attempt, failure.type, 'before' in task)") == "2 TaskDied False"


def test_an_artifact_that_cannot_be_saved_is_caught(project: Project) -> None:
    project.flow(failing("import threading; self.lock = threading.Lock()"))
    project.run()
    assert project.client(READ + "print(failure.type, 'self.lock' in failure.exception)") == "UnsavableArtifact True"


def test_a_step_that_exits_is_caught(project: Project) -> None:
    project.flow(failing("raise SystemExit(3)"))
    project.run()
    assert project.client(READ + "print(failure.type, failure.exception)") == "builtins.SystemExit 3"


def test_items_of_a_foreach_fail_alone(project: Project) -> None:
    project.flow(
        """
        @step
        def start(self):
            self.items = [1, 0, 2]
            self.next(self.each, foreach="items")

        @catch(var="failure", print_exception=False)
        @step
        def each(self):
            self.inverse = 1 / self.input
            self.next(self.join)

        @catch(var="failure", print_exception=False)
        @step
        def join(self, inputs):
            self.results = [None if one.failure else one.inverse for one in inputs]
            raise ValueError("after all")
            self.next(self.end)

        @step
        def end(self):
            print("results:", self.results, self.failure.exception)
        """
    )
    assert "results: [1.0, None, 0.5] after all" in project.run().stdout


SPLITS = {
    "foreach": (
        "self.items = [1]\n    self.next(self.one, foreach='items')\n\n@step\ndef one(self):\n    self.next(self.j)\n\n"
        "@step\ndef j(self, inputs):\n    self.next(self.end)\n" + END
    ),
    "switch": "self.x = 1\n    self.next({1: self.one, 2: self.end}, condition='x')\n\n"
    "@step\ndef one(self):\n    self.next(self.end)\n" + END,
}


@pytest.mark.parametrize("kind", SPLITS)
def test_a_step_that_has_to_decide_cannot_be_caught(project: Project, kind: str) -> None:
    project.flow("@catch\n@step\ndef start(self):\n    " + SPLITS[kind])
    done = project.python("flow.py", "check" if kind == "switch" else "run")
    assert done.returncode == 1
    assert "flow.py:6: @catch on step 'start'" in done.stderr
    assert kind in done.stderr


def test_a_step_may_read_what_a_decorator_on_the_command_line_assigns(project: Project) -> None:
    project.flow(
        """
        @step
        def start(self):
            if not current.retry_count:
                raise RuntimeError("caught")
            self.next(self.end)

        @step
        def end(self):
            print("said", self.failure.exception)
        """
    )
    done = project.python("flow.py", "--with", "catch:var=failure,print_exception=false", "run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "said" in done.stdout
    assert project.python("flow.py", "--with", "catch:var=failure", "check").returncode == 0
    assert "self.failure" in project.python("flow.py", "check").stdout
