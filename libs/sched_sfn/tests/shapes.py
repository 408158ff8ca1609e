"""The machines that have golden files."""

from __future__ import annotations

from collections.abc import Callable

import flows
from runners import LambdaRunner
from sched_sfn import BatchJob, BatchRunner, FanOut, S3Record, StateMachine, Template, compile_machine

QUEUE = "arn:aws:batch:us-east-1:123456789012:job-queue/main"
DEFINITION = "arn:aws:batch:us-east-1:123456789012:job-definition/python:7"
ENVIRONMENT = {
    "STEP": Template("{step}"),
    "EXECUTION": Template("{execution}"),
    "TASK_PATH": Template("{path}"),
    "ITERATION": Template("{iteration}"),
    "OFFSET": Template("{offset}"),
}
JOB = BatchJob(definition=DEFINITION, queue=QUEUE, environment=ENVIRONMENT)
FIRST = BatchJob(definition=DEFINITION, queue=QUEUE, environment={**ENVIRONMENT, "INPUT": Template("{input}")})
TRAIN = BatchJob(
    definition=DEFINITION,
    queue=QUEUE,
    name="training",
    environment={**ENVIRONMENT, "INPUT": Template("{input}")},
    command=["python", "-m", "train", Template("--execution={execution}")],
    vcpus=0.5,
    memory_mib=8000,
    gpus=1,
    attempts=3,
    attempt_seconds=600,
    wait_seconds=86_400,
    tags={"team": "lab"},
    more={"ShareIdentifier": "lab", "SchedulingPriorityOverride": 5},
)
RECORD = S3Record("lab-bucket", Template("prefix/runs/{execution}/{step}/{task_id}/done.json"))
RUNNER = BatchRunner(JOB, RECORD, {"start": FIRST, "train": TRAIN})

SHAPES: dict[str, Callable[[], StateMachine]] = {
    "linear": lambda: compile_machine(flows.linear(), RUNNER, timeout_seconds=86_400),
    "split": lambda: compile_machine(flows.split(), RUNNER),
    "foreach_array": lambda: compile_machine(flows.foreach(), RUNNER),
    "foreach_inline_map": lambda: compile_machine(flows.long_foreach(), RUNNER, widths={"start": 10}),
    "foreach_distributed_map": lambda: compile_machine(flows.long_foreach(), RUNNER),
    "foreach_limited": lambda: compile_machine(flows.foreach(), RUNNER, max_concurrency=5),
    "nested_foreach": lambda: compile_machine(flows.nested_foreach(), RUNNER),
    "nested_maps": lambda: compile_machine(
        flows.nested_foreach(), RUNNER, fan_outs={"start": FanOut("distributed"), "shard": FanOut("distributed", 50)}
    ),
    "switch": lambda: compile_machine(flows.switch(), RUNNER),
    "recursion": lambda: compile_machine(flows.recursion(), RUNNER),
    "everything": lambda: compile_machine(flows.everything(), RUNNER),
    "lambda": lambda: compile_machine(flows.everything(), LambdaRunner()),
}
