"""A deployed flow, operated by its commands as its users do."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping
from typing import Any

import attrs
from conftest import Place
from forking import Forking
from stepwell_testing.aws_rig import Rig

SECONDS = 600


def job_logs(rig: Rig) -> str:
    """What the jobs printed last, for the message of a failing test."""
    logs = rig.client("logs")
    streams = logs.describe_log_streams(logGroupName="/aws/batch/job")["logStreams"]
    lines = []
    for stream in streams[-4:]:
        found = logs.get_log_events(logGroupName="/aws/batch/job", logStreamName=stream["logStreamName"])
        lines += [stream["logStreamName"], *(event["message"] for event in found["events"][-20:])]
    return "\n".join(lines)


def wait_for_execution(rig: Rig, arn: str) -> None:
    """Wait here until an execution has ended: a command that asked again and again would take the time of the jobs."""
    client, deadline = rig.client("stepfunctions"), time.monotonic() + SECONDS
    while client.describe_execution(executionArn=arn)["status"] == "RUNNING":
        assert time.monotonic() < deadline, job_logs(rig)
        time.sleep(0.1)


def transformed(template: str, paths: Mapping[str, str], event: Mapping[str, Any]) -> str:
    """What EventBridge's transformer makes of an event, of which `paths` names parts."""
    text = template.replace("<aws.events.event.json>", json.dumps(event))
    for name, path in paths.items():
        value: Any = event
        for key in path.removeprefix("$.").split("."):
            value = value[key]
        text = text.replace(f"<{name}>", json.dumps(value))
    return text


@attrs.frozen
class Production:
    """A flow file in a place with a cluster; `options` stand before the command."""

    place: Place
    rig: Rig
    forking: Forking
    file: str
    options: tuple[str, ...] = ()

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        line = [self.file, *self.options, "step-functions", *words]
        return self.forking.run(line, self.place.path, self.place.environment)

    def succeed(self, *words: str) -> str:
        done = self.command(*words)
        assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def trigger(self, *options: str) -> str:
        """Start a run; gives its id."""
        return self.succeed("trigger", *options).split("/")[-1].strip()

    def describe(self, run_id: str) -> dict[str, Any]:
        return dict(json.loads(self.succeed("describe", run_id, "--json")))

    def wait(self, run_id: str) -> dict[str, Any]:
        """What is known of a run once its execution has ended."""
        wait_for_execution(self.rig, self.describe(run_id)["execution_arn"])
        return self.describe(run_id)

    def run(self, *options: str) -> dict[str, Any]:
        """Start a run, and see it succeed."""
        found = self.wait(self.trigger(*options))
        assert found["status"] == "succeeded", found
        return found
