"""Machines with real Batch jobs, from compilation to deletion, on the rig."""

from __future__ import annotations

import json
import uuid
from typing import Any

import flows
import pytest
from flow_graph import FlowGraph
from jobs import batch_runner, records
from sched_sfn import Deployment, Execution, ExecutionFailed, StateMachine, compile_machine
from stepwell_testing.aws_rig import Rig

SECONDS = 120


def execute(rig: Rig, machine: StateMachine, data: Any = None) -> Execution:
    deployment = Deployment(f"m-{uuid.uuid4().hex[:8]}", machine, rig.role, client=rig.client("stepfunctions"))
    deployment.apply()
    execution = deployment.start(data).wait(SECONDS)
    assert execution.status == "SUCCEEDED", (execution, rig.log()[-3000:])
    return execution


@pytest.mark.parametrize("graph", [flows.linear(), flows.split()], ids=lambda graph: graph.name)
def test_each_step_runs_once_and_is_told_the_input(rig: Rig, graph: FlowGraph) -> None:
    execution = execute(rig, compile_machine(graph, batch_runner(rig)), {"alpha": 'quotes " and \n'})
    found = records(rig, execution.name)
    assert set(found) == {f"{step}/t0" for step in graph.steps}
    assert all(record["input"] == {"alpha": 'quotes " and \n'} for record in found.values())


@pytest.mark.parametrize("width", [1, 3])
def test_a_foreach_is_as_wide_as_the_record_of_its_split_says(rig: Rig, width: int) -> None:
    runner = batch_runner(rig, {"start/t0": {"cardinality": width}})
    execution = execute(rig, compile_machine(flows.foreach(), runner))
    tasks = {f"work/t{index}" for index in range(width)}
    assert set(records(rig, execution.name)) == {"start/t0", *tasks, "join/t0", "end/t0"}


def test_a_failing_job_fails_the_execution_with_the_job_as_cause(rig: Rig) -> None:
    machine = compile_machine(flows.linear(), batch_runner(rig, {"work/t0": "fail"}))
    deployment = Deployment("failing", machine, rig.role, client=rig.client("stepfunctions"))
    deployment.apply()
    with pytest.raises(ExecutionFailed) as failed:
        deployment.start().wait(SECONDS, check=True)
    assert failed.value.error == "States.TaskFailed"
    assert json.loads(str(failed.value.cause))["Container"]["ExitCode"] == 7


def test_a_job_is_tried_as_often_as_the_runner_says(rig: Rig) -> None:
    machine = compile_machine(flows.linear(), batch_runner(rig, {"work/t0": "fail once"}, attempts=2))
    found = records(rig, execute(rig, machine).name)
    assert {name: record["attempt"] for name, record in found.items()} == {
        "start/t0": "1",
        "work/t0": "2",
        "end/t0": "1",
    }


def test_the_machine_waits_for_a_job_as_long_as_the_runner_says(rig: Rig) -> None:
    machine = compile_machine(flows.linear(), batch_runner(rig, {"start/t0": "sleep"}, wait_seconds=1))
    deployment = Deployment("slow", machine, rig.role, client=rig.client("stepfunctions"))
    deployment.apply()
    execution = deployment.start().wait(SECONDS)
    assert (execution.status, execution.error) == ("FAILED", "States.Timeout")
