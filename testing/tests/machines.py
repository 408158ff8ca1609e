"""Five ways of a fan-out whose width is known only after a job has run: split, read the width, N jobs, join."""

from __future__ import annotations

from typing import Any

from stepwell_testing.aws_rig import Rig

JOB = r"""
import json, os, boto3
s3, bucket = boto3.client("s3"), os.environ["BUCKET"]
step, run = os.environ["STEP"], os.environ["RUN"]
def get(key): return json.loads(s3.get_object(Bucket=bucket, Key=f"{run}/{key}")["Body"].read())
def put(key, value): s3.put_object(Bucket=bucket, Key=f"{run}/{key}", Body=json.dumps(value).encode())
if step == "split":
    n = int(os.environ["N"])
    put("items.json", list(range(n))); put("width.json", {"n": n})
    if token := os.environ.get("TOKEN"):
        boto3.client("stepfunctions").send_task_success(taskToken=token, output=json.dumps({"n": n}))
elif step == "work":
    i = int(os.environ.get("AWS_BATCH_JOB_ARRAY_INDEX", os.environ.get("INDEX", "-1")))
    put(f"out/{i}", i * i)
elif step == "join":
    found = s3.list_objects_v2(Bucket=bucket, Prefix=f"{run}/out/").get("Contents", [])
    keys = [entry["Key"].removeprefix(run + "/") for entry in found]
    put("sum.json", {"count": len(keys), "sum": sum(get(key) for key in keys)})
"""

S3_GET = "arn:aws:states:::aws-sdk:s3:getObject"
SUBMIT = "arn:aws:states:::batch:submitJob."


def job_definition(rig: Rig, name: str = "fan") -> str:
    properties = {
        "image": rig.image,
        "command": ["python3", "-c", JOB],
        "environment": [{"name": "BUCKET", "value": rig.bucket}],
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}],
    }
    registered = rig.client("batch").register_job_definition(
        jobDefinitionName=name, type="container", containerProperties=properties
    )
    return str(registered["jobDefinitionArn"])


