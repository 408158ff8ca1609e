"""What becomes of a run whose execution failed: a small state machine of its own writes the run's end and tells people.

An EventBridge rule starts it with the event "execution status changed". It costs no job and four state transitions, sees what no
task can see (a job that never started, a timeout of the whole, an execution that was stopped), and, unlike a `Catch` in the
flow's machine, leaves the execution as it failed, so that it can be redriven.
"""

from __future__ import annotations

import json
from typing import Any

from stepwell.execution.stores import Stores

STATES = "arn:aws:states:::"
GET, PUT, PUBLISH = f"{STATES}aws-sdk:s3:getObject", f"{STATES}aws-sdk:s3:putObject", f"{STATES}sns:publish"
UNSUCCESSFUL = ["FAILED", "TIMED_OUT", "ABORTED"]
# What EventBridge tells of the execution; `error` and `cause` it leaves out where there is none.
FACTS = {
    "execution": "{% $states.input.detail.name %}",
    "status": "{% $states.input.detail.status %}",
    "ended": "{% $exists($states.input.detail.stopDate) ? $states.input.detail.stopDate / 1000 : $millis() / 1000 %}",
    "reason": "{% $exists($states.input.detail.error) ? $states.input.detail.error : $states.input.detail.status %}",
    "task": "",
    "step": "",
}


def failed_execution_pattern(machine_arn: str) -> dict[str, Any]:
    """The event pattern of an execution of a machine that ended without success."""
    return {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"stateMachineArn": [machine_arn], "status": UNSUCCESSFUL},
    }


def failure_machine(flow: str, file: str, stores: Stores, topic: str | None) -> dict[str, Any]:
    """The state machine; `file` is the flow's, for the commands to type, `topic` the ARN of who wants to be told."""
    last = "tell" if topic else "done"
    states: dict[str, Any] = {
        "look": {
            "Type": "Task",
            "Comment": "A run that nobody claimed has left nothing, and needs no end.",
            "Resource": GET,
            "Arguments": _object(flow, stores, "run.json", "$states.input.detail.name"),
            "Output": FACTS,
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": last, "Output": FACTS}],
            "Next": "end",
        },
        "end": {
            "Type": "Task",
            "Comment": "Unless a task that failed has written it.",
            "Resource": PUT,
            "Arguments": {
                **_object(flow, stores, "ended.json", "$states.input.execution"),
                "Body": {
                    "format": 1,
                    "successful": False,
                    "ended": "{% $states.input.ended %}",
                    "reason": "{% $states.input.reason %}",
                },
                "IfNoneMatch": "*",
            },
            "Output": "{% $states.input %}",
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "read", "Output": "{% $states.input %}"}],
            "Next": "read",
        },
        "read": {
            "Type": "Task",
            "Resource": GET,
            "Arguments": _object(flow, stores, "ended.json", "$states.input.execution"),
            "Output": (
                "{% ($end := $parse($states.result.Body); $merge([$states.input, {"
                "'step': $exists($end.failed_step) and $end.failed_step != null ? $end.failed_step : '', "
                "'task': $exists($end.failed_task) and $end.failed_task != null ? $end.failed_task : '', "
                "'reason': $exists($end.reason) and $end.reason != null ? $end.reason : $states.input.reason}])) %}"
            ),
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": last, "Output": "{% $states.input %}"}],
            "Next": last,
        },
        last: _tell(flow, file, topic) if topic else {"Type": "Succeed"},
    }
    comment = f"Ends the runs of {flow} whose execution failed, and tells people."
    return {"Comment": comment, "QueryLanguage": "JSONata", "StartAt": "look", "States": states}


def failure_text(flow: str, file: str, run_id: str, step: str, task: str, reason: str) -> str:
    """What people are told: which task failed, why, and what to type."""
    where = f"{run_id}/{step}/{task}" if step else run_id
    return (
        f"{flow}/{where} failed.\n{reason}\n\n"
        f"python {file} logs {where}\n"
        f"python {file} resume --origin-run-id {run_id}\n"
        f"python {file} step-functions redrive {run_id}\n"
    )


def _object(flow: str, stores: Stores, name: str, execution: str) -> dict[str, Any]:
    bucket, _, prefix = stores.root.removeprefix("s3://").partition("/")
    folder = f"{prefix}/flows/{flow}/runs/sfn-" if prefix else f"flows/{flow}/runs/sfn-"
    return {"Bucket": bucket, "Key": f"{{% '{folder}' & {execution} & '/{name}' %}}"}


def _tell(flow: str, file: str, topic: str) -> dict[str, Any]:
    run = "('sfn-' & $states.input.execution)"
    task = "($states.input.step = '' ? '' : '/' & $states.input.step & '/' & $states.input.task)"
    text = json.dumps(failure_text(flow, file, "<run>", "<step>", "<task>", "<reason>"))
    slots = {"<run>/<step>/<task>": f"{run} & {task}", "<run>": run, "<reason>": "$states.input.reason"}
    for slot, value in slots.items():
        text = text.replace(slot, f'" & {value} & "')
    return {
        "Type": "Task",
        "Resource": PUBLISH,
        "Arguments": {
            "TopicArn": topic,
            "Subject": f"{{% $substring('{flow}: a run failed: ' & {run}, 0, 99) %}}",
            "Message": f"{{% {text} %}}",
        },
        "End": True,
    }
