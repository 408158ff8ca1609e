"""What a spec refuses, before any call: the argument, its value, Batch's limit and unit."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from compute_batch import (
    ComputeBatchError,
    EfsVolume,
    Fargate,
    HostVolume,
    InvalidSpec,
    JobSpec,
    LogDriver,
    RetryRule,
    Swap,
    Tmpfs,
)

ON_FARGATE = {"fargate": Fargate(), "memory_mib": 2048, "execution_role": "arn:role"}


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", "", "up to 128 letters"),
        ("name", "x" * 129, "up to 128 letters"),
        ("name", "two words", "'two words'"),
        ("name", "-first", "letter or digit first"),
        ("image", "", "an image is"),
        ("image", "a b", "an image is"),
        ("command", "echo hello", "sequence of words"),
        ("command", [1], "words that are text"),
        ("environment", {"AWS_BATCH_JOB_ID": "1"}, "Batch's own"),
        ("environment", {"A=B": "1"}, "'A=B'"),
        ("environment", {"A": 1}, "values are text"),
        ("environment", {"A": "x" * 8000}, "Batch takes 8,192"),
        ("vcpus", 0, "whole vCPUs, 1 at least"),
        ("vcpus", 1.5, "whole vCPUs"),
        ("vcpus", float("nan"), "whole vCPUs"),
        ("memory_mib", 3, "4 MiB at least"),
        ("memory_mib", 100.5, "whole MiB"),
        ("gpus", -1, "whole ones"),
        ("neuron_devices", 17, "0 to 16 chips"),
        ("efa_interfaces", 33, "0 to 32"),
        ("shared_memory_mib", 0, "1 at least"),
        ("tmpfs", [Tmpfs(0)], "1 at least"),
        ("swap", Swap(-1), "0 for none"),
        ("swap", Swap(1, swappiness=101), "0 to 100 of swappiness"),
        ("volumes", [HostVolume("data", "/data")], "paths are absolute"),
        ("volumes", [EfsVolume("fs-1", "/data"), HostVolume("/b", "/data")], "two things at one path"),
        ("volumes", [EfsVolume("fs-1", "/data", root="/a", access_point="fsap-1")], "beside an access point"),
        ("log_driver", LogDriver("nowhere"), "'nowhere'"),
        ("timeout_seconds", 59, "60 s at least"),
        ("timeout_seconds", 60.5, "whole seconds"),
        ("attempts", 0, "1 to 10"),
        ("attempts", 11, "1 to 10"),
        ("retry_rules", [RetryRule(action="EXIT")], "without a pattern"),
        ("retry_rules", [RetryRule(action="EXIT", exit_code="x")], "digits"),
        ("retry_rules", [RetryRule(action="EXIT", reason="a*b")], "at the end only"),
        ("retry_rules", [RetryRule(action="EXIT", reason="a")] * 6, "are 6"),
        ("tags", {f"key{n}": "" for n in range(51)}, "AWS takes 50"),
        ("tags", {"aws:mine": ""}, "AWS's own"),
        ("tags", {"a": "x" * 257}, "up to 256"),
        ("tags", {"a": "<b>"}, "'<b>'"),
        ("share_identifier", "a-b", "letters and digits"),
        ("priority", 5, "needs a share_identifier"),
    ],
)  # fmt: skip
def test_what_batch_would_refuse_is_refused_here(field: str, value: Any, message: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        JobSpec(**{"name": "a", "image": "a", field: value})
    assert caught.value.field == field
    assert field in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gpus", 1), ("neuron_devices", 1), ("efa_interfaces", 1), ("shared_memory_mib", 64), ("swap", Swap(1)),
        ("tmpfs", [Tmpfs(1)]), ("privileged", True), ("volumes", [HostVolume("/a", "/b")]), ("log_driver", LogDriver("gelf")),
        ("vcpus", 3), ("memory_mib", 1024), ("memory_mib", 9000), ("execution_role", None),
        ("fargate", Fargate(ephemeral_storage_gib=20)),
    ],
    ids=str,
)  # fmt: skip
def test_what_fargate_has_not_is_refused(field: str, value: Any) -> None:
    with pytest.raises(InvalidSpec) as caught:
        JobSpec(**{"name": "a", "image": "a", **ON_FARGATE, field: value})
    assert caught.value.field == field


def test_a_variable_has_one_source() -> None:
    with pytest.raises(InvalidSpec, match="both set KEY"):
        JobSpec(name="a", image="a", environment={"KEY": "1"}, secrets={"KEY": "arn"})


def test_the_limits_themselves_are_allowed() -> None:
    JobSpec(name="x" * 128, image="a", memory_mib=4, timeout_seconds=60, attempts=10, tags={"k" * 128: "v" * 256})
    JobSpec(
        name="a", image="a", vcpus=16, memory_mib=122880, execution_role="r", fargate=Fargate(ephemeral_storage_gib=200)
    )


def test_a_spec_cannot_change() -> None:
    environment = {"A": "1"}
    spec = JobSpec(name="a", image="a", environment=environment)
    environment["A"] = "2"
    assert spec.environment == {"A": "1"}
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        spec.name = "b"  # type: ignore[misc]
    with pytest.raises(InvalidSpec):
        attrs.evolve(spec, attempts=0)


def test_its_error_is_a_value_error_of_this_package() -> None:
    assert issubclass(InvalidSpec, ValueError)
    assert issubclass(InvalidSpec, ComputeBatchError)
