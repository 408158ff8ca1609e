"""What a job is, as a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from compute_batch import checking
from compute_batch.arguments import several, texts_by_name
from compute_batch.parts import EfsVolume, Fargate, HostVolume, LogDriver, RetryRule, Swap, Tmpfs

OWNER = "JobSpec's "


def _words(command: Iterable[str]) -> tuple[str, ...]:
    return _split("command", command)


def _default_words(command: Iterable[str]) -> tuple[str, ...]:
    return _split("default_command", command)


def _split(field: str, command: Iterable[str]) -> tuple[str, ...]:
    if isinstance(command, str):
        raise checking.invalid(
            field, f"is a sequence of words, not one string: {command!r}; split it, or ['sh', '-c', …]"
        )
    return several(str, field, command, "words that are text", OWNER)


def _rules(values: Iterable[RetryRule]) -> tuple[RetryRule, ...]:
    return several(RetryRule, "retry_rules", values, "RetryRule(action=...)", OWNER)


def _file_systems(values: Iterable[Tmpfs]) -> tuple[Tmpfs, ...]:
    return several(Tmpfs, "tmpfs", values, "Tmpfs(size_mib)", OWNER)


def _volumes(values: Iterable[HostVolume | EfsVolume]) -> tuple[HostVolume | EfsVolume, ...]:
    return several((HostVolume, EfsVolume), "volumes", values, "HostVolume(...) or EfsVolume(...)", OWNER)


def _environment(values: Mapping[str, str]) -> dict[str, str]:
    return texts_by_name("environment", values, OWNER)


def _secrets(values: Mapping[str, str]) -> dict[str, str]:
    return texts_by_name("secrets", values, OWNER)


def _tags(values: Mapping[str, str]) -> dict[str, str]:
    return texts_by_name("tags", values, OWNER)


@attrs.frozen(kw_only=True)
class JobSpec:
    """A command in a container, with what it needs. Immutable; whatever one exists is within Batch's limits.

    - `name`: letters, digits, `-`, `_`; it need not be unique.
    - `command`: its words, in place of the image's own; no shell is involved. `default_command`: that of the job definition, for
      whoever submits jobs of it without one. `environment`: variables, in plain sight of whoever may describe jobs;
      `secrets`: variables by the ARN of what Batch shall fetch into them.
    - `vcpus`: whole ones, but on Fargate from 0.25; `gpus`: whole ones; `neuron_devices`: Inferentia or Trainium chips;
      `efa_interfaces`: Elastic Fabric Adapters.
    - `shared_memory_mib`: size of /dev/shm.
    - `job_role`: ARN of what the command may do; `execution_role`: ARN of what starts it (image, secrets, logs).
    - `timeout_seconds`: of one attempt, 60 at least; Batch kills it then, and does not retry it.
    - `attempts`: 1 to 10, the first included, immediately one after the other; `retry_rules`: after which failures.
    - `tags`: of the job, and of the container task below it, as cost reports want them.
    - `share_identifier`, `priority` (0 to 9,999): for queues with a fair-share policy.

    Raises InvalidSpec.
    """

    name: str
    image: str
    command: Sequence[str] = attrs.field(default=(), converter=_words)
    default_command: Sequence[str] = attrs.field(default=(), converter=_default_words)
    environment: Mapping[str, str] = attrs.field(factory=dict, converter=_environment)
    secrets: Mapping[str, str] = attrs.field(factory=dict, converter=_secrets)
    vcpus: float = 1
    memory_mib: int = 2048
    gpus: int = 0
    neuron_devices: int = 0
    efa_interfaces: int = 0
    shared_memory_mib: int | None = None
    swap: Swap | None = None
    tmpfs: Sequence[Tmpfs] = attrs.field(default=(), converter=_file_systems)
    volumes: Sequence[HostVolume | EfsVolume] = attrs.field(default=(), converter=_volumes)
    fargate: Fargate | None = None
    job_role: str | None = None
    execution_role: str | None = None
    user: str | None = None
    privileged: bool = False
    log_driver: LogDriver | None = None
    timeout_seconds: int | None = None
    attempts: int = 1
    retry_rules: Sequence[RetryRule] = attrs.field(default=(), converter=_rules)
    tags: Mapping[str, str] = attrs.field(factory=dict, converter=_tags)
    share_identifier: str | None = None
    priority: int | None = None

    def __attrs_post_init__(self) -> None:
        checking.check(self)
