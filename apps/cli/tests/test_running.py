"""What a run does: every shape of graph, artifacts, logs, retries, limits, signals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest
from conftest import Project

SHAPES = """
@step
def start(self):
    self.items = ["a", "b", "c"]
    self.kind = "long"
    self.next(self.left, self.right)

@step
def left(self):
    self.next(self.each, foreach="items")

@step
def each(self):
    assert self._stepwell_context.spec.read, "it has to read its split's record"
    self.pairs = list(range(self.index + 1))
    self.seen = (self.input, self.index)
    self.next(self.inner, foreach="pairs")

@step
def inner(self):
    assert self._stepwell_context.spec.read, "it has to read its split's record"
    self.place = [frame[:2] for frame in self.foreach_stack()]
    self.word = f"{self.foreach_stack()[0][2]}{self.input}"
    self.next(self.inner_join)

@step
def inner_join(self, inputs):
    self.words = [one.word for one in inputs]
    self.places = [one.place for one in inputs]
    self.next(self.each_join)

@step
def each_join(self, inputs):
    self.words = [one.words for one in inputs]
    self.places = [one.places for one in inputs]
    self.next(self.join)

@step
def right(self):
    self.rounds = 0
    self.next({"long": self.again, "short": self.shortcut}, condition="kind")

@step
def again(self):
    self.rounds = self.rounds + 1
    self.more = "yes" if self.rounds < 3 else "no"
    self.next({"yes": self.again, "no": self.after}, condition="more")

@step
def shortcut(self):
    self.next(self.after)

@step
def after(self):
    self.next(self.join)

@step
def join(self, inputs):
    self.words = inputs.each_join.words
    self.places = inputs.each_join.places
    self.rounds = inputs.after.rounds
    self.merge_artifacts(inputs, include=["items"])
    self.next(self.end)

@step
def end(self):
    print("done")
"""
WORDS = [["a0"], ["b0", "b1"], ["c0", "c1", "c2"]]


@pytest.mark.parametrize(
    "options", [(), ("--fresh",), ("--max-workers", "1")], ids=["forked", "fresh", "one at a time"]
)
def test_every_shape_of_graph_runs(project: Project, options: tuple[str, ...]) -> None:
    project.flow(SHAPES)
    project.run(*options)
    found = project.client(
        """
        import json
        run = Flow("TestFlow").latest_run
        data = run.data
        print(json.dumps([run.successful, run.finished, data.words, data.places, data.rounds, data.items,
                          sorted(task.pathspec.split("/", 2)[2] for step in run for task in step)]))
        """
    )
    successful, finished, words, places, rounds, items, tasks = json.loads(found)
    assert (successful, finished, words, rounds, items) == (True, True, WORDS, 3, ["a", "b", "c"])
    assert places[1] == [[[1, 3], [0, 2]], [[1, 3], [1, 2]]]
    expected = [
        "start/t0",
        "left/t0",
        "right/t0",
        "again/t0",
        "again/t0-r1",
        "again/t0-r2",
        "after/t0",
        "join/t0",
        "end/t0",
    ]
    expected += ["each_join/t0", *(f"each/t{i}" for i in range(3)), *(f"inner_join/t{i}" for i in range(3))]
    expected += [f"inner/t{i}-{j}" for i in range(3) for j in range(i + 1)]
    assert tasks == sorted(expected)


LINEAR = """
import os, random, sys
size = 7

alpha = Parameter("alpha", default=0.5, help="A number.")

@step
def start(self):
    self.xs = [1]
    self.big = b"x" * 100_000
    self._private = 1
    self.function = lambda: 1
    print("to stdout")
    print("to stderr", file=__import__("sys").stderr)
    self.next(self.middle)

@step
def middle(self):
    self.xs.append(2)
    self.drawn = __import__("random").random()
    del self._private
    self.next(self.end)

@step
def end(self):
    assert self.size == 7
