"""Runners that need no Batch: a task is an object put into S3, by the machine itself."""

from __future__ import annotations

from typing import Any

import attrs
from flow_graph import Node
from sched_sfn import InResult, S3Record, StepTask, Template
from sched_sfn.values import expression

PUT = "arn:aws:states:::aws-sdk:s3:putObject"
GET = "arn:aws:states:::aws-sdk:s3:getObject"
INVOKE = "arn:aws:states:::lambda:invoke"


@attrs.frozen
class PuttingRunner:
    """A task puts `<execution>/<step>/<task id>`; an array is a map of such.

    What the tasks decide lies in S3 beforehand, at `<decisions>/<step>/<task id>`.
    """

    bucket: str = "bucket"
    arrays: bool = False
    decisions: str = "decisions"

    def supports_arrays(self, node: Node) -> bool:
        return self.arrays

    def decision(self, node: Node) -> S3Record:
        return S3Record(self.bucket, Template(f"{self.decisions}/{{step}}/{{task_id}}"))

    def state(self, task: StepTask) -> dict[str, Any]:
        if task.width is None:
            return self.put(task.fill(Template("{execution}/{step}/{task_id}")))
        index = "{% $string($states.context.Map.Item.Value + $number(" + text_of(task.offset) + ")) %}"
        path = text_of(task.path)
        prefix = task.fill(Template("{execution}/{step}/t"))
        key = "{% $states.input.prefix & $states.input.path & ($states.input.path = '' ? '' : '-') & $states.input.index %}"
        return {
            "Type": "Map",
            "Items": f"{{% [0..{task.width.text} - 1] %}}",
            "ItemSelector": {"index": index, "path": f"{{% {path} %}}", "prefix": prefix},
            "ItemProcessor": {
                "StartAt": f"put {task.step}",
                "States": {f"put {task.step}": {**self.put(key), "End": True}},
            },
        }

    def put(self, key: str) -> dict[str, Any]:
        return {"Type": "Task", "Resource": PUT, "Arguments": {"Bucket": self.bucket, "Key": key, "Body": "done"}}


class SharingRunner(PuttingRunner):
    """The same, and the machine holds the bucket and the beginning of its keys."""

    def shared(self, first: StepTask) -> dict[str, Any]:
        return {"bucket": self.bucket, "prefix": first.fill(Template("{execution}/"))}

    def state(self, task: StepTask) -> dict[str, Any]:
        key = expression(task.shared_value("prefix"), task.step, "/", *task.task_id)
        state = self.put(str(key))
        return {**state, "Arguments": {**state["Arguments"], "Bucket": str(task.shared_value("bucket"))}}


def text_of(part: Any) -> str:
    return f"'{part}'" if isinstance(part, str) else str(part.text)


@attrs.frozen
class LambdaRunner:
    """A task is a call of a function, whose answer says what it decided."""

    function: str = "run-step"

    def supports_arrays(self, node: Node) -> bool:
        return False

    def decision(self, node: Node) -> InResult:
        return InResult("Payload.cardinality", "Payload.choice")

    def state(self, task: StepTask) -> dict[str, Any]:
        payload = {
            "key": task.fill(Template("{execution}/{step}/{task_id}")),
            "path": task.fill(Template("{path}")),
            "iteration": task.fill(Template("{iteration}")),
            "input": task.fill(Template("{input}")),
        }
        return {"Type": "Task", "Resource": INVOKE, "Arguments": {"FunctionName": self.function, "Payload": payload}}
