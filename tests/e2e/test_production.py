"""A flow in production: deployed, failed, told of, continued, removed; and one that events start while nobody records it.

With host processes; containers run in test_everywhere.
"""

from __future__ import annotations

import http.server
import json
import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from conftest import Place
from forking import Forking
from operating import Production, job_logs, transformed, wait_for_execution
from stepwell_testing.aws_rig import Rig

pytestmark = pytest.mark.parametrize("rig", ["process"], indirect=True)

FRAGILE = """
import time
from pathlib import Path
from stepwell import FlowSpec, Parameter, current, project, step


@project(name="pears")
class Fragile(FlowSpec):
    alpha = Parameter("alpha", default=0.5)
    long = Parameter("long", default="")
    stamp = Parameter("stamp", default=lambda: "decided when deployed")

    @step
    def start(self):
        time.sleep(300 if self.alpha < 0 else 0)
        self.items = [1, 2]
        self.next(self.fit, foreach="items")

    @step
    def fit(self):
        if self.input == 2 and not Path("{flag}").exists():
            raise KeyError("no luck")
        self.square = self.input**2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(one.square for one in inputs)
        self.said = [self.alpha, len(self.long), self.stamp, current.namespace]
        self.next(self.end)

    @step
    def end(self):
        print(self.total, current.trigger)


if __name__ == "__main__":
    Fragile()
"""
DEPLOY = """
import json
deployer = Deployer("fragile.py", show_output=False).step_functions()
deployed = deployer.create(tags=["nightly"])
triggered = deployed.trigger(alpha=0.25, long="x" * 20_000)
run = triggered.wait_for_run(100)
print(json.dumps({
    "name": deployed.name, "token": deployed.production_token, "run_id": triggered.id, "pathspec": run.pathspec,
    "listed": [one.id for one in deployer.deployed().list_runs()],
}))
"""
END = """
deployed = DeployedFlow.from_deployment("pears.user.tester.Fragile", show_output=False)  # the flow file need not be here
triggered = deployed.trigger(alpha=-1)
triggered.terminate()
print(triggered.is_running, triggered.status)
deployed.delete()
"""
AWAITING = """
from stepwell import FlowSpec, Parameter, step, trigger, trigger_on_finish


@trigger(event={"name": "new-data", "parameters": {"table": "name"}})
@trigger_on_finish(flow="Upstream")
class Awaiting(FlowSpec):
    table = Parameter("table", default="none")

    @step
    def start(self):
        self.found = self.table
        self.next(self.end)

    @step
    def end(self):
        print(self.found)


if __name__ == "__main__":
    Awaiting()
"""
READ = """
import json
from datetime import timezone
namespace(None)
def facts(name):
    run = Run(f"Awaiting/sfn-{name}")
    event = run.trigger.event
    return {
        "tasks": {task.pathspec.split("/", 2)[2]: sorted(one.id for one in task.artifacts) for step in run for task in step},
        "ended": [run.finished, run.successful, run.data.found],
        "trigger": [event.name, event.type, event.id, event.timestamp.astimezone(timezone.utc).hour, run.trigger.pathspec],
    }
print(json.dumps([facts("{event}"), facts("{finish}")]))
"""


@pytest.fixture
def told() -> Iterator[tuple[str, list[Any]]]:
    """A chat or a pager: its URL, and what it was told."""
    said: list[Any] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            said.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/hook", said
        server.shutdown()


def job_tags(rig: Rig, run_id: str) -> set[tuple[str, ...]]:
    """What tells whose costs the jobs of a run are."""
    batch = rig.client("batch")
    listed = [
        job["jobId"]
        for status in ("SUCCEEDED", "FAILED")
        for job in batch.list_jobs(jobQueue=rig.queue, jobStatus=status)["jobSummaryList"]
    ]
    found = [
        job for at in range(0, len(listed), 100) for job in batch.describe_jobs(jobs=listed[at : at + 100])["jobs"]
    ]
    tags = [{key.removeprefix("stepwell:"): value for key, value in job.get("tags", {}).items()} for job in found]
    return {
        (one["flow"], one["step"], one["user"], one["project"]) for one in tags if one.get("run") == run_id
    }  # fmt: skip