"""


def test_artifacts_parameters_constants_and_logs_can_be_read_back(project: Project) -> None:
    project.flow(LINEAR.replace("import os, random, sys\n", ""))
    done = project.run("--alpha", "0.25", "--tag", "nightly")
    assert "to stdout" in done.stdout
    found = project.client(
        """
        run = Flow("TestFlow").latest_run
        first, end = run["start"].task, run.end_task
        assert first.data.xs == [1] and run["middle"].task.data.xs == [1, 2] == run.data.xs
        assert run.data.alpha == 0.25 and run.data.size == 7
        assert "function" not in end and "_private" in first and "_private" not in end
        assert first["big"].sha == end["big"].sha and first["xs"].sha != end["xs"].sha
        assert first.stdout == "to stdout\\n" and first.stderr == "to stderr\\n"
        assert "nightly" in run.tags and "user:tester" in run.system_tags
        assert [step.id for step in run] == ["end", "middle", "start"]
        assert run.finished_at >= run.created_at
        assert first.metadata_dict["attempt_ok"] == "True"
        assert Run(run.pathspec) == run and run.id in Flow("TestFlow") and "absent" not in Flow("TestFlow")
        print("all true")
        """
    )
    assert found == "all true"


def test_forked_tasks_draw_different_random_numbers(project: Project) -> None:
    project.flow(
        """
        @step
        def start(self):
            self.items = list(range(8))
            self.next(self.each, foreach="items")

        @step
        def each(self):
            import random
            self.drawn = random.random()
            self.next(self.join)

        @step
        def join(self, inputs):
            self.different = len({one.drawn for one in inputs})
            self.next(self.end)

        @step
        def end(self):
            print("different:", self.different)
        """
    )
    assert "different: 8" in project.run().stdout


FLAKY = """
@retry(times=2, minutes_between_retries=0)
@step
def start(self):
    if current.retry_count < 2:
        print("attempt", current.retry_count)
        raise RuntimeError("not yet")
    self.attempt = current.retry_count
    self.next(self.end)

@step
def end(self):
    pass
"""


def test_a_failed_step_is_tried_again(project: Project) -> None:
    project.flow(FLAKY)
    done = project.run()
    assert "attempt 2 of 3" in done.stdout
    program = """
    run = Flow("TestFlow").latest_run
    task = run["start"].task
    print(task.successful, task.current_attempt, task.data.attempt, run.successful)
    """
    assert project.client(program) == "True 2 2 True"


def test_a_run_that_fails_says_where_and_is_no_success(project: Project) -> None:
    project.flow(FLAKY.replace("times=2", "times=1"))
    done = project.python("flow.py", "run")
    assert done.returncode == 1
    assert "stepwell logs TestFlow/" in done.stderr
    program = """
    run = Flow("TestFlow").latest_run
    task = run["start"].task
    print(run.successful, run.finished, task.successful, task.exception.type, Flow("TestFlow").latest_successful_run)
    """
    assert project.client(program) == "False True False RuntimeError None"
    assert "failed" in project.stepwell("ls", "TestFlow").stdout


def test_with_attaches_a_decorator_to_every_step(project: Project) -> None:
    project.flow(FLAKY.replace("@retry(times=2, minutes_between_retries=0)\n", ""))
    done = project.python("flow.py", "--with", "retry:times=3,minutes_between_retries=0", "run")
    assert done.returncode == 0, done.stderr
    assert project.stepwell("run", "--with", "retry:times=3,minutes_between_retries=0", "flow.py").returncode == 0


SLEEPER = """
@step
def start(self):
    import subprocess, time
    child = subprocess.Popen(["sleep", "600"])
    open("child", "w").write(str(child.pid))
    time.sleep(600)
    self.next(self.end)

@step
def end(self):
    pass
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_run_ends_its_tasks_and_is_marked_failed(project: Project, number: signal.Signals) -> None:
    project.flow(SLEEPER)
    process = start(project)
    child = project.path / "child"
    wait_for(lambda: child.exists() and child.read_text() != "")
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert number.name in errors
    assert "flow.py resume --origin-run-id 1" in errors
    wait_for(lambda: not alive(int(child.read_text())))
    assert project.client('print(Flow("TestFlow").latest_run.finished)') == "True"


def test_a_killed_scheduler_leaves_no_task_behind(project: Project) -> None:
    project.flow(SLEEPER)
    process = start(project)
    child = project.path / "child"
    wait_for(lambda: child.exists() and child.read_text() != "")
    process.kill()
    process.communicate(timeout=120)
    wait_for(lambda: not alive(int(child.read_text())))
    assert project.client('print(Flow("TestFlow").latest_run.successful)') == "False"


