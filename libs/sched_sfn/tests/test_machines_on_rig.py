"""Machines of any shape, run by the rig: quickly where the machine itself does what a task would, and with real jobs."""

from __future__ import annotations

import json
import uuid
from typing import Any

import flows
from flow_graph import FlowGraph, TaskName, interpret
from flow_graph.testing import Decisions, decisions, graphs
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jobs import batch_runner, records
from runners import PuttingRunner
from sched_sfn import Deployment, Execution, FanOut, StateMachine, StepRunner, compile_machine
from stepwell_testing.aws_rig import Rig

SECONDS = 120


def execute(rig: Rig, machine: StateMachine, data: Any = None) -> str:
    """The name of an execution that has run."""
    deployment = Deployment(f"m-{uuid.uuid4().hex[:8]}", machine, rig.role, client=rig.client("stepfunctions"))
    deployment.apply()
    execution = deployment.start(data).wait(SECONDS)
    assert execution.status == "SUCCEEDED", (execution, rig.log()[-3000:])
    deployment.delete()
    return execution.name


def store_decisions(rig: Rig, graph: FlowGraph, decided: Decisions, prefix: str) -> set[TaskName]:
    """Put what the tasks of a run decide into S3; the names of all its tasks."""
    s3, names = rig.client("s3"), set()
    for task in interpret(graph, *decided.arguments(graph)):
        names.add(task.name)
        if graph[task.step].kind in ("foreach", "switch"):
            outcome = decided.outcome_of(graph)(*task.name)
            body = json.dumps({"transition": {"cardinality": outcome.cardinality, "choice": outcome.choice}})
            s3.put_object(Bucket=rig.bucket, Key=f"{prefix}/{task.step}/{task.task_id}", Body=body.encode())
    return names


def tasks_put(rig: Rig, execution: str) -> set[TaskName]:
    pages = rig.client("s3").get_paginator("list_objects_v2").paginate(Bucket=rig.bucket, Prefix=f"{execution}/")
    return {TaskName(*entry["Key"].split("/")[1:]) for page in pages for entry in page.get("Contents", [])}


@given(graphs(max_depth=2), decisions(), st.booleans(), st.sampled_from(["inline", "distributed"]))
@settings(
    max_examples=5,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_rig_runs_the_tasks_of_the_reference(
    rig: Rig, graph: FlowGraph, decided: Decisions, arrays: bool, kind: Any
) -> None:
    prefix = f"decisions/{uuid.uuid4().hex}"
    runner: StepRunner = PuttingRunner(rig.bucket, arrays, prefix)
    fan_outs = {} if arrays else {node.name: FanOut(kind) for node in graph if node.kind == "foreach"}
    expected = store_decisions(rig, graph, decided, prefix)
    execution = execute(rig, compile_machine(graph, runner, fan_outs=fan_outs), {"path": "x"})
    assert tasks_put(rig, execution) == expected


def fail(rig: Rig, graph: FlowGraph, decided: dict[str, Any], **how: Any) -> Execution:
    """An execution that has failed, as its tasks decided what they must not."""
    prefix, s3 = f"decisions/{uuid.uuid4().hex}", rig.client("s3")
    for name, decision in decided.items():
        s3.put_object(Bucket=rig.bucket, Key=f"{prefix}/{name}", Body=json.dumps({"transition": decision}).encode())
    machine = compile_machine(graph, PuttingRunner(rig.bucket, decisions=prefix), **how)
    deployment = Deployment(f"m-{uuid.uuid4().hex[:8]}", machine, rig.role, client=rig.client("stepfunctions"))
    deployment.apply()
    execution = deployment.start().wait(SECONDS)
    assert execution.status == "FAILED"
    return execution


def test_a_choice_that_is_no_case_fails_the_execution(rig: Rig) -> None:
    execution = fail(rig, flows.switch(), {"start/t0": {"choice": "nowhere"}})
    assert execution.error in ("States.NoChoiceMatched", "States.Runtime")  # on AWS, on the rig


def test_a_foreach_over_nothing_fails_the_execution(rig: Rig) -> None:
    execution = fail(rig, flows.foreach(), {"start/t0": {"cardinality": 0}})
    assert execution.error == "States.QueryEvaluationError"
    assert "at least one item" in str(execution.cause)


def test_a_failing_item_fails_its_map_and_the_execution(rig: Rig) -> None:
    decided = {"start/t0": {"cardinality": 2}, "shard/t0": {"cardinality": 1}, "shard/t1": {"cardinality": 0}}
    execution = fail(rig, flows.nested_foreach(), decided, fan_outs={"start": FanOut("distributed")})
    assert execution.error == "States.ExceedToleratedFailureThreshold"


def run_jobs(rig: Rig, graph: FlowGraph, decided: dict[str, Any], **how: Any) -> set[str]:
    execution = execute(rig, compile_machine(graph, batch_runner(rig, decided), **how), {"alpha": 1})
    found = records(rig, execution)
    assert all(record["input"] == {"alpha": 1} for record in found.values())
    return set(found)


def test_arrays_within_a_distributed_map(rig: Rig) -> None:
    decided = {"start/t0": {"cardinality": 2}, "shard/t0": {"cardinality": 2}, "shard/t1": {"cardinality": 1}}
    tasks = {"start/t0", "join_shards/t0", "end/t0", "shard/t0", "shard/t1", "join_folds/t0", "join_folds/t1"}
    assert run_jobs(rig, flows.nested_foreach(), decided) == tasks | {"fold/t0-0", "fold/t0-1", "fold/t1-0"}


def test_rounds_of_a_recursive_switch(rig: Rig) -> None:
    decided = {"refine/t0": {"choice": "refine"}, "refine/t0-r1": {"choice": "end"}}
    assert run_jobs(rig, flows.recursion(), decided) == {"start/t0", "refine/t0", "refine/t0-r1", "end/t0"}


def test_a_switch_runs_one_case(rig: Rig) -> None:
    tasks = {"start/t0", "slow/t0", "check/t0", "end/t0"}
    assert run_jobs(rig, flows.switch(), {"start/t0": {"choice": "slow"}}) == tasks
