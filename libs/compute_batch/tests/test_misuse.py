"""What a stranger may get wrong is answered by one error that names the argument and says what it must be; nothing is sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from compute_batch import (
    BatchClient,
    EfsVolume,
    Fargate,
    InvalidSpec,
    JobSpec,
    LogDriver,
    Pace,
    Patience,
    RetryRule,
    Swap,
    Tmpfs,
    register_request,
    submit_request,
)

NOWHERE: dict[str, Any] = {
    "region_name": "us-east-1", "endpoint_url": "http://127.0.0.1:9", "aws_access_key_id": "a", "aws_secret_access_key": "b"
}  # fmt: skip
Nothing: Any = None


def spec(**more: Any) -> JobSpec:
    return JobSpec(**{"name": "a", "image": "python:3.12", **more})


def client(queue: Any = "q", **more: Any) -> BatchClient:
    return BatchClient(queue, **{"client": boto3.client("batch", **NOWHERE), **more})


WRONG_FIELDS: dict[str, list[Any]] = {
    "name": [None, 3],
    "image": [None, 3],
    "command": [None, 3, "ls -l", [3], [None]],
    "default_command": [[3]],
    "environment": [None, "A=1", ["A=1"], {3: "a"}, {"A": None}],
    "secrets": [None, {"A": 3}],
    "vcpus": [None, "4", [1]],
    "memory_mib": [None, "8000", 8000.0],
    "gpus": [None, "1"],
    "neuron_devices": [None],
    "efa_interfaces": [None],
    "shared_memory_mib": ["64"],
    "swap": [3, Swap("3")],  # type: ignore[arg-type]
    "tmpfs": [3, [3], Tmpfs(3), [Tmpfs(3, Nothing)]],
    "volumes": [
        None,
        "/a:/b",
        ["/a"],
        EfsVolume("fs-1", "/x"),
        [EfsVolume(Nothing, "/x")],
        [EfsVolume("fs-1", Nothing)],
    ],
    "fargate": [True, "FARGATE"],
    "job_role": [3],
    "execution_role": [3],
    "user": [3],
    "privileged": ["yes"],
    "log_driver": ["awslogs"],
    "timeout_seconds": ["60", 60.0],
    "attempts": [None, "3"],
    "retry_rules": ["RETRY", RetryRule(action="RETRY", reason="*"), [RetryRule(action="RETRY", exit_code=1)]],  # type: ignore[arg-type]
    "tags": [None, ["a"], {"a": 3}, {3: "a"}],
    "share_identifier": [3],
}
FIELDS = [(field, place) for field, values in WRONG_FIELDS.items() for place in range(len(values))]
CALLS: dict[str, tuple[Callable[[], object], str]] = {
    "options in a list": (lambda: LogDriver("awslogs", options=[1]), "LogDriver's options"),  # type: ignore[arg-type]
    "storage as text": (
        lambda: spec(fargate=Fargate(ephemeral_storage_gib="30"), execution_role="arn", vcpus=1),  # type: ignore[arg-type]
        "GiB of ephemeral storage",
    ),
    "no queue": (lambda: client(None), "queue is None"),
    "an empty queue": (lambda: client(""), "queue is ''"),
    "a number as pace": (lambda: client(pace=3), "a Pace"),
    "a number as patience": (lambda: client(patience=3), "a Patience"),
    "a name as client": (lambda: client(client="batch"), r"boto3\.client\(\"batch\"\)"),
    "no prefix": (lambda: client(definition_prefix=None), "definition_prefix is None"),
    "seconds as text": (lambda: Pace(least_seconds="1"), "Pace's least_seconds"),  # type: ignore[arg-type]
    "a budget below nothing": (lambda: Patience(budget_seconds=-1), "0 at least"),
    "no spec": (lambda: client().submit(Nothing), "a JobSpec"),
    "a dictionary as spec": (lambda: client().submit({"name": "a"}), "a JobSpec"),  # type: ignore[arg-type]
    "no spec of an array": (lambda: client().submit_array(Nothing, 3), "a JobSpec"),
    "no spec of a definition": (lambda: client().definition(Nothing), "a JobSpec"),
    "no spec of a name": (lambda: client().definition_name(Nothing), "a JobSpec"),
    "no spec to register": (lambda: register_request(Nothing, "p"), "a JobSpec"),
    "no spec to submit": (lambda: submit_request(Nothing, "q", "d"), "a JobSpec"),
    "no queue to submit to": (lambda: submit_request(spec(), Nothing, "d"), "queue is None"),
    "one id to wait for": (lambda: client().submit(spec(), after="id"), "a sequence of jobs"),
    "nothing to wait for": (lambda: client().submit(spec(), after=[None]), "one of after is None"),  # type: ignore[list-item]
    "an id of counterparts": (lambda: client().submit_array(spec(), 3, each_after="id"), "an ArrayJob"),  # type: ignore[arg-type]
    "a size as text": (lambda: client().submit_array(spec(), "3"), "size is '3'"),  # type: ignore[arg-type]
    "none at once": (lambda: client().submit_array(spec(), 3, at_once=0), "at_once is 0"),
    "no variable": (lambda: client().submit_array(spec(), 3, offset_variable=Nothing), "offset_variable"),
    "no id": (lambda: client().job(Nothing), "the id of a job"),
    "an empty id": (lambda: client().job(""), "the id of a job"),
    "one id as ids": (lambda: client().jobs("id"), "a sequence of text"),
    "no array": (lambda: client().array(), r"ArrayJob\.ids"),
    "a list of ids": (lambda: client().array(["id"]), "the id of a job"),  # type: ignore[arg-type]
    "an unknown state": (lambda: client().list_jobs(["DONE"]), "among SUBMITTED"),
    "one state": (lambda: client().list_jobs("RUNNING"), "a sequence of text"),
    "a number as name": (lambda: client().list_jobs(name=3), "name is 3"),  # type: ignore[arg-type]
    "ids to stop": (lambda: client().terminate(["id"], "why"), r"jobs\(ids\)"),  # type: ignore[list-item]
    "no reason": (lambda: client().terminate([], Nothing), "reason is None"),
    "ids to watch": (lambda: client().watch(["id"]), r"jobs\(ids\)"),  # type: ignore[list-item]
    "ids to look at": (lambda: client().refresh_many(["id"]), r"jobs\(ids\)"),  # type: ignore[list-item]
    "nothing to read": (lambda: client().tail(Nothing), "a sequence of jobs"),
    "ids to read": (lambda: client().logs(["id"]), r"jobs\(ids\)"),  # type: ignore[list-item]
}


@pytest.mark.parametrize(("field", "place"), FIELDS)
def test_a_wrong_field_of_a_job_is_named(field: str, place: int) -> None:
    with pytest.raises(InvalidSpec, match=f"JobSpec's {field}") as error:
        spec(**{field: WRONG_FIELDS[field][place]})
    assert error.value.field == field


@pytest.mark.parametrize("mistake", CALLS)
def test_a_wrong_argument_is_named(mistake: str) -> None:
    call, says = CALLS[mistake]
    with pytest.raises(InvalidSpec, match=says):
        call()
