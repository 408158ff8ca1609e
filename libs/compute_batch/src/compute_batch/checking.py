"""Whether Batch would take a job: its own limits, before it is asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from compute_batch import limits, payloads
from compute_batch.arguments import require
from compute_batch.errors import InvalidSpec
from compute_batch.parts import Fargate, HostVolume, LogDriver, RetryRule, Swap

if TYPE_CHECKING:
    from compute_batch.spec import JobSpec

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
IMAGE = re.compile(r"[A-Za-z0-9_:./#@+-]+")
VARIABLE = re.compile(r"[^=\x00]+")
EXIT_CODE = re.compile(r"[0-9]*\*?")
TAG = re.compile(r"[\w\s+\-=._:/@]*")
OWN_VARIABLES_BYTES = 256
"""Of the overrides, kept free for the variables that the client adds."""


def invalid(field: str, problem: str) -> InvalidSpec:
    """The error that says what is wrong with an argument of JobSpec."""
    return InvalidSpec(field, f"JobSpec's {field} {problem}.")


def check(spec: JobSpec) -> None:
    """Raise InvalidSpec for the first thing that Batch would refuse."""
    for part in _CHECKS:
        part(spec)


_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(("name", "image"), ((str,), "text")),
    **dict.fromkeys(("job_role", "execution_role", "user", "share_identifier"), ((str, type(None)), "text, or None")),
    "privileged": ((bool,), "True or False"),
    "swap": ((Swap, type(None)), "Swap(size_mib), or None"),
    "fargate": ((Fargate, type(None)), "Fargate(), or None"),
    "log_driver": ((LogDriver, type(None)), 'LogDriver("awslogs"), or None'),
    "vcpus": ((int, float), "a number"),
    "attempts": ((int,), "a whole number"),
}


def _types(spec: JobSpec) -> None:
    for field, (kinds, must) in _TYPES.items():
        require(kinds, field, getattr(spec, field), must, "JobSpec's ")
    for volume in spec.volumes:
        _part_texts("volumes", volume, ("path", "source" if isinstance(volume, HostVolume) else "file_system"))
    for file_system in spec.tmpfs:
        _part_texts("tmpfs", file_system, ("path",))
    for rule in spec.retry_rules:
        for pattern in (rule.exit_code, rule.reason, rule.status_reason):
            require(
                (str, type(None)), "retry_rules", pattern, "made of patterns that are text", "a pattern of JobSpec's "
            )


def _part_texts(field: str, part: object, names: tuple[str, ...]) -> None:
    for name in names:
        require(str, field, getattr(part, name), "text", f"the {name} of one of JobSpec's ")


def _names(spec: JobSpec) -> None:
    _require(
        len(spec.name) <= limits.NAME and NAME.fullmatch(spec.name) is not None, "name",
        f"is {spec.name!r}; Batch takes up to {limits.NAME} letters, digits, '-' and '_', and a letter or digit first",
    )  # fmt: skip
    _require(
        len(spec.image) <= limits.IMAGE and IMAGE.fullmatch(spec.image) is not None, "image",
        f"is {spec.image!r}; an image is [registry/]name[:tag|@digest] of up to {limits.IMAGE} characters",
    )  # fmt: skip
    _share(spec)


def _share(spec: JobSpec) -> None:
    identifier = spec.share_identifier
    _require(
        identifier is None or re.fullmatch(rf"[A-Za-z0-9]{{1,{limits.SHARE_IDENTIFIER}}}", identifier) is not None,
        "share_identifier", f"is {identifier!r}; Batch takes up to {limits.SHARE_IDENTIFIER} letters and digits",
    )  # fmt: skip
    _require(spec.priority is None or identifier is not None, "priority", "needs a share_identifier beside it")
    _within("priority", spec.priority, limits.PRIORITIES, "")


def _variables(spec: JobSpec) -> None:
    for field, variables in (("environment", spec.environment), ("secrets", spec.secrets)):
        for name, value in variables.items():
            _require(isinstance(value, str), field, f"gives {name} the value {value!r}; values are text")
            _require(
                VARIABLE.fullmatch(name) is not None, field, f"has a variable {name!r}; a name has no '=' and no NUL"
            )
            _require(
                not name.startswith("AWS_BATCH"), field, f"sets {name}; names that begin with AWS_BATCH are Batch's own"
            )
    twice = sorted(set(spec.environment) & set(spec.secrets))
    _require(not twice, "secrets", f"and environment both set {', '.join(twice)}; keep one")
    size, most = payloads.size_bytes(payloads.overrides(spec)), limits.OVERRIDES_BYTES - OWN_VARIABLES_BYTES
    _require(
        size <= most, "environment",
        f"and command take {size:,} bytes together; Batch takes {limits.OVERRIDES_BYTES:,} in a submission, and "
        f"{OWN_VARIABLES_BYTES} are kept for the client's own variables. Put long values where the job can read them, as S3",
    )  # fmt: skip


def _resources(spec: JobSpec) -> None:
    _require(_is_whole(spec.memory_mib), "memory_mib", f"is {spec.memory_mib!r}; Batch takes whole MiB")
    _require(
        spec.memory_mib >= limits.LEAST_MEMORY_MIB, "memory_mib",
        f"is {spec.memory_mib} MiB; Batch takes {limits.LEAST_MEMORY_MIB} MiB at least",
    )  # fmt: skip
    _require(_is_whole(spec.gpus) and spec.gpus >= 0, "gpus", f"is {spec.gpus!r}; Batch takes whole ones")
    for field, count in (("neuron_devices", spec.neuron_devices), ("efa_interfaces", spec.efa_interfaces)):
        _require(_is_whole(count), field, f"is {count!r}; Batch takes whole ones")
    _within("neuron_devices", spec.neuron_devices, limits.NEURON_DEVICES, " chips")
    _within("efa_interfaces", spec.efa_interfaces, limits.EFA_INTERFACES, " interfaces")
    for field, size in (
        ("shared_memory_mib", spec.shared_memory_mib),
        *(("tmpfs", one.size_mib) for one in spec.tmpfs),
    ):
        _require(
            size is None or (_is_whole(size) and size >= 1), field, f"is {size!r}; Batch takes whole MiB, 1 at least"
        )
    if spec.swap is not None:
        size = spec.swap.size_mib
        _require(_is_whole(size) and size >= 0, "swap", f"is {size!r}; Batch takes whole MiB, 0 for none")
        _within("swap", spec.swap.swappiness, limits.SWAPPINESS, " of swappiness")


def _platform(spec: JobSpec) -> None:
    if spec.fargate is None:
        _require(
            _is_number(spec.vcpus) and spec.vcpus >= 1 and spec.vcpus == int(spec.vcpus), "vcpus",
            f"is {spec.vcpus!r}; on EC2, Batch takes whole vCPUs, 1 at least",
        )  # fmt: skip
        return
    _fargate_sizes(spec)
    _within("fargate", spec.fargate.ephemeral_storage_gib, limits.EPHEMERAL_STORAGE_GIB, " GiB of ephemeral storage")
    _require(spec.execution_role is not None, "execution_role", "is missing; a Fargate job is not started without one")
    for field, used in {
        "gpus": spec.gpus, "neuron_devices": spec.neuron_devices, "efa_interfaces": spec.efa_interfaces,
        "shared_memory_mib": spec.shared_memory_mib, "swap": spec.swap, "tmpfs": spec.tmpfs, "privileged": spec.privileged,
        "volumes": any(isinstance(volume, HostVolume) for volume in spec.volumes),
    }.items():  # fmt: skip
        _require(not used, field, "is for EC2 only; leave it out, or leave out fargate")
    if spec.log_driver is not None:
        _require(
            spec.log_driver.name in limits.FARGATE_LOG_DRIVERS, "log_driver",
            f"is {spec.log_driver.name!r}; Fargate has {' and '.join(limits.FARGATE_LOG_DRIVERS)}",
        )  # fmt: skip


def _fargate_sizes(spec: JobSpec) -> None:
    memories = limits.FARGATE_MEMORY_MIB.get(spec.vcpus)
    _require(
        memories is not None, "vcpus",
        f"is {spec.vcpus!r}; Fargate has {', '.join(f'{vcpus:g}' for vcpus in limits.FARGATE_MEMORY_MIB)}",
    )  # fmt: skip
    assert memories is not None
    _require(
        spec.memory_mib in memories, "memory_mib",
        f"is {spec.memory_mib} MiB; with {spec.vcpus:g} vCPU, Fargate has {memories[0]} to {memories[-1]} MiB in steps of "
        f"{memories[1] - memories[0]}, see its table of sizes",
    )  # fmt: skip


def _storage(spec: JobSpec) -> None:
    paths = [mount.path for mount in (*spec.volumes, *spec.tmpfs)]
    hosts = [volume.source for volume in spec.volumes if isinstance(volume, HostVolume)]
    for path in (*paths, *hosts):
        _require(path.startswith("/"), "volumes", f"has the path {path!r}; paths are absolute")
    for volume in spec.volumes:
        _require(
            isinstance(volume, HostVolume) or volume.access_point is None or volume.root == "/", "volumes",
            f"has a root beside an access point, which sets it: {volume}; leave it out",
        )  # fmt: skip
    _require(
        len(set(paths)) == len(paths), "volumes", f"and tmpfs put two things at one path: {', '.join(sorted(paths))}"
    )


def _logs(spec: JobSpec) -> None:
    if spec.log_driver is not None:
        _require(
            spec.log_driver.name in limits.LOG_DRIVERS, "log_driver",
            f"is {spec.log_driver.name!r}; Batch has {', '.join(limits.LOG_DRIVERS)}",
        )  # fmt: skip


def _retries(spec: JobSpec) -> None:
    _within("attempts", spec.attempts, limits.ATTEMPTS, " attempts")
    seconds, least = spec.timeout_seconds, limits.SHORTEST_TIMEOUT_SECONDS
    _require(seconds is None or _is_whole(seconds), "timeout_seconds", f"is {seconds!r}; Batch takes whole seconds")
    _require(
        seconds is None or seconds >= least, "timeout_seconds",
        f"is {seconds} s; Batch takes {least} s at least. Enforce a shorter one in the command itself",
    )  # fmt: skip
    _require(
        len(spec.retry_rules) <= limits.RETRY_RULES, "retry_rules",
        f"are {len(spec.retry_rules)}; Batch takes {limits.RETRY_RULES}",
    )  # fmt: skip
    for rule in spec.retry_rules:
        _retry_rule(rule)


def _retry_rule(rule: RetryRule) -> None:
    patterns = (rule.exit_code, rule.reason, rule.status_reason)
    _require(any(patterns), "retry_rules", f"has a rule without a pattern: {rule}; give it one")
    _require(
        rule.action in ("RETRY", "EXIT"), "retry_rules", f"has the action {rule.action!r}; Batch has RETRY and EXIT"
    )
    _require(
        EXIT_CODE.fullmatch(rule.exit_code or "") is not None, "retry_rules",
        f"has the exit code {rule.exit_code!r}; Batch takes digits, and '*' at their end",
    )  # fmt: skip
    for pattern in filter(None, patterns):
        _require(
            "*" not in pattern[:-1], "retry_rules", f"has the pattern {pattern!r}; '*' is possible at the end only"
        )


def _tags(spec: JobSpec) -> None:
    _require(len(spec.tags) <= limits.TAGS, "tags", f"are {len(spec.tags)}; AWS takes {limits.TAGS}")
    for key, value in spec.tags.items():
        for text, what, most in ((key, "key", limits.TAG_KEY), (value, "value", limits.TAG_VALUE)):
            _require(
                isinstance(text, str) and len(text) <= most and TAG.fullmatch(text) is not None, "tags",
                f"has the {what} {text!r}; AWS takes up to {most} letters, digits, spaces and + - = . _ : / @",
            )  # fmt: skip
        _require(
            key != "" and not key.lower().startswith("aws:"), "tags", f"has the key {key!r}; that is AWS's own or empty"
        )


_CHECKS: tuple[Callable[[JobSpec], None], ...] = (
    _types,
    _names,
    _variables,
    _resources,
    _platform,
    _storage,
    _logs,
    _retries,
    _tags,
)


def _require(holds: bool, field: str, problem: str) -> None:
    if not holds:
        raise invalid(field, problem)


def _within(field: str, value: int | None, allowed: range, unit: str) -> None:
    _require(
        value is None or (_is_whole(value) and value in allowed), field,
        f"is {value!r}; Batch takes {allowed[0]:,} to {allowed[-1]:,}{unit}",
    )  # fmt: skip


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and value == value
        and abs(value) != float("inf")
    )
