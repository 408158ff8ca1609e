"""The parts that a job may have beside command, CPU and memory: storage, network, logs, retries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import attrs

from compute_batch.arguments import texts_by_name


@attrs.frozen
class HostVolume:
    """A directory of the instance, seen in the container at `path`. EC2 only."""

    source: str
    path: str
    read_only: bool = False


@attrs.frozen
class EfsVolume:
    """An Elastic File System, seen in the container at `path`; traffic is encrypted.

    - `file_system`: its id, `fs-…`; `root`: the directory in it.
    - `access_point`: an id, `fsap-…`; it sets the root, so `root` stays "/".
    - `use_job_role`: mount with the rights of the job's role.
    """

    file_system: str
    path: str
    root: str = "/"
    read_only: bool = False
    access_point: str | None = None
    use_job_role: bool = False


@attrs.frozen
class Tmpfs:
    """A file system in memory of `size_mib`, at `path`; what it holds counts towards the job's memory. EC2 only."""

    size_mib: int
    path: str = "/tmp"
    options: Sequence[str] = attrs.field(default=(), converter=tuple)


@attrs.frozen
class Swap:
    """Swap space of the instance: `size_mib` beside the job's memory, none if 0; `swappiness` from 0 to 100. EC2 only."""

    size_mib: int
    swappiness: int | None = None


@attrs.frozen
class Fargate:
    """Run on Fargate, without instances of one's own. Security groups and subnets are the compute environment's.

    - `public_ip`: for subnets that reach the image's registry only through an internet gateway.
    - `ephemeral_storage_gib`: 21 to 200, in place of 20.
    - `architecture`: of the image.
    """

    public_ip: bool = False
    ephemeral_storage_gib: int | None = None
    platform_version: str = "LATEST"
    architecture: Literal["X86_64", "ARM64"] = "X86_64"


def _options(values: Mapping[str, str]) -> dict[str, str]:
    return texts_by_name("options", values, "LogDriver's ")


@attrs.frozen
class LogDriver:
    """Where the container's output goes: `name` with the driver's own `options`; `secrets` are options kept in an ARN.

    Only what goes to CloudWatch (`awslogs`, which is the default) can be read by `Job.logs`.
    """

    name: str = "awslogs"
    options: Mapping[str, str] = attrs.field(factory=dict, converter=_options)
    secrets: Mapping[str, str] = attrs.field(factory=dict, converter=_options)


@attrs.frozen(kw_only=True)
class RetryRule:
    """What Batch does after an attempt that failed: all patterns given must match; a pattern may end in `*`.

    `exit_code` is matched with the container's, `reason` with what the container agent says ("OutOfMemoryError: …"),
    `status_reason` with what Batch says ("Host EC2 (instance i-…) terminated."). The first rule that matches decides.
    """

    action: Literal["RETRY", "EXIT"]
    exit_code: str | None = None
    reason: str | None = None
    status_reason: str | None = None


ONLY_IF_HOST_LOST = (
    RetryRule(action="RETRY", status_reason="Host EC2*"),
    RetryRule(action="EXIT", reason="*"),
)
"""Retry what a spot instance took with it, and nothing else."""
