"""Jobs that tell what they were told: each writes a record of its task to S3, as a real one does, and decides by a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sched_sfn import BatchJob, BatchRunner, S3Record, Template
from stepwell_testing.aws_rig import Rig

JOB = r"""
import json, os, socket, time  # http.client would take most of a job's time
env = os.environ
path = [int(index) for index in env["TASK_PATH"].split("-") if index]
if "AWS_BATCH_JOB_ARRAY_INDEX" in env:
    path.append(int(env["OFFSET"]) + int(env["AWS_BATCH_JOB_ARRAY_INDEX"]))
task_id = "t" + ("-".join(map(str, path)) or "0") + ("-r" + env["ITERATION"] if env["ITERATION"] != "0" else "")
step = env["STEP"]
decided = json.loads(env["DECISIONS"]).get(step + "/" + task_id, {})
if decided == "fail" or (decided == "fail once" and env["AWS_BATCH_JOB_ATTEMPT"] == "1"):
    raise SystemExit(7)
if decided == "sleep":
    time.sleep(60)
transition = decided if isinstance(decided, dict) else {}
record = {"transition": transition, "input": json.loads(env["INPUT"]), "attempt": env["AWS_BATCH_JOB_ATTEMPT"]}
url = "/".join(["", env["BUCKET"], "runs", env["EXECUTION"], step, task_id, "done.json"])
body, (host, port) = json.dumps(record), env["AWS_ENDPOINT_URL"].removeprefix("http://").split(":")
head = "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
with socket.create_connection((host, port), timeout=60) as connection:
    connection.sendall((head % (url, host, len(body)) + body).encode())
    raise SystemExit(not connection.recv(64).startswith(b"HTTP/1.1 200"))
"""
KEY = Template("runs/{execution}/{step}/{task_id}/done.json")


def batch_runner(rig: Rig, decisions: Mapping[str, Any] | None = None, **more: Any) -> BatchRunner:
    """A runner whose tasks decide as `decisions` says, by `step/task id`."""
    job = BatchJob(
        definition=job_definition(rig),
        queue=rig.queue,
        environment={
            "STEP": Template("{step}"),
            "EXECUTION": Template("{execution}"),
            "INPUT": Template("{input}"),
            "TASK_PATH": Template("{path}"),
            "ITERATION": Template("{iteration}"),
            "OFFSET": Template("{offset}"),
            "DECISIONS": json.dumps(decisions or {}),
            "BUCKET": rig.bucket,
        },
        **more,
    )
    return BatchRunner(job, S3Record(rig.bucket, KEY))


def job_definition(rig: Rig) -> str:
    registered = rig.client("batch").register_job_definition(
        jobDefinitionName="task",
        type="container",
        containerProperties={
            "image": rig.image,
            "command": ["python3", "-I", "-S", "-c", JOB],  # without site: it starts faster
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}],
        },
    )
    return str(registered["jobDefinitionArn"])


def records(rig: Rig, execution: str) -> dict[str, dict[str, Any]]:
    """The records of an execution, by `step/task id`."""
    s3, prefix = rig.client("s3"), f"runs/{execution}/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=rig.bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    return {
        key.removeprefix(prefix).removesuffix("/done.json"): json.loads(
            s3.get_object(Bucket=rig.bucket, Key=key)["Body"].read()
        )
        for key in keys
    }
