"""Executions that failed, continued; and what their history says."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from sched_sfn import Deployment, Execution, NotRedrivable
from stepwell_testing.aws_rig import Rig

SECONDS = 60


def failing(rig: Rig, key: str) -> Execution:
    """An execution that failed, as an object that it reads is not there."""
    read = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Arguments": {"Bucket": rig.bucket, "Key": key},
        "Output": {"body": "{% $states.result.Body %}", "redriven": "{% $states.context.Execution.RedriveCount %}"},
        "End": True,
    }
    machine: dict[str, Any] = {"QueryLanguage": "JSONata", "StartAt": "read", "States": {"read": read}}
    deployment = Deployment(f"r-{key}", machine, rig.role, client=rig.client("stepfunctions"))
    deployment.apply()
    execution = deployment.start(name="one").wait(SECONDS)
    assert execution.status == "FAILED"
    return execution


def test_a_failed_execution_goes_on_under_its_name(rig: Rig) -> None:
    key = uuid.uuid4().hex
    execution = failing(rig, key)
    rig.client("s3").put_object(Bucket=rig.bucket, Key=key, Body=json.dumps("here").encode())
    assert execution.redrive().wait(SECONDS, check=True).output == {"body": '"here"', "redriven": 1}
    assert (execution.name, execution.redrives, execution.error) == ("one", 1, None)
    with pytest.raises(NotRedrivable, match="SUCCEEDED"):
        execution.redrive()


def test_the_history_tells_what_happened(rig: Rig) -> None:
    kinds = [event["type"] for event in failing(rig, uuid.uuid4().hex).events()]
    assert kinds[0] == "ExecutionStarted"
    assert kinds[-1] == "ExecutionFailed"
    assert "TaskFailed" in kinds
