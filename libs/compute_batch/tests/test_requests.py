"""From a spec to the requests of Batch, against the service's own model."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import attrs
import botocore.session
import pytest
from botocore.model import Shape
from botocore.validate import ParamValidator
from compute_batch import (
    EfsVolume,
    Fargate,
    HostVolume,
    JobSpec,
    LogDriver,
    Swap,
    Tmpfs,
)
from compute_batch.payloads import definition_name, register_request, submit_request
from hypothesis import given
from strategies import names, specs, tags, variables


@cache
def input_of(operation: str) -> Shape:
    return botocore.session.get_session().get_service_model("batch").operation_model(operation).input_shape


def assert_valid(operation: str, request: dict[str, Any]) -> None:
    report = ParamValidator().validate(request, input_of(operation))
    assert not report.has_errors(), report.generate_report()
    assert_enumerated(request, input_of(operation))
    assert json.loads(json.dumps(request)) == request


def assert_enumerated(value: Any, shape: Any) -> None:
    """What botocore does not check: values of enumerations; and that nothing is sent empty."""
    if shape.type_name == "structure":
        assert value != {}
        for name, one in value.items():
            assert_enumerated(one, shape.members[name])
    elif shape.type_name == "list":
        for one in value:
            assert_enumerated(one, shape.member)
    elif shape.type_name == "string" and shape.enum:
        assert value in shape.enum


@given(specs)
def test_every_spec_makes_requests_that_batch_s_model_takes(spec: JobSpec) -> None:
    assert_valid("RegisterJobDefinition", register_request(spec, "prefix"))
    assert_valid("SubmitJob", submit_request(spec, "queue", "definition"))
    more: dict[str, Any] = {"size": 10, "depends_on": [{"jobId": "x", "type": "N_TO_N"}], "variables": {"A": "b"}}
    assert_valid("SubmitJob", submit_request(spec, "queue", "definition", **more))


@given(specs, names, variables, tags)
def test_jobs_of_one_shape_have_one_definition(
    spec: JobSpec, name: str, environment: dict[str, str], tags: dict[str, str]
) -> None:
    other = attrs.evolve(
        spec, name=name, command=["true"], environment=environment, secrets=spec.secrets, tags=tags, attempts=2,
        timeout_seconds=77, share_identifier="a", priority=1,
    )  # fmt: skip
    assert register_request(spec, "p") == register_request(other, "p")


@pytest.mark.parametrize(
    "change",
    [
        {"image": "b"}, {"vcpus": 2}, {"memory_mib": 4096}, {"gpus": 1}, {"neuron_devices": 1}, {"efa_interfaces": 1},
        {"shared_memory_mib": 64}, {"swap": Swap(0)}, {"tmpfs": [Tmpfs(1)]}, {"volumes": [HostVolume("/a", "/b")]},
        {"job_role": "arn:r"}, {"execution_role": "arn:r"}, {"user": "nobody"}, {"privileged": True},
        {"log_driver": LogDriver()}, {"secrets": {"A": "arn:s"}}, {"fargate": Fargate(), "execution_role": "arn:r"},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_another_shape_has_another_definition(change: dict[str, Any]) -> None:
    spec = JobSpec(name="a", image="a")
    assert definition_name(attrs.evolve(spec, **change), "p") != definition_name(spec, "p")


@given(specs)
def test_no_plain_variable_gets_into_a_definition(spec: JobSpec) -> None:
    marked = attrs.evolve(spec, environment={"TOKEN": "a-secret-by-mistake"})
    assert "a-secret-by-mistake" not in json.dumps(register_request(marked, "p"))


def test_a_small_job_is_as_small_a_request() -> None:
    spec = JobSpec(name="train", image="python:3.12", command=["python", "-V"], vcpus=4, memory_mib=8000)
    assert register_request(spec, "p") == {
        "jobDefinitionName": definition_name(spec, "p"),
        "type": "container",
        "platformCapabilities": ["EC2"],
        "containerProperties": {
            "image": "python:3.12",
            "resourceRequirements": [{"type": "VCPU", "value": "4"}, {"type": "MEMORY", "value": "8000"}],
        },
    }
    assert submit_request(spec, "main", "arn") == {
        "jobName": "train",
        "jobQueue": "main",
        "jobDefinition": "arn",
        "containerOverrides": {"command": ["python", "-V"]},
        "retryStrategy": {"attempts": 1},
    }


def test_what_only_ec2_has() -> None:
    spec = JobSpec(
        name="a", image="a", gpus=2, neuron_devices=1, efa_interfaces=1, shared_memory_mib=64, swap=Swap(1024, swappiness=10),
        tmpfs=[Tmpfs(512, "/fast", ["noexec"])], volumes=[HostVolume("/data", "/in", read_only=True)], privileged=True,
    )  # fmt: skip
    properties = register_request(spec, "p")["containerProperties"]
    assert {"type": "GPU", "value": "2"} in properties["resourceRequirements"]
    assert properties["linuxParameters"] == {
        "devices": [
            {"hostPath": path, "containerPath": path, "permissions": ["READ", "WRITE"]}
            for path in ("/dev/neuron0", "/dev/infiniband/uverbs0")
        ],
        "sharedMemorySize": 64,
        "maxSwap": 1024,
        "swappiness": 10,
        "tmpfs": [{"containerPath": "/fast", "size": 512, "mountOptions": ["noexec"]}],
    }
    assert properties["volumes"] == [{"name": "volume-0", "host": {"sourcePath": "/data"}}]
    assert properties["mountPoints"] == [{"sourceVolume": "volume-0", "containerPath": "/in", "readOnly": True}]
    assert properties["privileged"] is True


def test_no_swap_is_something_else_than_swap_left_alone() -> None:
    assert register_request(JobSpec(name="a", image="a", swap=Swap(0)), "p")["containerProperties"][
        "linuxParameters"
    ] == {"maxSwap": 0}
    assert "linuxParameters" not in register_request(JobSpec(name="a", image="a"), "p")["containerProperties"]


def test_an_efs_volume_is_encrypted_on_its_way() -> None:
    volume = EfsVolume("fs-1", "/shared", access_point="fsap-2", use_job_role=True)
    (found,) = register_request(JobSpec(name="a", image="a", volumes=[volume]), "p")["containerProperties"]["volumes"]
    assert found["efsVolumeConfiguration"] == {
        "fileSystemId": "fs-1",
        "rootDirectory": "/",
        "transitEncryption": "ENABLED",
        "authorizationConfig": {"accessPointId": "fsap-2", "iam": "ENABLED"},
    }


def test_a_fargate_job_says_so() -> None:
    spec = JobSpec(
        name="a",
        image="a",
        vcpus=0.25,
        memory_mib=512,
        execution_role="arn:role",
        fargate=Fargate(ephemeral_storage_gib=100),
    )
    request = register_request(spec, "p")
    assert request["platformCapabilities"] == ["FARGATE"]
    properties = request["containerProperties"]
    assert properties["networkConfiguration"] == {"assignPublicIp": "DISABLED"}
    assert properties["ephemeralStorage"] == {"sizeInGiB": 100}
    assert {"type": "VCPU", "value": "0.25"} in properties["resourceRequirements"]


def test_secrets_and_log_options_travel_as_arns() -> None:
    driver = LogDriver("splunk", {"splunk-url": "https://splunk.example"}, {"splunk-token": "arn:token"})
    properties = register_request(JobSpec(name="a", image="a", secrets={"KEY": "arn:key"}, log_driver=driver), "p")[
        "containerProperties"
    ]
    assert properties["secrets"] == [{"name": "KEY", "valueFrom": "arn:key"}]
    assert properties["logConfiguration"] == {
        "logDriver": "splunk",
        "options": {"splunk-url": "https://splunk.example"},
        "secretOptions": [{"name": "splunk-token", "valueFrom": "arn:token"}],
    }


def test_tags_go_down_to_the_container_s_task() -> None:
    request = submit_request(JobSpec(name="a", image="a", tags={"team": "blue"}), "q", "d")
    assert (request["tags"], request["propagateTags"]) == ({"team": "blue"}, True)
