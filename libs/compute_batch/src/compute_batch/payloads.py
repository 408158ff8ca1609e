"""A job as the requests that Batch takes. Pure.

The definition holds a job's shape; a submission holds what may differ from job to job: command, environment, time, tags.
So a thousand jobs of one shape need one definition, and its name, made from its content, is how it is found again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from compute_batch.arguments import require
from compute_batch.parts import EfsVolume, HostVolume, LogDriver, RetryRule

if TYPE_CHECKING:
    from compute_batch.spec import JobSpec


def definition_name(spec: JobSpec, prefix: str) -> str:
    """The name of the definition of the job's shape: equal shapes, equal names."""
    content = json.dumps(_shape(spec), sort_keys=True, separators=(",", ":"))
    return f"{prefix}-{hashlib.sha256(content.encode()).hexdigest()[:32]}"


def _require_spec(spec: object) -> None:
    from compute_batch.spec import JobSpec  # which is checked by what it makes here

    require(JobSpec, "spec", spec, "a JobSpec(name=..., image=...)")


def register_request(spec: JobSpec, prefix: str) -> dict[str, Any]:
    """The arguments of RegisterJobDefinition for a job's shape; the definition's name begins with `prefix`."""
    _require_spec(spec)
    return {"jobDefinitionName": definition_name(spec, prefix), **_shape(spec)}


def submit_request(
    spec: JobSpec, queue: str, definition: str, *, size: int | None = None, depends_on: Sequence[Mapping[str, str]] = (),
    variables: Mapping[str, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The arguments of SubmitJob; `variables` are added to the job's own, `size` makes it an array."""
    _require_spec(spec)
    require(str, "queue", queue, "the name or the ARN of a job queue")
    return _present(
        {
            "jobName": spec.name,
            "jobQueue": queue,
            "jobDefinition": definition,
            "arrayProperties": {"size": size} if size is not None else None,
            "dependsOn": [dict(dependency) for dependency in depends_on],
            "containerOverrides": overrides(spec, variables),
            "retryStrategy": _present({"attempts": spec.attempts, "evaluateOnExit": _rules(spec.retry_rules)}),
            "timeout": {"attemptDurationSeconds": spec.timeout_seconds} if spec.timeout_seconds is not None else None,
            "tags": dict(spec.tags),
            "propagateTags": True if spec.tags else None,
            "shareIdentifier": spec.share_identifier,
            "schedulingPriorityOverride": spec.priority,
        }
    )


def overrides(spec: JobSpec, variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What is the job's own, beside its shape."""
    return _present(
        {"command": list(spec.command), "environment": _pairs({**spec.environment, **(variables or {})}, "value")}
    )


def size_bytes(request: Mapping[str, Any]) -> int:
    """Its length as Batch counts it."""
    return len(json.dumps(request, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass"))


def _shape(spec: JobSpec) -> dict[str, Any]:
    return {
        "type": "container",
        "platformCapabilities": ["EC2" if spec.fargate is None else "FARGATE"],
        "containerProperties": _container(spec),
    }


def _container(spec: JobSpec) -> dict[str, Any]:
    return _present(
        {
            "image": spec.image,
            "command": list(spec.default_command),
            "jobRoleArn": spec.job_role,
            "executionRoleArn": spec.execution_role,
            "user": spec.user,
            "privileged": True if spec.privileged else None,
            "resourceRequirements": _requirements(spec),
            "secrets": _pairs(spec.secrets, "valueFrom"),
            "linuxParameters": _linux(spec),
            "volumes": [_volume(volume, f"volume-{n}") for n, volume in enumerate(spec.volumes)],
            "mountPoints": [
                {"sourceVolume": f"volume-{n}", "containerPath": volume.path, "readOnly": volume.read_only}
                for n, volume in enumerate(spec.volumes)
            ],
            "logConfiguration": _log(spec.log_driver) if spec.log_driver is not None else None,
            **_fargate(spec),
        }
    )


def _requirements(spec: JobSpec) -> list[dict[str, str]]:
    amounts = {"VCPU": f"{spec.vcpus:g}", "MEMORY": str(spec.memory_mib), "GPU": str(spec.gpus) if spec.gpus else ""}
    return [{"type": kind, "value": value} for kind, value in amounts.items() if value]


def _linux(spec: JobSpec) -> dict[str, Any]:
    devices = [
        *(f"/dev/neuron{n}" for n in range(spec.neuron_devices)),
        *(f"/dev/infiniband/uverbs{n}" for n in range(spec.efa_interfaces)),
    ]
    return _present(
        {
            "devices": [
                {"hostPath": path, "containerPath": path, "permissions": ["READ", "WRITE"]} for path in devices
            ],
            "sharedMemorySize": spec.shared_memory_mib,
            "maxSwap": spec.swap.size_mib if spec.swap is not None else None,
            "swappiness": spec.swap.swappiness if spec.swap is not None else None,
            "tmpfs": [
                _present({"containerPath": one.path, "size": one.size_mib, "mountOptions": list(one.options)})
                for one in spec.tmpfs
            ],
        }
    )


def _volume(volume: HostVolume | EfsVolume, name: str) -> dict[str, Any]:
    if isinstance(volume, HostVolume):
        return {"name": name, "host": {"sourcePath": volume.source}}
    authorization = _present({"accessPointId": volume.access_point, "iam": "ENABLED" if volume.use_job_role else None})
    efs = {
        "fileSystemId": volume.file_system,
        "rootDirectory": volume.root,
        "transitEncryption": "ENABLED",
        "authorizationConfig": authorization,
    }
    return {"name": name, "efsVolumeConfiguration": _present(efs)}


def _log(driver: LogDriver) -> dict[str, Any]:
    return _present(
        {
            "logDriver": driver.name,
            "options": dict(driver.options),
            "secretOptions": _pairs(driver.secrets, "valueFrom"),
        }
    )


def _fargate(spec: JobSpec) -> dict[str, Any]:
    if spec.fargate is None:
        return {}
    size = spec.fargate.ephemeral_storage_gib
    return {
        "networkConfiguration": {"assignPublicIp": "ENABLED" if spec.fargate.public_ip else "DISABLED"},
        "fargatePlatformConfiguration": {"platformVersion": spec.fargate.platform_version},
        "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": spec.fargate.architecture},
        "ephemeralStorage": {"sizeInGiB": size} if size is not None else None,
    }


def _rules(rules: Sequence[RetryRule]) -> list[dict[str, str]]:
    return [
        _present(
            {
                "action": rule.action,
                "onExitCode": rule.exit_code,
                "onReason": rule.reason,
                "onStatusReason": rule.status_reason,
            }
        )
        for rule in rules
    ]


def _pairs(values: Mapping[str, str], key: str) -> list[dict[str, str]]:
    return [{"name": name, key: value} for name, value in values.items()]


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is absent: Batch takes an empty list or structure for a wish."""
    return {key: value for key, value in values.items() if value is not None and value != [] and value != {}}
