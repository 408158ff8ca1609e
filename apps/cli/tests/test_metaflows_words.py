"""Command lines that scripts have from Metaflow: each is understood as it stands."""

from __future__ import annotations

import pytest
from conftest import Project

FLOW = """
long_name = Parameter("long-name", default="x")
other_name = Parameter("other_name", default="y")

@step
def start(self):
    print("given", self.long_name, self.other_name, get_namespace(), current.namespace)
    if current.retry_count == 0 and self.long_name == "again":
        raise ValueError("once")
    self.next(self.end)

@step
def end(self):
    pass
"""


@pytest.mark.parametrize(
    "before",
    [
        "--no-pylint",
        "--pylint",
        "--environment=local",
        "--event-logger=nullSidecarLogger",
        "--monitor=nullSidecarMonitor",
    ],
)
def test_what_has_no_counterpart_here_is_accepted_before_the_command(project: Project, before: str) -> None:
    project.flow(FLOW)
    done = project.python("flow.py", before, "check")
    assert done.returncode == 0, done.stderr
    assert "pylint" not in project.python("flow.py", "--help").stdout


def test_an_environment_that_is_absent_is_refused_with_what_to_do(project: Project) -> None:
    project.flow(FLOW)
    done = project.python("flow.py", "--environment=conda", "run")
    assert done.returncode == 2
    assert "stepwell has no 'conda': give the steps an image" in done.stderr


def test_decorators_and_limits_may_stand_behind_run_and_resume(project: Project) -> None:
    project.flow(FLOW)
    failed = project.python("flow.py", "run", "--long-name", "again", "--max-log-size", "1")
    assert failed.returncode == 1
    retry = "retry:times=1,minutes_between_retries=0"
    assert project.python("flow.py", "resume", "--with", retry, "--max-log-size", "3").returncode == 0
    assert "attempt 2 of 2" in project.run("--long-name", "again", "--with", retry).stdout
    wrong = project.python("flow.py", "run", "--with", "retry:foo=1")
    assert wrong.returncode == 1
    assert "@retry has no attribute 'foo'" in wrong.stderr


@pytest.mark.parametrize("more", [(), ("--fresh",)], ids=["forked", "fresh"])
@pytest.mark.parametrize(
    ("options", "shown"),
    [((), "user:tester"), (("--namespace", "user:ann"), "user:ann"), (("--namespace=",), "None")],
)
def test_the_steps_look_into_the_namespace_that_the_run_was_given(
    project: Project, options: tuple[str, ...], shown: str, more: tuple[str, ...]
) -> None:
    project.flow(FLOW)
    assert f"given x y {shown} user:tester" in project.run(*options, *more).stdout


def test_a_log_is_kept_up_to_the_size_that_was_given(project: Project) -> None:
    project.flow(
        "@step\ndef start(self):\n    for n in range(30_000):\n        print(n, 'x' * 80)\n    self.next(self.end)\n"
        "\n@step\ndef end(self):\n    pass\n"
    )
    project.run("--max-log-size", "1")
    kept = project.python("flow.py", "logs", "1/start").stdout
    assert 500_000 < len(kept) <= 1 << 20
    assert kept.startswith("0 x")
    assert "29999 x" in kept


def test_an_option_of_a_parameter_may_be_spelled_as_in_python(project: Project) -> None:
    project.flow(FLOW)
    assert "given 1 2 " in project.run("--long_name", "1", "--other_name=2").stdout
    assert "given 1 2 " in project.run("--long_name=1", "--other_name", "2").stdout
    assert project.python("flow.py", "run", "--other-name", "2").returncode == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("help",), "Usage: python flow.py [OPTIONS]"),
        (("output-dot",), 'digraph "TestFlow"'),
        (("output-raw",), '"name": "TestFlow"'),
        (("output-raw", "--json"), '"name": "TestFlow"'),
        (("check", "--warnings"), "is a valid flow"),
    ],
)
def test_commands_have_the_names_that_they_have_there(project: Project, words: tuple[str, ...], said: str) -> None:
    project.flow(FLOW)
    done = project.python("flow.py", *words)
    assert done.returncode == 0, done.stderr
    assert said in done.stdout


