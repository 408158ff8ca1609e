"""The machine that ends failed runs, started as EventBridge would start it: it writes the end, and tells people."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from sched_sfn import Deployment
from stepwell.deploying.production_failure import failure_machine
from stepwell.execution.records import decode_end
from stepwell.execution.stores import stores_at
from stepwell_testing.aws_rig import Rig

pytestmark = pytest.mark.parametrize("rig", ["process"], indirect=True)


@pytest.fixture
def queue(rig: Rig) -> tuple[str, str]:
    """A topic, and a queue that hears what it is told."""
    topic = rig.client("sns").create_topic(Name=f"failures-{uuid.uuid4().hex[:8]}")["TopicArn"]
    url = rig.client("sqs").create_queue(QueueName=f"heard-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    rig.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:123456789012:{url.rpartition('/')[2]}"
    )
    return topic, url


def finish(rig: Rig, topic: str, name: str, records: dict[str, Any]) -> Any:
    """Run the machine for a failed execution of this name, whose run has these records; gives its end record."""
    s3, run = rig.client("s3"), f"f/flows/Flow/runs/sfn-{name}"
    for record, data in records.items():
        s3.put_object(Bucket=rig.bucket, Key=f"{run}/{record}", Body=json.dumps(data).encode())
    definition = failure_machine("Flow", "flow.py", stores_at(f"s3://{rig.bucket}/f"), topic)
    deployment = Deployment(f"ended-{name}", definition, rig.role, client=rig.client("stepfunctions"))
    deployment.apply()
    detail = {
        "name": name,
        "status": "TIMED_OUT",
        "stopDate": 1795000000000,
        "error": "States.Timeout",
        "cause": "late",
    }
    deployment.start({"source": "aws.states", "detail": detail}).wait(600, check=True)
    found = s3.list_objects_v2(Bucket=rig.bucket, Prefix=f"{run}/ended.json").get("Contents")
    if not found:
        return None
    return decode_end(s3.get_object(Bucket=rig.bucket, Key=f"{run}/ended.json")["Body"].read(), "ended.json")


def heard(rig: Rig, url: str) -> str:
    (message,) = rig.client("sqs").receive_message(QueueUrl=url)["Messages"]
    return str(json.loads(message["Body"])["Message"])


def test_a_run_that_no_job_could_end_is_ended(rig: Rig, queue: tuple[str, str]) -> None:
    end = finish(rig, queue[0], name := uuid.uuid4().hex, {"run.json": {}})
    assert (end.successful, end.ended, end.reason) == (False, 1795000000, "States.Timeout")
    said = heard(rig, queue[1])
    assert said.startswith(f"Flow/sfn-{name} failed.\nStates.Timeout\n")
    assert f"python flow.py resume --origin-run-id sfn-{name}\n" in said


def test_the_word_of_the_task_that_failed_is_passed_on(rig: Rig, queue: tuple[str, str]) -> None:
    name = uuid.uuid4().hex
    why = "Step 'fit' failed at flow.py:7: KeyError: 'no \"luck\"'"
    task = {"failed_step": "fit", "failed_task": "t1", "reason": why}
    ended = {"format": 1, "successful": False, "ended": 1.0, "removed": None, **task}
    end = finish(rig, queue[0], name, {"run.json": {}, "ended.json": ended})
    assert (end.ended, end.reason) == (1.0, why)
    said = heard(rig, queue[1])
    assert f"Flow/sfn-{name}/fit/t1 failed.\n{why}\n" in said
    assert f"python flow.py logs sfn-{name}/fit/t1\n" in said


def test_of_a_run_that_never_began_people_are_told(rig: Rig, queue: tuple[str, str]) -> None:
    assert finish(rig, queue[0], uuid.uuid4().hex, {}) is None
    assert "States.Timeout" in heard(rig, queue[1])
