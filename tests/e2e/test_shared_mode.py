"""Shared mode as a team has it: several users, a service that is away for a while, credentials that expire, a laptop's runs."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
from conftest import EXAMPLES, Place, shared_settings
from stepwell_testing.faulty_proxy import Answer, Fault, Proxy, Request, Reset
from stepwell_testing.s3 import S3Server

WIDE = """
import time
from stepwell import FlowSpec, step


class WideFlow(FlowSpec):
    @step
    def start(self):
        self.numbers = list(range(20))
        self.next(self.each, foreach="numbers")

    @step
    def each(self):
        time.sleep(0.25)
        self.result = self.input + 1
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(one.result for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        print("total", self.total)


if __name__ == "__main__":
    WideFlow()
"""
HISTORY = """
namespace(None)
from stepwell.client.scope import metadata_store
run = Flow("WideFlow").latest_run
store = metadata_store()
tasks = [task for step in store.list_steps("WideFlow", run.id) for task in store.list_tasks("WideFlow", run.id, step.step_name)]
ended = [one for one in store.list_metadata(run._entry) if one.field_name == "attempt_ok"]
named = [store.get_artifact(task, "result").name for task in tasks if task.step_name == "each"]
print(len(tasks), len(ended), len(named), run.successful)
"""


@pytest.fixture
def of_user(tmp_path: Path, s3: S3Server, service: str) -> Callable[[str], Place]:
    """The working directory of a user, with a copy of the hello example."""

    def make(user: str) -> Place:
        directory = tmp_path / user
        directory.mkdir()
        (directory / "hello.py").write_text((EXAMPLES / "hello.py").read_text())
        (directory / "wide.py").write_text(WIDE)
        return Place(directory, {**shared_settings(s3, service), **s3.environment, "STEPWELL_USER": user})

    return make


def test_two_users_share_everything_and_see_their_own(of_user: Callable[[str], Place]) -> None:
    ann, bob = of_user("ann"), of_user("bob")
    ann.succeed("hello.py", "run")
    bob.succeed("hello.py", "run")
    mine = 'print(*sorted({tag for run in Flow("HelloFlow") for tag in run.system_tags if tag.startswith("user:")}))'
    assert (ann.client(mine), bob.client(mine)) == ("user:ann", "user:bob")
    theirs = 'namespace("user:bob"); run = Flow("HelloFlow").latest_run; print(run.id, run.data.greeting)'
    assert ann.client(theirs) == bob.client(theirs)
    number = ann.client('print(Flow("HelloFlow").latest_run.id)')
    refused = bob.command("-m", "stepwell", "show", f"HelloFlow/{number}")
    assert (refused.returncode, "user:bob" in refused.stderr) == (1, True)
    assert "start" in bob.succeed("-m", "stepwell", "show", f"HelloFlow/{number}", "--all")


@pytest.fixture
def before_service(service: str) -> Iterator[Proxy]:
    with Proxy(service) as proxy:
        yield proxy


def test_a_run_goes_on_while_the_service_is_away_and_its_history_is_whole(
    of_user: Callable[[str], Place], before_service: Proxy
) -> None:
    """Away means that some requests are lost, and some only their answers."""
    ann = of_user("ann")
    through = attrs.evolve(ann, settings={**ann.settings, "STEPWELL_SERVICE_URL": before_service.url})
    away_from, seconds = 4, 4.0
    began: list[float] = []

    def away(request: Request) -> Fault | None:
        if request.number < away_from:
            return None
        began.append(time.monotonic())
        return Reset(done=request.number % 2 == 0) if time.monotonic() - began[0] < seconds else None

    before_service.schedule = away
    done = through.command("wide.py", "run", "--max-workers", "2")
    assert done.returncode == 0, done.stderr
    assert "total 210" in done.stdout
    assert (done.stdout + done.stderr).count("The metadata store does not answer") <= 1
    assert "are missing" not in done.stderr
    assert len(began) > 2
    assert ann.client(HISTORY) == "23 23 20 True"


def test_credentials_that_expire_in_mid_run_are_one_message(of_user: Callable[[str], Place], s3: S3Server) -> None:
    ann = of_user("ann")
    with Proxy(s3.url) as proxy:
        proxy.schedule = lambda request: Answer("400 Bad Request", "ExpiredToken") if request.number > 12 else None
        settings = {**ann.settings, "STEPWELL_S3_ENDPOINT_URL": proxy.url}
        done = attrs.evolve(ann, settings=settings).command("wide.py", "run", "--max-workers", "2")
    assert done.returncode == 1
    said = done.stderr + done.stdout
    assert "log in again" in done.stderr
    assert re.search(r"(Put|Get|Head)Object of flows/WideFlow/runs/\d+/\S+ in bucket", done.stderr)
    assert "AWS_ACCESS_KEY_ID have expired" in done.stderr
    assert "bug in stepwell" not in said
    assert said.count("Traceback") == 0, said
    done = ann.command("wide.py", "resume")
    assert "total 210" in done.stdout, done.stderr


LISTED = """
from stepwell import FlowSpec, step


class ListedFlow(FlowSpec):
    @step
    def start(self):
        self.words = [str(number) * 2000 for number in range(8)]
        self.next(self.each, foreach="words")

    @step
    def each(self):
        print("the item is", self.input[0])
        self.first = self.input[0]
        self.next(self.again)

    @step
    def again(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.found = "".join(one.first for one in inputs)
        self.next(self.end)

    @step
    def end(self):
        print("found", self.found)


if __name__ == "__main__":
    ListedFlow()
"""


def test_a_task_of_a_foreach_is_one_put_and_its_log_another(of_user: Callable[[str], Place], s3: S3Server) -> None:
    """What it reads is handed on to it: its input's record and the list that its item is in."""
    ann = of_user("ann")
    (ann.path / "listed.py").write_text(LISTED)
    with Proxy(s3.url) as proxy:
        through = attrs.evolve(ann, settings={**ann.settings, "STEPWELL_S3_ENDPOINT_URL": proxy.url})
        assert "found 01234567" in through.succeed("listed.py", "run", "--max-workers", "2")
        of_tasks = [request for request in proxy.requests if re.search(r"/(each|again)/t\d", request.path)]
        of_items = [request for request in proxy.requests if request.method == "GET" and "/objects/v1/" in request.path]
    sent = Counter((request.method, request.path.rpartition("/")[2]) for request in of_tasks)
    by_the_join = {("GET", "done.json"): 8}
    assert sent == {("PUT", "done.json"): 16, ("PUT", "0.log"): 8, **by_the_join}
    assert len(of_items) == 1, "the scheduler reads the list, once"


def test_tasks_are_done_once_however_often_their_records_are_sent(
    of_user: Callable[[str], Place], s3: S3Server
) -> None:
    """Each record is sent twice: some arrive, but no answer comes; some are refused for now."""
    ann = of_user("ann")

    sent: Counter[str] = Counter()

    def fault(request: Request) -> Fault | None:
        sent[request.path] += request.method == "PUT"
        if not request.path.endswith("/done.json") or sent[request.path] != 1:
            return None
        return Answer("503 Slow Down", "SlowDown") if len(sent) % 2 else Reset(done=True)

    with Proxy(s3.url) as proxy:
        proxy.schedule = fault
        through = attrs.evolve(ann, settings={**ann.settings, "STEPWELL_S3_ENDPOINT_URL": proxy.url})
        assert "total 210" in through.succeed("wide.py", "run", "--max-workers", "2")
    assert ann.client(HISTORY) == "23 23 20 True"


def test_a_laptops_runs_are_published_and_removed(of_user: Callable[[str], Place], s3: S3Server) -> None:
    ann = of_user("ann")
    laptop = attrs.evolve(ann, settings={"STEPWELL_USER": "ann"})
    laptop.succeed("hello.py", "run", "--tag", "from-laptop")
    said = ann.succeed("-m", "stepwell", "sync")
    new = re.search(r"Published HelloFlow/1 as HelloFlow/(sync-\w+)", said)
    assert new is not None, said
    assert ann.succeed("-m", "stepwell", "sync").splitlines()[-1].startswith("0 runs")
    read = f'run = Run("HelloFlow/{new[1]}"); print(run.successful, run.data.greeting, "from-laptop" in run.tags)'
    assert ann.client(read) == "True Hello from run 1 True"
    assert ann.client("print([run.id for run in Flow('HelloFlow')][0])") == new[1]
    ann.succeed("-m", "stepwell", "rm", f"HelloFlow/{new[1]}")
    gone = ann.command("-m", "stepwell", "show", f"HelloFlow/{new[1]}")
    assert (gone.returncode, "There is no run" in gone.stderr) == (1, True)


def test_status_and_validate_say_where_everything_is(of_user: Callable[[str], Place], service: str) -> None:
    ann = of_user("ann")
    said = ann.succeed("-m", "stepwell", "configure", "validate").splitlines()
    assert [line.endswith("  answers") for line in said] == [True, True]
    shown = json.loads(ann.succeed("-m", "stepwell", "status", "--json"))
    assert shown["STEPWELL_SERVICE_URL"] == {
        "value": service, "source": "environment variable STEPWELL_SERVICE_URL",
    }  # fmt: skip
    wrong = attrs.evolve(ann, settings={**ann.settings, "AWS_SECRET_ACCESS_KEY": "wrong"})
    done = wrong.command("-m", "stepwell", "configure", "validate")
    assert (done.returncode, "AWS_ACCESS_KEY_ID" in done.stdout) == (1, True)
    assert isinstance(done, subprocess.CompletedProcess)
