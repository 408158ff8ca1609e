"""What a job is, as a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from compute_batch import checking
from compute_batch.parts import EfsVolume, Fargate, HostVolume, LogDriver, RetryRule, Swap, Tmpfs


def _words(command: Iterable[str]) -> tuple[str, ...]:
    if isinstance(command, str):
        raise checking.invalid(
            "command", f"is a sequence of words, not one string: {command!r}; split it, or ['sh', '-c', …]"
        )
    return tuple(command)


def _copied(values: Mapping[str, str]) -> dict[str, str]:
    return dict(values)


@attrs.frozen(kw_only=True)
class JobSpec:
    """A command in a container, with what it needs. Immutable; whatever one exists is within Batch's limits.

    - `name`: letters, digits, `-`, `_`; it need not be unique.
    - `command`: its words, in place of the image's own; no shell is involved. `environment`: variables, in plain sight of
      whoever may describe jobs; `secrets`: variables by the ARN of what Batch shall fetch into them.
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
    environment: Mapping[str, str] = attrs.field(factory=dict, converter=_copied)
    secrets: Mapping[str, str] = attrs.field(factory=dict, converter=_copied)
    vcpus: float = 1
    memory_mib: int = 2048
    gpus: int = 0
    neuron_devices: int = 0
    efa_interfaces: int = 0
    shared_memory_mib: int | None = None
    swap: Swap | None = None
    tmpfs: Sequence[Tmpfs] = attrs.field(default=(), converter=tuple)
    volumes: Sequence[HostVolume | EfsVolume] = attrs.field(default=(), converter=tuple)
    fargate: Fargate | None = None
    job_role: str | None = None
    execution_role: str | None = None
    user: str | None = None
    privileged: bool = False
    log_driver: LogDriver | None = None
    timeout_seconds: int | None = None
    attempts: int = 1
    retry_rules: Sequence[RetryRule] = attrs.field(default=(), converter=tuple)
    tags: Mapping[str, str] = attrs.field(factory=dict, converter=_copied)
    share_identifier: str | None = None
    priority: int | None = None

    def __attrs_post_init__(self) -> None:
        checking.check(self)
