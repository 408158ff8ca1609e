"""`dump`, `logs` and `tag` of a flow, as scripts use them."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time

import pytest
from conftest import Project

BODY = """
@step
def start(self):
    self.items = [1, 2]
    self._hidden = 3
    self.long = "x" * 5000
    self.next(self.each, foreach="items")

@retry(times=1, minutes_between_retries=0)
@step
def each(self):
    import sys
    print("each", self.input)
    print("oh", self.input, file=sys.stderr)
    if self.input == 2 and current.retry_count == 0:
        raise RuntimeError("once")
    self.next(self.join)

@step
def join(self, inputs):
    self.next(self.end)

@step
def end(self):
    pass
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("ran"))
    project.flow(BODY)
    project.run("--tag", "nightly", STEPWELL_USER="somebody")
    return project


def flow(project: Project, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return project.python("flow.py", *arguments, **environment)


def test_dump_writes_the_pickle_that_scripts_read(ran: Project) -> None:
    done = flow(ran, "dump", "1/start", "--file", "values.pkl", "--private")
    assert done.returncode == 0, done.stderr
    values = pickle.loads((ran.path / "values.pkl").read_bytes())
    assert values == {"1/start/t0": {"items": [1, 2], "_hidden": 3, "long": "x" * 5000}}
    flow(ran, "dump", "TestFlow/1/start/t0", "--file", "values.pkl", "--include", "items")
    assert pickle.loads((ran.path / "values.pkl").read_bytes()) == {"1/start/t0": {"items": [1, 2]}}


def test_an_artifact_or_an_attempt_that_no_task_has_is_an_error(ran: Project) -> None:
    done = flow(ran, "dump", "1/start", "--include", "itms")
    assert (done.returncode, done.stderr) == (1, "TestFlow/1/start has no artifact 'itms'. Did you mean 'items'?\n")
    done = flow(ran, "logs", "1/each", "--attempt", "2")
    assert (done.returncode, "has had no attempt 2: the last one was 1" in done.stderr) == (1, True)


def test_dump_prints_and_cuts(ran: Project) -> None:
    lines = flow(ran, "dump", "1/start/t0", "--max-value-size", "10").stdout.splitlines()
    assert lines == ["TestFlow/1/start/t0:", "    items = [1, 2]", "    long = 'xxxxxxxxx ..."]
    assert flow(ran, "dump", "1/absent").returncode == 1
    assert "values.pkl cannot be written" in flow(ran, "dump", "1/end", "--file", "no/values.pkl").stderr


def test_dump_takes_the_path_of_an_artifact(ran: Project) -> None:
    printed = "TestFlow/1/start/t0:\n    _hidden = 3\n"
    assert flow(ran, "dump", "1/start/t0/_hidden").stdout == printed
    assert ran.stepwell("dump", "--all", "TestFlow/1/start/t0/_hidden").stdout == printed
    wrong = ran.stepwell("dump", "--all", "TestFlow/1/start/t0/itms").stderr
    assert wrong == "TestFlow/1/start/t0 has no artifact 'itms'. Did you mean 'items'?\n"


def test_logs_print_only_log_text_to_stdout(ran: Project) -> None:
    done = flow(ran, "logs", "--stdout", "1/each")
    assert done.stdout == "each 1\neach 2\n"
    assert done.stderr == "TestFlow/1/each/t0:\nTestFlow/1/each/t1:\n"
    one = flow(ran, "logs", "show", "--both", "1/each/t0")
    assert (sorted(one.stdout.splitlines()), one.stderr) == (["each 1", "oh 1"], "")
    assert "RuntimeError: once" in flow(ran, "logs", "--stderr", "--attempt", "0", "1/each/t1").stdout
    assert flow(ran, "logs", "--timestamps", "--stdout", "1/each/t0").stdout.startswith("20")
    assert flow(ran, "logs").returncode == 2


def test_logs_since_a_moment(ran: Project) -> None:
    assert flow(ran, "logs", "--stdout", "--since", "1d", "1/each/t0").stdout == "each 1\n"
    assert flow(ran, "logs", "--stdout", "--since", "2999-01-01", "1/each/t0").stdout == ""
    refused = flow(ran, "logs", "--since", "yesterday", "1/each/t0")
    assert (refused.returncode, "10m" in refused.stderr) == (2, True)


def test_logs_follow_a_run_to_its_end_through_all_attempts(project: Project) -> None:
    project.flow(BODY.replace('    print("each"', '    import time; time.sleep(0.7)\n    print("each"'))
    process = subprocess.Popen(
        [sys.executable, "flow.py", "run"], cwd=project.path, env=project.environment, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while project.stepwell("show", "TestFlow/1").returncode:
        assert time.monotonic() < deadline
    followed = project.stepwell("logs", "TestFlow/1", "--follow", "--stdout")
    assert process.wait(120) == 0
    assert sorted(followed.stdout.splitlines()) == [
        "[TestFlow/1/each/t0] each 1",
        "[TestFlow/1/each/t1] each 2",
        "[TestFlow/1/each/t1] each 2",
    ]


def test_tags_of_a_run_are_added_replaced_removed_and_listed(project: Project) -> None:
    project.flow("@step\ndef start(self):\n    self.next(self.end)\n\n@step\ndef end(self):\n    pass\n")
    project.run("--tag", "a")
    assert flow(project, "tag", "add", "b", "c").stdout == "TestFlow/1: a, b, c\n"
    assert flow(project, "tag", "replace", "a", "d").stdout == "TestFlow/1: b, c, d\n"
    assert flow(project, "tag", "replace", "--remove", "b", "--remove", "c", "--add", "e").returncode == 0
    assert flow(project, "--quiet", "tag", "remove", "d", "--run-id", "1").stdout == ""
    assert flow(project, "tag", "list", "--flat", "--hide-system-tags").stdout == "e\n"
    assert "user:tester" in flow(project, "tag", "list", "--flat").stdout.splitlines()
    assert flow(project, "tag", "list", "--all", "--group-by-tag", "--hide-system-tags").stdout == "e\n  TestFlow/1\n"
    assert "  e\n" in flow(project, "tag", "list", "--my-runs", "--group-by-run").stdout


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("add",), 2, "TAGS"),
        (("replace", "a"), 2, "OLD and NEW"),
        (("list", "--all", "--my-runs"), 2, "exclude"),
        (("remove", "user:somebody", "--run-id", "1"), 1, "system tags"),
        (("add", "x"), 1, "--run-id"),
        (("add", "x" * 501, "--namespace", ""), 1, "500"),
        (("add", "x", "--run-id", "77"), 1, "TestFlow/77"),
    ],
)
def test_what_is_wrong_with_a_tag_command_is_said(
    ran: Project, arguments: tuple[str, ...], status: int, says: str
) -> None:
    done = flow(ran, "tag", *arguments)
    assert done.returncode == status
    assert says in done.stderr
    assert flow(ran, "tag", "list", "1", "--flat", "--hide-system-tags").stdout == "nightly\n"
