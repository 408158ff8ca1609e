"""A foreach of 200 tasks in both strategies: what the machine does is what the cost function says."""

from __future__ import annotations

import uuid

import flows
import pytest
from flow_graph import FlowGraph
from jobs import batch_runner, records
from runners import PuttingRunner
from sched_sfn import Deployment, Execution, FanOut, StateMachine, StepRunner, compile_machine
from stepwell_testing.aws_rig import Rig

WIDTH, SECONDS = 200, 300


def execute(rig: Rig, machine: StateMachine) -> Execution:
    deployment = Deployment(f"w-{uuid.uuid4().hex[:8]}", machine, rig.role, client=rig.client("stepfunctions"))
    deployment.apply()
    execution = deployment.start().wait(SECONDS)
    assert execution.status == "SUCCEEDED", (execution, rig.log()[-3000:])
    return execution


def transitions(execution: Execution) -> int:
    return sum(event["type"].endswith("StateEntered") for event in execution.events())


def test_an_array_of_200_jobs_takes_as_few_transitions_as_any_other(rig: Rig) -> None:
    machine = compile_machine(flows.foreach(), batch_runner(rig, {"start/t0": {"cardinality": WIDTH}}))
    execution = execute(rig, machine)
    found = records(rig, execution.name)
    assert {name for name in found if name.startswith("work/")} == {f"work/t{index}" for index in range(WIDTH)}
    assert transitions(execution) == machine.cost({"start": WIDTH}).state_transitions <= 10


def test_a_map_of_200_tasks_takes_three_transitions_a_task_at_most(rig: Rig) -> None:
    prefix = f"decisions/{uuid.uuid4().hex}"
    body = f'{{"transition": {{"cardinality": {WIDTH}}}}}'.encode()
    rig.client("s3").put_object(Bucket=rig.bucket, Key=f"{prefix}/start/t0", Body=body)
    runner = PuttingRunner(rig.bucket, decisions=prefix)
    execution = execute(rig, compile_machine(flows.foreach(), runner, fan_outs={"start": FanOut("inline")}))
    machine = compile_machine(flows.foreach(), runner, fan_outs={"start": FanOut("inline")})
    assert transitions(execution) == machine.cost({"start": WIDTH}).state_transitions <= 3 * WIDTH


@pytest.mark.parametrize(("kind", "most"), [("array", 10), ("inline", 3000), ("distributed", 3000)])
def test_a_foreach_of_1000_is_within_the_figures(kind: str, most: int) -> None:
    graph: FlowGraph = flows.foreach()
    runner: StepRunner = PuttingRunner(arrays=True)
    machine = compile_machine(graph, runner, fan_outs={"start": FanOut(kind)})  # type: ignore[arg-type]
    assert machine.cost({"start": 1000}).state_transitions <= most