def start(project: Project) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "flow.py", "run"],
        cwd=project.path,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def alive(pid: int) -> bool:
    try:
        state = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0]  # noqa: PTH123, SIM115
    except (FileNotFoundError, ProcessLookupError):  # it may end while this is read
        return False
    return state != "Z"


def wait_for(condition: object, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_classes_of_the_flow_file_can_be_artifacts(project: Project) -> None:
    project.write(
        """
        from stepwell import FlowSpec, step

        class Model:
            def __init__(self, n):
                self.n = n

        class TestFlow(FlowSpec):
            @step
            def start(self):
                self.model = Model(3)
                self.next(self.end)

            @step
            def end(self):
                print("n is", self.model.n)

        if __name__ == "__main__":
            TestFlow()
        """
    )
    assert "n is 3" in project.run().stdout
    assert "n is 3" in project.run("--fresh").stdout
    assert "n is 3" in project.stepwell("run", "flow.py").stdout


def test_quiet_leaves_only_what_the_steps_print(project: Project) -> None:
    project.flow(LINEAR.replace("import os, random, sys\n", ""))
    done = project.python("flow.py", "--quiet", "run")
    assert done.returncode == 0
    assert "Task is starting" not in done.stdout
    assert "to stdout" in done.stdout
    assert done.stderr == ""


def test_the_run_id_is_written_where_a_script_asks_for_it(project: Project) -> None:
    project.flow(LINEAR.replace("import os, random, sys\n", ""))
    project.run("--run-id-file", "id")
    assert (project.path / "id").read_text() == project.client('print(Flow("TestFlow").latest_run.id)')


def test_no_colours_and_no_progress_line_reach_a_pipe(project: Project) -> None:
    project.flow(LINEAR.replace("import os, random, sys\n", ""))
    assert "\x1b" not in project.run().stdout


def test_the_browsing_commands_show_what_a_run_left(project: Project) -> None:
    project.flow(LINEAR.replace("import os, random, sys\n", ""))
    project.run("--tag", "nightly", "--tag", "second try")
    run = json.loads(project.stepwell("ls", "TestFlow", "--json").stdout)
    assert run["status"] == "completed"
    assert run["tags"] == ["nightly", "second try"]
    assert project.stepwell("ls", "TestFlow").stdout.endswith("  nightly second try\n")
    name = run["run"]
    assert "TestFlow" in project.stepwell("ls").stdout
    assert f"{name}/start" in project.stepwell("ls", name).stdout
    assert json.loads(project.stepwell("show", name, "--json").stdout)["steps"] == ["start", "middle", "end"]
    assert "xs" in project.stepwell("show", f"{name}/start/t0").stdout
    assert project.stepwell("logs", f"{name}/start/t0", "--stdout").stdout == "to stdout\n"
    assert "xs = [1, 2]" in project.stepwell("dump", f"{name}/end").stdout
    assert project.stepwell("dump", f"{name}/end", "--include", "size").stdout.splitlines()[1:] == ["    size = 7"]


def test_another_users_runs_are_outside_the_namespace(project: Project) -> None:
    project.flow(LINEAR.replace("import os, random, sys\n", ""))
    project.run(STEPWELL_USER="somebody")
    assert project.client('print(Flow("TestFlow").latest_run)') == "None"
    assert project.client('namespace(None); print(Flow("TestFlow").latest_run.successful)') == "True"
    done = project.stepwell("show", "TestFlow/1")
    assert done.returncode == 1
    assert "namespace" in done.stderr
    assert project.stepwell("show", "TestFlow/1", "--all").returncode == 0


def test_the_first_and_the_last_step_may_be_called_otherwise(project: Project) -> None:
    project.flow(
        """
        @step(start=True)
        def begin(self):
            self.x = 1
            self.next(self.finish)

        @step(end=True)
        def finish(self):
            print("x is", self.x)
        """
    )
    assert "x is 1" in project.run().stdout
    assert project.client('print(Flow("TestFlow").latest_run.data.x)') == "1"