class Machines:
    """Builds the definitions; ``name`` is a method of it."""

    def __init__(self, rig: Rig, definition: str) -> None:
        self.rig, self.definition = rig, definition

    def inline_map(self) -> dict[str, Any]:
        return self._machine(split=self._split("read"), read=self._read("range"), **self._range("$.read.w.n"))

    def distributed_map(self) -> dict[str, Any]:
        work = self._environment("work", run="$.run", INDEX="States.Format('{}', $.i)")
        fan = {
            "Type": "Map",
            "ItemReader": {
                "Resource": "arn:aws:states:::s3:getObject",
                "ReaderConfig": {"InputType": "JSON"},
                "Parameters": {"Bucket": self.rig.bucket, "Key.$": "States.Format('{}/items.json', $$.Execution.Name)"},
            },
            "MaxConcurrency": 100,
            "ItemSelector": {"i.$": "$$.Map.Item.Value", "run.$": "$$.Execution.Name"},
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "work",
                "States": {"work": self._submit("work", work, End=True)},
            },
            "ResultPath": None,
            "Next": "join",
        }
        return self._machine(split=self._split("fan"), fan=fan)

    def array_job(self) -> dict[str, Any]:
        single = [*self._environment("work"), {"Name": "INDEX", "Value": "0"}]
        size = {"ArrayProperties": {"Size.$": "$.read.w.n"}}
        width = "$.read.w.n"
        choose = {
            "Type": "Choice",
            "Choices": [
                {"Variable": width, "NumericEquals": 0, "Next": "join"},
                {"Variable": width, "NumericEquals": 1, "Next": "single"},
            ],
            "Default": "fan",
        }
        return self._machine(
            split=self._split("read"), read=self._read("choose"), choose=choose,
            single=self._submit("work", single, Next="join"),
            fan=self._submit("work", self._environment("work"), size, Next="join"),
        )  # fmt: skip

    def jsonata(self) -> dict[str, Any]:
        def task(step: str, *more: dict[str, str], **rest: Any) -> dict[str, Any]:
            pairs = [{"Name": "STEP", "Value": step}, {"Name": "RUN", "Value": "{% $run %}"}, *more]
            arguments = {**self._job(step), "ContainerOverrides": {"Environment": pairs}}
            return {"Type": "Task", "Resource": SUBMIT + "sync", "Arguments": arguments, "Output": {}, **rest}

        work = task("work", {"Name": "INDEX", "Value": "{% $string($states.input) %}"}, End=True)
        assign = {"run": "{% $states.context.Execution.Name %}", "want": "{% $states.input.n %}"}
        read = {
            "Type": "Task", "Resource": S3_GET, "Output": {}, "Next": "fan",
            "Arguments": {"Bucket": self.rig.bucket, "Key": "{% $run & '/width.json' %}"},
            "Assign": {"n": "{% $parse($states.result.Body).n %}"},
        }  # fmt: skip
        fan = {
            "Type": "Map", "Items": "{% $n = 0 ? [] : [0..$n - 1] %}", "Output": {}, "Next": "join",
            "ItemProcessor": {"StartAt": "work", "States": {"work": work}},
        }  # fmt: skip
        states = {
            "init": {"Type": "Pass", "Assign": assign, "Next": "split"},
            "split": task("split", {"Name": "N", "Value": "{% $string($want) %}"}, Next="read"),
            "read": read, "fan": fan, "join": task("join", End=True),
        }  # fmt: skip
        return {"QueryLanguage": "JSONata", "StartAt": "init", "States": states}

    def task_token(self) -> dict[str, Any]:
        token = {"Name": "TOKEN", "Value.$": "$$.Task.Token"}
        pairs = [*self._environment("split", N="States.Format('{}', $.n)"), token]
        split = self._submit("split", pairs, how="waitForTaskToken", Next="range", HeartbeatSeconds=60)
        return self._machine(split={**split, "ResultPath": "$.w"}, **self._range("$.w.n"))

    def _machine(self, **states: Any) -> dict[str, Any]:
        return {
            "StartAt": "split",
            "States": {**states, "join": self._submit("join", self._environment("join"), End=True)},
        }

    def _job(self, name: str) -> dict[str, Any]:
        return {"JobName": name, "JobQueue": self.rig.queue, "JobDefinition": self.definition}

    def _environment(self, step: str, run: str = "$$.Execution.Name", **paths: str) -> list[dict[str, str]]:
        pairs = [{"Name": key, "Value.$": path} for key, path in paths.items()]
        return [{"Name": "STEP", "Value": step}, {"Name": "RUN", "Value.$": run}, *pairs]

    def _submit(self, name: str, pairs: Any, more: Any = None, how: str = "sync", **rest: Any) -> dict[str, Any]:
        parameters = {**self._job(name), "ContainerOverrides": {"Environment": pairs}, **(more or {})}
        return {"Type": "Task", "Resource": SUBMIT + how, "Parameters": parameters, "ResultPath": None, **rest}

    def _split(self, following: str) -> dict[str, Any]:
        return self._submit("split", self._environment("split", N="States.Format('{}', $.n)"), Next=following)

    def _read(self, following: str) -> dict[str, Any]:
        key = "States.Format('{}/width.json', $$.Execution.Name)"
        return {
            "Type": "Task", "Resource": S3_GET, "Parameters": {"Bucket": self.rig.bucket, "Key.$": key},
            "ResultSelector": {"w.$": "States.StringToJson($.Body)"}, "ResultPath": "$.read", "Next": following,
        }  # fmt: skip

    def _range(self, width: str) -> dict[str, Any]:
        numbers = {"l.$": f"States.ArrayRange(0, States.MathAdd({width}, -1), 1)"}
        work = self._submit("work", self._environment("work", INDEX="States.Format('{}', $.i)"), End=True)
        fan = {
            "Type": "Map", "ItemsPath": "$.r.l", "MaxConcurrency": 40, "ItemSelector": {"i.$": "$$.Map.Item.Value"},
            "ItemProcessor": {"StartAt": "work", "States": {"work": work}}, "ResultPath": None, "Next": "join",
        }  # fmt: skip
        return {"range": {"Type": "Pass", "Parameters": numbers, "ResultPath": "$.r", "Next": "fan"}, "fan": fan}