def test_runner_takes_the_keywords_that_it_takes_there(project: Project) -> None:
    project.flow(FLOW)
    found = project.client(
        """
        with Runner("flow.py", show_output=False, pylint=False, environment="local", quiet=True) as runner:
            one = runner.run(
                long_name="again", other_name="b", decospecs=["retry:times=1,minutes_between_retries=0"],
                max_log_size=3, max_num_splits=4, user_namespace="user:ann", tags=["t"],
            )
            print(one.status, one.run.data.long_name, one.run["start"].task.current_attempt, one.run["start"].task.stdout.strip())
            print(runner.resume(step_to_rerun="end", decospecs=["retry"], max_log_size=2).status)
        """
    )
    assert found.splitlines() == ["successful again 1 given again b user:ann user:tester", "successful"]


@pytest.mark.parametrize("option", ["--run-id-file", "--runner-attribute-file"])
def test_a_file_that_cannot_be_written_is_told_of_before_the_run_begins(project: Project, option: str) -> None:
    project.flow(FLOW)
    done = project.python("flow.py", "run", option, "absent/id")
    assert done.returncode == 2
    assert f"Invalid value for '{option}': the directory absent does not exist: make it first" in done.stderr
    assert project.client("print(Metaflow().flows)") == "[]"


@pytest.mark.parametrize(
    "words", ["package save", "step-functions create --alarms", "step-functions trigger --run-id-file"]
)
def test_a_file_that_cannot_be_written_is_told_of_before_anything_is_deployed(project: Project, words: str) -> None:
    project.flow(FLOW)
    done = project.python("flow.py", *words.split(), "absent/file")
    assert done.returncode == 2
    assert "the directory absent does not exist: make it first" in done.stderr


def test_a_branch_is_named_as_in_the_decorator(project: Project) -> None:
    project.flow(FLOW).write_text(
        (project.path / "flow.py").read_text().replace("class TestFlow", '@project(name="p")\nclass TestFlow')
    )
    done = project.python("flow.py", "--branch", "B b", "run")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1].startswith("--branch 'B b': a branch's name has letters, digits")
    assert "Traceback" not in done.stderr


def test_errors_are_there_under_their_names_with_an_import_of_stepwell_alone(project: Project) -> None:
    done = project.python(
        "-c", "import stepwell as m; print(m.exception.CommandException is m.exception.MetaflowException)"
    )
    assert done.stdout == "True\n", done.stderr


@pytest.mark.parametrize("name", ["pytorch_parallel", "parallel_imap_unordered", "profile", "yaml_parser"])
def test_a_name_that_is_absent_says_what_to_do_instead(project: Project, name: str) -> None:
    done = project.python("-c", f"from stepwell import {name}")
    assert f"stepwell does not have '{name}': " in done.stderr


LISTS = """
config = Config("config", default_value='{"a": 1}')
plain = Config("plain", default_value='{"a": 1}')
data = Parameter("data", type=JSONType, default="{}")
many = Parameter("many", type=int, multiple=True, default=[0])
word = Parameter("word", default="w")

@step
def start(self):
    self.seen = (self.config.a, self.plain.a, self.data, self.many, self.word)
    self.next(self.end)

@step
def end(self):
    pass
"""


def test_runner_gives_lists_and_configs_as_what_the_flow_takes(project: Project) -> None:
    project.flow(LISTS)
    project.write('{"a": 7}', "file.json")
    found = project.client(
        """
        def seen(top={}, **parameters):
            with Runner("flow.py", show_output=False, **top) as runner:
                return runner.run(**parameters).run.data.seen

        print(seen(data=[1, {"b": 2}], many=[3, 4], word="x"))
        print(seen(data=[], many=(5,)))
        print(seen({"config_value": [("config", {"a": 2})], "config": [("plain", "file.json")]}))
        print(seen({"config_value": {"config": {"a": 3}, "plain": '{"a": 4}'}}, data={"c": []}))
        """
    )
    assert [eval(line) for line in found.splitlines()] == [
        (1, 1, [1, {"b": 2}], (3, 4), "x"),
        (1, 1, [], (5,), "w"),
        (2, 7, {}, (0,), "w"),
        (3, 4, {"c": []}, (0,), "w"),
    ]
