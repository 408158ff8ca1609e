"""The rig's Step Functions against what AWS does, as far as stepwell relies on it."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest
from machines import Machines, job_definition
from stepwell_testing.aws_rig import Rig

SECONDS = 120


def run(rig: Rig, machine: dict[str, Any], data: Any = None) -> dict[str, Any]:
    execution = start(rig, machine, data)
    return wait(rig, execution)


def start(rig: Rig, machine: dict[str, Any], data: Any = None) -> str:
    states = rig.client("stepfunctions")
    name = f"m-{uuid.uuid4().hex[:12]}"
    arn = states.create_state_machine(name=name, definition=json.dumps(machine), roleArn=rig.role)["stateMachineArn"]
    return str(states.start_execution(stateMachineArn=arn, input=json.dumps(data or {}))["executionArn"])


def wait(rig: Rig, execution: str) -> dict[str, Any]:
    states, deadline = rig.client("stepfunctions"), time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        found: dict[str, Any] = states.describe_execution(executionArn=execution)
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.1)
    raise AssertionError(f"still running after {SECONDS} s\n{rig.log()[-3000:]}")


@pytest.mark.parametrize("name", ["inline_map", "distributed_map", "array_job", "jsonata", "task_token"])
def test_fan_out_whose_width_a_job_decides(process_rig: Rig, name: str) -> None:
    machine = getattr(Machines(process_rig, job_definition(process_rig)), name)()
    execution = run(process_rig, machine, {"n": 3})
    assert execution["status"] == "SUCCEEDED", (execution, process_rig.log()[-3000:])
    found = process_rig.client("s3").get_object(Bucket=process_rig.bucket, Key=f"{execution['name']}/sum.json")
    assert json.loads(found["Body"].read()) == {"count": 3, "sum": 5}


def test_fan_out_of_an_array_job(rig: Rig) -> None:
    execution = run(rig, Machines(rig, job_definition(rig)).array_job(), {"n": 2})
    assert execution["status"] == "SUCCEEDED", (execution, rig.log()[-3000:])


def distributed(child: dict[str, Any], **more: Any) -> dict[str, Any]:
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "c",
        "States": {"c": child},
    }
    fan = {"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": processor, "End": True, **more}
    outer = {"Type": "Pass", "Assign": {"secret": "outer"}, "Next": "fan"}
    return {"StartAt": "outer", "States": {"outer": outer, "fan": fan}}


def test_children_of_a_distributed_map_are_executions_of_their_own(process_rig: Rig) -> None:
    child = {"Type": "Pass", "Parameters": {"own.$": "$$.Execution.Name", "parent.$": "$.parent"}, "End": True}
    selector = {"parent.$": "$$.Execution.Name"}
    execution = run(process_rig, distributed(child, ItemSelector=selector), {"items": [1, 2]})
    assert execution["status"] == "SUCCEEDED", execution
    output = json.loads(execution["output"])
    assert {item["parent"] for item in output} == {execution["name"]}
    assert len({item["own"] for item in output} | {execution["name"]}) == 3


def test_children_of_a_distributed_map_do_not_see_outer_variables(process_rig: Rig) -> None:
    child = {"Type": "Pass", "Parameters": {"seen.$": "$secret"}, "End": True}
    assert run(process_rig, distributed(child), {"items": [1]})["status"] == "FAILED"


def test_a_failing_child_fails_a_distributed_map(process_rig: Rig) -> None:
    child = {"Type": "Fail", "Error": "Broken", "Cause": "on purpose"}
    execution = run(process_rig, distributed(child), {"items": [1, 2]})
    assert (execution["status"], execution["error"]) == ("FAILED", "States.ExceedToleratedFailureThreshold")


def test_tolerated_failures_do_not_fail_a_distributed_map(process_rig: Rig) -> None:
    child = {"Type": "Fail", "Error": "Broken", "Cause": "on purpose"}
    execution = run(process_rig, distributed(child, ToleratedFailurePercentage=100.0), {"items": [1, 2]})
    assert execution["status"] == "SUCCEEDED", execution


def test_a_failing_job_fails_its_state_with_the_job_as_cause(process_rig: Rig) -> None:
    machine = Machines(process_rig, job_definition(process_rig)).array_job()
    machine["States"]["split"]["Parameters"]["ContainerOverrides"]["Command"] = ["sh", "-c", "exit 7"]
    execution = run(process_rig, machine, {"n": 3})
    assert (execution["status"], execution["error"]) == ("FAILED", "States.TaskFailed")
    assert json.loads(execution["cause"])["Container"]["ExitCode"] == 7


def sleeping(rig: Rig, **more: Any) -> dict[str, Any]:
    machine = Machines(rig, job_definition(rig)).array_job()
    split = machine["States"]["split"]
    split["Parameters"]["ContainerOverrides"]["Command"] = ["sleep", "60"]
    split["Parameters"]["JobName"] = f"sleeper-{uuid.uuid4().hex[:8]}"
    split.update(more)
    return machine


def job_of(rig: Rig, machine: dict[str, Any]) -> dict[str, Any]:
    batch, name = rig.client("batch"), machine["States"]["split"]["Parameters"]["JobName"]
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        filters = [{"name": "JOB_NAME", "values": [name]}]
        if found := batch.list_jobs(jobQueue=rig.queue, filters=filters)["jobSummaryList"]:
            return dict(found[0])
        time.sleep(0.1)
    raise AssertionError("the job never came")


def wait_failed(rig: Rig, machine: dict[str, Any]) -> dict[str, Any]:
    deadline = time.monotonic() + SECONDS
    while (job := job_of(rig, machine))["status"] != "FAILED" and time.monotonic() < deadline:
        time.sleep(0.1)
    return job


def test_a_stopped_execution_terminates_its_job(process_rig: Rig) -> None:
    machine = sleeping(process_rig)
    execution = start(process_rig, machine, {"n": 3})
    job_of(process_rig, machine)
    process_rig.client("stepfunctions").stop_execution(executionArn=execution)
    assert wait_failed(process_rig, machine)["statusReason"] == "Terminated by Step Functions"


def test_a_timed_out_state_terminates_its_job(process_rig: Rig) -> None:
    machine = sleeping(process_rig, TimeoutSeconds=1)
    execution = run(process_rig, machine, {"n": 3})
    assert (execution["status"], execution["error"]) == ("FAILED", "States.Timeout")
    assert wait_failed(process_rig, machine)["status"] == "FAILED"


def test_a_transition_to_a_missing_state_is_refused(process_rig: Rig) -> None:
    states = process_rig.client("stepfunctions")
    machine = {"StartAt": "a", "States": {"a": {"Type": "Pass", "Next": "nowhere"}}}
    with pytest.raises(states.exceptions.InvalidDefinition, match="nowhere"):
        states.create_state_machine(name="broken", definition=json.dumps(machine), roleArn=process_rig.role)
