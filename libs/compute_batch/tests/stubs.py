"""AWS as told: each answer is queued beforehand, each request checked against the service's model; only sleeping takes time."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.stub import Stubber
from compute_batch import BatchClient, JobSpec, Patience

SPEC = JobSpec(name="job", image="image", command=["true"])
DEFINITION = "arn:aws:batch:us-east-1:123456789012:job-definition/compute-batch-x:1"


class Clock:
    """Time that passes by sleeping only; `naps` are the sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.naps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds


class Stubbed:
    """A client of stubbed services: queue answers with `batch` and `logs`, in the order of the calls."""

    def __init__(self, **more: Any) -> None:
        keys = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
        batch, logs = boto3.client("batch", **keys), boto3.client("logs", **keys)
        self._stubs = {"batch": Stubber(batch), "logs": Stubber(logs)}
        for stub in self._stubs.values():
            stub.activate()
        self.clock = Clock()
        self.client = BatchClient("queue", client=batch, logs_client=logs, **more)
        self.client._aws.clock, self.client._aws.sleep = self.clock, self.clock.sleep

    def batch(self, method: str, answer: dict[str, Any], expected: dict[str, Any] | None = None) -> None:
        self._stubs["batch"].add_response(method, answer, expected)

    def logs(self, method: str, answer: dict[str, Any], expected: dict[str, Any] | None = None) -> None:
        self._stubs["logs"].add_response(method, answer, expected)

    def fail(self, service: str, method: str, code: str, status: int = 400, message: str = "no") -> None:
        self._stubs[service].add_client_error(method, code, message, status)

    def definition(self) -> None:
        """The definition is there."""
        self.batch(
            "describe_job_definitions",
            {
                "jobDefinitions": [
                    {"jobDefinitionName": "x", "jobDefinitionArn": DEFINITION, "revision": 1, "type": "container"}
                ]
            },
        )

    def submitted(self, job_id: str, expected: dict[str, Any] | None = None) -> None:
        self.batch("submit_job", {"jobId": job_id, "jobName": "job"}, expected)

    def described(self, *jobs: dict[str, Any], asked: list[str] | None = None) -> None:
        self.batch("describe_jobs", {"jobs": list(jobs)}, None if asked is None else {"jobs": asked})

    def all_was_asked(self) -> None:
        for stub in self._stubs.values():
            stub.assert_no_pending_responses()


def described(job_id: str, status: str, **more: Any) -> dict[str, Any]:
    """A job as DescribeJobs has it."""
    return {
        "jobId": job_id, "jobName": "job", "status": status, "jobQueue": "queue", "startedAt": 1, "jobDefinition": "d", **more,
    }  # fmt: skip


SOON = Patience(budget_seconds=10, first_seconds=1, most_seconds=4)
