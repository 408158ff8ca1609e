"""A job can know how often its execution was redriven, so that attempts at its task are counted on."""

from __future__ import annotations

import json
import uuid

from flow_graph import GraphBuilder
from sched_sfn import Deployment, InResult, Template, compile_machine
from stepwell_testing.aws_rig import Rig

SECONDS = 60


class Writer:
    """A task puts the number of redrives, and fails in the first round, as it reads what is not there."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket

    def supports_arrays(self, node) -> bool:
        return False

    def decision(self, node) -> InResult:
        return InResult()

    def state(self, task) -> dict:
        action = "putObject" if task.step == "start" else "getObject"
        arguments = {"Bucket": self.bucket, "Key": task.fill(Template("{execution}/{redrives}"))}
        if task.step == "start":
            arguments["Body"] = task.fill(Template("round {redrives}"))
        else:
            arguments["Key"] = task.fill(Template("{execution}/1"))
        return {"Type": "Task", "Resource": f"arn:aws:states:::aws-sdk:s3:{action}", "Arguments": arguments}


def test_redrives_are_counted_from_none(rig: Rig) -> None:
    graph = GraphBuilder("Counted").step("start", next="end").step("end").build()
    machine = compile_machine(graph, Writer(rig.bucket))
    deployment = Deployment(f"c-{uuid.uuid4().hex[:8]}", machine, rig.role, client=rig.client("stepfunctions"))
    deployment.apply()
    execution = deployment.start().wait(SECONDS)
    assert execution.status == "FAILED"
    assert execution.redrive().wait(SECONDS).status == "SUCCEEDED"
    found = rig.client("s3").get_object(Bucket=rig.bucket, Key=f"{execution.name}/1")["Body"].read()
    assert json.loads(found) == "round 1"
