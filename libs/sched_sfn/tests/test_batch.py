from __future__ import annotations

from typing import Any

import attrs
import flows
import pytest
from checks import batch_problems
from flow_graph import FlowGraph
from hypothesis import given, settings
from hypothesis import strategies as st
from interpreter import Interpreter, value
from sched_sfn import (
    BatchJob,
    BatchRunner,
    CompileError,
    InvalidName,
    Jsonata,
    QuotaExceeded,
    S3Record,
    Template,
    compile_machine,
)
from sched_sfn.scopes import Scope
from shapes import ENVIRONMENT, FIRST, RECORD, TRAIN

LINEAR = flows.linear()


def runner(**job: Any) -> BatchRunner:
    return BatchRunner(BatchJob(**{"definition": "d", "queue": "q", "environment": ENVIRONMENT, **job}), RECORD)


def compile_job(graph: FlowGraph = LINEAR, **job: Any) -> dict[str, Any]:
    definition = compile_machine(graph, runner(**job)).definition
    return dict(definition["States"]["start"])


def test_a_job_has_what_it_is_given() -> None:
    state = BatchRunner(TRAIN, RECORD).state(Scope("Flow").task(LINEAR["work"]))
    assert state["TimeoutSeconds"] == 86_400
    arguments = state["Arguments"]
    assert not list(batch_problems(arguments))
    assert arguments["JobName"] == "training"
    assert arguments["RetryStrategy"] == {"Attempts": 3}
    assert arguments["Timeout"] == {"AttemptDurationSeconds": 600}
    assert arguments["ContainerOverrides"]["ResourceRequirements"] == [
        {"Type": "VCPU", "Value": "0.5"},
        {"Type": "MEMORY", "Value": "8000"},
        {"Type": "GPU", "Value": "1"},
    ]
    assert arguments["ShareIdentifier"] == "lab"


def test_what_is_left_out_is_the_job_definitions() -> None:
    arguments = compile_job(environment={})["Arguments"]
    assert arguments == {"JobName": "Linear-start", "JobQueue": "q", "JobDefinition": "d"}


def test_a_step_may_have_a_job_of_its_own() -> None:
    machine = compile_machine(LINEAR, BatchRunner(FIRST, RECORD, {"work": TRAIN}))
    tasks = {name: state for name, state in machine.definition["States"].items() if state["Type"] == "Task"}
    names = {name: state["Arguments"]["JobName"] for name, state in tasks.items()}
    assert names == {"start": "Linear-start", "work": "training", "end": "Linear-end"}


def test_only_a_submission_is_tried_again_not_the_job() -> None:
    (rule,) = compile_job()["Retry"]
    assert all(error.startswith("Batch.") for error in rule["ErrorEquals"])


@pytest.mark.parametrize(
    ("job", "error"),
    [
        ({"attempts": 0}, "1 to 10"),
        ({"attempts": 11}, "1 to 10"),
        ({"attempt_seconds": 59}, "no less than 60"),
        ({"environment": {"AWS_BATCH_JOB_ATTEMPT": "1"}}, "Batch's own"),
    ],
)
def test_what_batch_would_refuse_is_refused_with_the_step(job: dict[str, Any], error: str) -> None:
    with pytest.raises(CompileError, match=error) as refused:
        compile_job(**job)
    assert refused.value.step == "start"


@pytest.mark.parametrize("name", ["two words", "a/b", "é", "-a", "x" * 129])
def test_a_job_name_that_batch_would_refuse(name: str) -> None:
    with pytest.raises(InvalidName):
        compile_job(name=name)


def test_a_flow_of_any_name_has_jobs() -> None:
    graph = attrs.evolve(LINEAR, name="_Étude")
    assert compile_job(graph)["Arguments"]["JobName"] == "tude-start"
    assert len(compile_job(attrs.evolve(LINEAR, name="X" * 200))["Arguments"]["JobName"]) == 128


def test_overrides_beyond_the_quota_are_refused_by_its_name() -> None:
    assert compile_job(environment={"X": "x" * 8000})
    with pytest.raises(QuotaExceeded, match="bytes of container overrides") as exceeded:
        compile_job(environment={"X": "x" * 8100, "E": Template("{execution}")})
    assert exceeded.value.limit == 8192
    assert exceeded.value.actual > 8192


def test_jobs_of_an_array_must_know_their_offset() -> None:
    with pytest.raises(CompileError, match="offset"):
        compile_job(flows.foreach(), environment={"TASK_PATH": Template("{path}")})


@given(st.integers(10_001, 500_000))
@settings(max_examples=25)
def test_a_foreach_wider_than_an_array_is_cut_into_arrays_without_gap(width: int) -> None:
    arrays: list[tuple[int, int]] = []

    def call(resource: str, arguments: Any, last: Any) -> Any:
        if size := arguments.get("ArrayProperties", {}).get("Size"):
            variables = {pair["Name"]: pair["Value"] for pair in arguments["ContainerOverrides"]["Environment"]}
            assert variables["TASK_PATH"] == ""
            arrays.append((int(variables["OFFSET"]), size))
        return {"Body": f'{{"transition": {{"cardinality": {width}}}}}'}, last

    Interpreter(compile_machine(flows.foreach(), runner()).definition, call).execute("run", {})
    assert all(2 <= size <= 10_000 for _, size in arrays)
    assert [offset for offset, _ in arrays] == [sum(size for _, size in arrays[:k]) for k in range(len(arrays))]
    assert sum(size for _, size in arrays) == width
    assert len(arrays) == -(-width // 10_000)


def test_a_foreach_over_nothing_fails_in_the_machine() -> None:
    found = S3Record("bucket", "key")
    machine = compile_machine(
        flows.foreach(), BatchRunner(BatchJob(definition="d", queue="q", environment=ENVIRONMENT), found)
    )
    width = machine.definition["States"]["read start"]["Output"]["width"]
    assert value(width, {"result": {"Body": '{"transition": {"cardinality": 3}}'}}) == 3
    with pytest.raises(Exception, match="at least one item"):
        value(width, {"result": {"Body": '{"transition": {"cardinality": 0}}'}})


def test_an_expression_given_by_the_caller_is_text() -> None:
    (pair,) = compile_job(environment={"X": str(Jsonata("$states.a"))})["Arguments"]["ContainerOverrides"][
        "Environment"
    ]
    assert value(pair["Value"], {}) == "{% $states.a %}"