def test_a_failed_run_is_described_told_of_redriven_and_resumed(
    cluster: Place, rig: Rig, forking: Forking, told: tuple[str, list[Any]], tmp_path: Path
) -> None:
    url, said = told
    flag = tmp_path / "flag"
    (cluster.path / "fragile.py").write_text(FRAGILE.replace("{flag}", str(flag)))
    place = attrs.evolve(cluster, settings={**cluster.settings, "STEPWELL_NOTIFY_URL": url})
    fragile = Production(place, rig, forking, "fragile.py")

    deployed = json.loads(place.client(DEPLOY))
    run_id, run = deployed["run_id"], f"Fragile/{deployed['run_id']}"
    assert (deployed["name"], deployed["pathspec"]) == ("pears.user.tester.Fragile", run)
    assert deployed["listed"] == [run_id]
    found = fragile.wait(run_id)
    assert (found["status"], found["failed_task"]) == ("failed", "fit/t1"), json.dumps(found) + job_logs(rig)
    assert "KeyError: 'no luck'" in found["reason"]
    facts = place.client(
        f'namespace("production:{deployed["token"]}"); run = Run("{run}"); '
        'print(run.finished, run.successful, "nightly" in run.tags, run["fit"].task.metadata_dict["sfn-execution-arn"])'
    )
    assert facts == f"True False True {found['execution_arn']}"
    assert "KeyError" in fragile.succeed("logs", "--stderr", f"{run_id}/fit/t1")
    (message,) = said
    assert message["text"].startswith(f"Fragile/{run_id}/fit/t1 failed.\nStep 'fit' failed at")
    assert "KeyError: 'no luck'" in message["text"]
    assert f"python fragile.py resume --origin-run-id {run_id}" in message["text"]
    assert job_tags(rig, run_id) == {("Fragile", step, "tester", "pears") for step in ("start", "fit")}

    flag.touch()
    assert "5 None" in place.succeed("fragile.py", "resume", "--origin-run-id", run_id)

    fragile.succeed("redrive", run_id)
    done = fragile.wait(run_id)
    assert (done["status"], done["redrives"], done["failed_task"]) == ("succeeded", 1, None)
    data = place.client(f'namespace(None); import json; print(json.dumps(Run("{run}").data.said))')
    assert json.loads(data) == [0.25, 20_000, "decided when deployed", f"production:{deployed['token']}"]
    assert run_id in fragile.succeed("list-runs", "--status", "succeeded")
    assert fragile.command("redrive", run_id).returncode == 1
    assert place.client(END) == "False aborted"
    assert fragile.command("describe").returncode == 1


def start_by(rig: Rig, rule: str, event: dict[str, Any]) -> str:
    """Do what EventBridge does with an event that a rule matches; gives the ARN of the execution.

    The rig keeps rules and runs none.
    """
    (target,) = rig.client("events").list_targets_by_rule(Rule=rule)["Targets"]
    transformer = target["InputTransformer"]
    data = transformed(transformer["InputTemplate"], transformer.get("InputPathsMap", {}), event)
    states = rig.client("stepfunctions")
    return str(
        states.start_execution(stateMachineArn=target["Arn"], name=str(uuid.uuid4()), input=data)["executionArn"]
    )


def test_runs_that_events_start_are_told_of_when_the_service_is_back(
    cluster: Place, rig: Rig, forking: Forking
) -> None:
    (cluster.path / "awaiting.py").write_text(AWAITING)
    with socket.socket() as nobody:  # bound, and not listening: who connects is refused
        nobody.bind(("127.0.0.1", 0))
        away = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        settings = {**cluster.settings, "STEPWELL_EVENTS_ROLE": rig.role, "STEPWELL_SERVICE_URL": away}
        production = Production(attrs.evolve(cluster, settings=settings), rig, forking, "awaiting.py")
        production.succeed("create")
        shared = {"id": "e-1", "time": "2026-11-25T10:00:00Z"}
        started = [
            start_by(rig, "Awaiting.event", {**shared, "detail-type": "new-data", "detail": {"name": "users"}}),
            start_by(
                rig,
                "Awaiting.finish",
                {
                    **shared,
                    "source": "aws.states",
                    "detail-type": "Step Functions Execution Status Change",
                    "detail": {"name": "abc", "status": "SUCCEEDED"},
                },
            ),
        ]
        for arn in started:
            wait_for_execution(rig, arn)
    event, finish = (arn.rpartition(":")[2] for arn in started)
    assert "There is no flow 'Awaiting'" in cluster.command("-c", "from stepwell import Flow; Flow('Awaiting')").stderr
    cluster.succeed("-m", "stepwell", "reindex")
    tasks = {"start/t0": ["found", "table"], "end/t0": ["found", "table"]}
    assert json.loads(cluster.client(READ.replace("{event}", event).replace("{finish}", finish))) == [
        {"tasks": tasks, "ended": [True, True, "users"], "trigger": ["new-data", "event", "e-1", 10, None]},
        {
            "tasks": tasks,
            "ended": [True, True, "none"],
            "trigger": ["Upstream.end", "run", "e-1", 10, "Upstream/sfn-abc"],
        },
    ]
    production.succeed("delete")
