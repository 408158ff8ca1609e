"""What a stranger may get wrong is answered by one error that names the argument and says what it must be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import boto3
import flows
import pytest
from flow_graph import GraphBuilder, UnknownStep
from sched_sfn import (
    BatchJob,
    BatchRunner,
    Cron,
    Deployment,
    EventRule,
    FanOut,
    InvalidArgument,
    S3Record,
    Starters,
    StateMachine,
    Template,
    compile_machine,
)
from shapes import JOB, RECORD, RUNNER

ROLE = "arn:aws:iam::123456789012:role/states"
NOWHERE: dict[str, Any] = {
    "region_name": "us-east-1", "endpoint_url": "http://127.0.0.1:9", "aws_access_key_id": "a", "aws_secret_access_key": "b"
}  # fmt: skip
Anything: Any = None


def compiled(graph: Any = Anything, runner: Any = RUNNER, **more: Any) -> StateMachine:
    return compile_machine(flows.foreach() if graph is Anything else graph, runner, **more)


def job(**more: Any) -> BatchJob:
    return attrs.evolve(JOB, **more)


def deployed(**more: Any) -> Deployment:
    client = boto3.client("stepfunctions", **NOWHERE)
    return Deployment(**{"name": "etl", "machine": {}, "role_arn": ROLE, "client": client, **more})


def starters(**more: Any) -> Starters:
    clients = {name: boto3.client(name, **NOWHERE) for name in ("events", "scheduler")}
    return Starters(**{"name": "etl", "role_arn": ROLE, **clients, **more})


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "no graph": (lambda: compiled(3), "graph is 3"),
    "a class": (lambda: compiled(flows.Linear), "read_class"),
    "a builder": (lambda: compiled(GraphBuilder("A")), r"GraphBuilder\.build\(\)"),
    "no runner": (lambda: compiled(runner=None), "runner is None"),
    "a runner's class": (lambda: compiled(runner=BatchRunner), r"BatchRunner\(job, record\)"),
    "a job as runner": (lambda: compiled(runner=JOB), "StepRunner"),
    "widths in a list": (lambda: compiled(widths=[3]), "widths is"),
    "a width as text": (lambda: compiled(widths={"start": "3"}), r"widths\['start'\] is '3'"),
    "no width": (lambda: compiled(widths={"start": None}), "a whole number"),
    "a width below nothing": (lambda: compiled(widths={"start": -3}), "0 at least"),
    "a fan-out's name": (lambda: compiled(fan_outs={"start": "inline"}), r"FanOut\(\"inline\"\)"),
    "fan-outs in a list": (lambda: compiled(fan_outs=["start"]), "mapping from steps"),
    "a limit as text": (lambda: compiled(max_concurrency="3"), "max_concurrency is '3'"),
    "half a task at once": (lambda: compiled(max_concurrency=1.5), "max_concurrency is 1.5"),
    "a limit of a fan-out as text": (lambda: FanOut("inline", "3"), "FanOut's max_concurrency"),  # type: ignore[arg-type]
    "no kind of a fan-out": (lambda: FanOut(None), "FanOut's kind"),  # type: ignore[arg-type]
    "a timeout as text": (lambda: compiled(timeout_seconds="60"), "timeout_seconds is '60'"),
    "no time": (lambda: compiled(timeout_seconds=0), "1 to 99,999,999"),
    "years": (lambda: compiled(timeout_seconds=10**9), "1 to 99,999,999"),
    "no definition": (lambda: job(definition=None), "BatchJob's definition is None"),
    "an empty queue": (lambda: job(queue=""), "BatchJob's queue is ''"),
    "a number as name": (lambda: job(name=3), "BatchJob's name"),
    "an environment in a list": (lambda: job(environment=["A=1"]), "BatchJob's environment"),
    "a number as variable": (lambda: job(environment={"A": 3}), r"environment\['A'\] is 3"),
    "a number as variable's name": (lambda: job(environment={3: "a"}), "a name in BatchJob's environment is 3"),
    "a command line": (lambda: job(command="python -m train"), r"\['python', '-m', 'train'\]"),
    "a number in a command": (lambda: job(command=["sleep", 3]), "a word of BatchJob's command is 3"),
    "CPUs as text": (lambda: job(vcpus="4"), "BatchJob's vcpus"),
    "CPUs below nothing": (lambda: job(vcpus=-1), "above 0"),
    "memory as text": (lambda: job(memory_mib="8000"), "memory_mib"),
    "attempts as text": (lambda: job(attempts="3"), "attempts"),
    "seconds as text": (lambda: job(attempt_seconds="3"), "attempt_seconds"),
    "no wait": (lambda: job(wait_seconds=0), "wait_seconds is 0"),
    "tags in a list": (lambda: job(tags=["a"]), "BatchJob's tags"),
    "more in a list": (lambda: job(more=["a"]), "BatchJob's more"),
    "a runner without job": (lambda: BatchRunner(None, RECORD), "BatchRunner's job"),  # type: ignore[arg-type]
    "a URL as record": (lambda: BatchRunner(JOB, "s3://b/k"), "an S3Record"),  # type: ignore[arg-type]
    "a name as job": (lambda: BatchRunner(JOB, RECORD, {"work": "job"}), r"jobs\['work'\]"),  # type: ignore[dict-item]
    "no bucket": (lambda: S3Record(None, "k"), "S3Record's bucket"),  # type: ignore[arg-type]
    "no key": (lambda: S3Record("b", None), "S3Record's key"),  # type: ignore[arg-type]
    "no template": (lambda: Template(None), "Template's text is None"),  # type: ignore[arg-type]
    "an unknown slot": (lambda: Template("{run}"), r"slots.* are among \{execution\}"),
    "a lonely brace": (lambda: Template("{"), "write {{ for a brace"),
    "cardinalities in a list": (lambda: compiled().cost([3]), "cardinalities is"),  # type: ignore[arg-type]
    "rounds as text": (lambda: compiled().cost({}, {"work": "3"}), r"rounds\['work'\]"),  # type: ignore[dict-item]
    "a deployment without name": (lambda: deployed(name=None), "name of a state machine is None"),
    "a definition as text": (lambda: deployed(machine="{}"), "compile_machine"),
    "a graph as machine": (lambda: deployed(machine=flows.linear()), "compile_machine"),
    "a log group's number": (lambda: deployed(log_group_arn=3), "log_group_arn"),
    "tags of a machine in a list": (lambda: deployed(tags=["a"]), "Deployment's tags"),
    "a number as tag of a machine": (lambda: deployed(tags={"a": 3}), r"tags\['a'\]"),
    "no client": (lambda: deployed(client="stepfunctions"), r"boto3\.client\(\"stepfunctions\"\)"),
    "an input that JSON cannot hold": (lambda: deployed().start({"when": {1, 2}}), "what JSON can hold"),
    "an input that is no number": (lambda: deployed().start(float("nan")), "what JSON can hold"),
    "a number as execution's name": (lambda: deployed().start(name=3), "name of an execution is 3"),  # type: ignore[arg-type]
    "no execution": (lambda: deployed().execution(None), "name of an execution is None"),  # type: ignore[arg-type]
    "nothing to get": (lambda: Deployment.get(None), "Deployment's name is None"),  # type: ignore[arg-type]
    "starters without role": (lambda: starters(role_arn=None), "Starters's role_arn"),
    "cron as everybody writes it": (lambda: Cron("0 10 * * *"), "six fields"),
    "no cron": (lambda: Cron(None), "six fields"),  # type: ignore[arg-type]
    "no pattern": (lambda: EventRule("data", None, ROLE), "detail-type"),  # type: ignore[arg-type]
    "a schedule as text": (lambda: starters().apply(ROLE, "0 10 ? * * *"), r"Cron\("),  # type: ignore[arg-type]
    "one rule": (lambda: starters().apply(ROLE, None, EventRule("a", {}, ROLE)), "EventRules"),  # type: ignore[arg-type]
    "a name as rule": (lambda: starters().apply(ROLE, None, ["a"]), "A rule is 'a'"),  # type: ignore[list-item]
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_named(mistake: str) -> None:
    make, says = WRONG[mistake]
    with pytest.raises(InvalidArgument, match=says) as error:
        make()
    assert error.value.argument in str(error.value)
    assert "it must be" in str(error.value)


def test_costs_are_of_steps_that_there_are() -> None:
    with pytest.raises(UnknownStep, match="strat"):
        compiled().cost({"strat": 3})


def test_a_long_value_is_cut() -> None:
    with pytest.raises(InvalidArgument) as error:
        job(tags=["x" * 10_000])
    assert len(str(error.value)) < 300
