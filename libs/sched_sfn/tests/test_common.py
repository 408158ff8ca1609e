"""What jobs have in common is said once, and means the same."""

from __future__ import annotations

from typing import Any

import attrs
import flows
import pytest
from flow_graph import FlowGraph
from interpreter import Interpreter
from sched_sfn import BatchJob, BatchRunner, FanOut, S3Record, StateMachine, Template, compile_machine
from shapes import ENVIRONMENT, QUEUE, RECORD

TAGS = {"lab:flow": "A flow", "lab:project": "apples", "lab:run": Template("sfn-{execution}")}
LONG = "s3://a-bucket-of-the-lab/with/a/long/name/0123456789abcdef.json"


def job(step: str, **more: Any) -> BatchJob:
    environment = {**ENVIRONMENT, "PLACE": LONG, "queue": LONG, "tags": LONG, "a.b": LONG}
    fields = {"definition": "d", "queue": QUEUE, "environment": environment, "tags": {**TAGS, "lab:step": step}, **more}
    return BatchJob(**fields)


def runner(graph: FlowGraph) -> BatchRunner:
    return BatchRunner(job("start"), RECORD, {step: job(step) for step in graph.steps})


def submissions(machine: StateMachine) -> list[dict[str, Any]]:
    """The arguments of all jobs of an execution with two items in each foreach, by step."""
    found = []

    def call(resource: str, arguments: Any, last: Any) -> Any:
        if "JobName" in arguments:
            found.append(arguments)
        return {"Body": '{"transition": {"cardinality": 2, "choice": "halve"}}'}, last

    Interpreter(machine.definition, call).execute("run-1", {})
    return found


GRAPHS = {
    "linear": (flows.linear(), {}),
    "split": (flows.split(), {}),
    "array": (flows.foreach(), {}),
    "inline": (flows.nested_foreach(), {"start": FanOut("inline")}),
    "distributed": (flows.nested_foreach(), {"start": FanOut("distributed"), "shard": FanOut("distributed")}),
    "everything": (flows.everything(), {}),
}


@pytest.mark.parametrize("shape", GRAPHS)
def test_every_job_has_what_it_would_have_alone(shape: str) -> None:
    graph, fan_outs = GRAPHS[shape]
    jobs = submissions(compile_machine(graph, runner(graph), fan_outs=fan_outs))
    assert jobs
    for arguments in jobs:
        variables = {one["Name"]: one["Value"] for one in arguments["ContainerOverrides"]["Environment"]}
        assert arguments["JobQueue"] == QUEUE
        assert {variables[name] for name in ("PLACE", "queue", "tags", "a.b")} == {LONG}
        assert variables["EXECUTION"] == "run-1"
        tags = {"lab:flow": "A flow", "lab:project": "apples", "lab:run": "sfn-run-1", "lab:step": variables["STEP"]}
        assert arguments["Tags"] == tags


def test_what_is_common_is_said_once() -> None:
    text = compile_machine(flows.linear(), runner(flows.linear())).to_json(None)
    assert text.count(QUEUE) == text.count("apples") == 1


def test_what_is_short_or_differs_stands_in_its_state() -> None:
    graph = flows.linear()
    jobs = {step: job(step, queue="main", environment={"PLACE": LONG + step}, tags={}) for step in graph.steps}
    machine = compile_machine(graph, BatchRunner(jobs["start"], RECORD, jobs))
    assert "$shared" not in machine.to_json()
    assert list(machine.definition["States"]) == list(graph.steps)


def test_setting_variables_is_a_transition() -> None:
    graph = flows.linear()
    short = BatchRunner(BatchJob(definition="d", queue="q"), S3Record("b", "k"))
    cost, without = (compile_machine(graph, one).cost() for one in (runner(graph), short))
    assert attrs.astuple(cost)[:2] == (without.state_transitions + 1, without.events + 2)
