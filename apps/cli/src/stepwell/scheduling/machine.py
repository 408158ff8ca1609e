"""What this machine has for tasks: cores and memory, as far as this process may use them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

import attrs

MIB = 1 << 20


@attrs.frozen
class Machine:
    """Cores (a limit may be a fraction of one) and memory in MiB."""

    cores: float
    memory_mib: float

    def __str__(self) -> str:
        return f"{self.cores:g} cores and {self.memory_mib:,.0f} MiB"


def this_machine(root: Path = Path("/")) -> Machine:
    """What there is, less what affinity and the limits of control groups (either version) take away.

    `root` is where `proc` and `sys` are looked for; where neither says anything, all of the hardware counts.
    """
    cores = [float(_usable_cores()), *_core_limits(root)]
    memory = [_physical_bytes(), *_memory_limits(root)]
    return Machine(min(cores), math.floor(min(memory) / MIB))


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _physical_bytes() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (ValueError, OSError, AttributeError):
        return math.inf


def _core_limits(root: Path) -> Iterator[float]:
    for group in _groups(root, "cpu"):
        match [*_words(group / "cpu.max"), *_words(group / "cpu.cfs_quota_us"), *_words(group / "cpu.cfs_period_us")]:
            case [quota, period] if quota.isdecimal() and int(quota) > 0:
                yield int(quota) / int(period)


def _memory_limits(root: Path) -> Iterator[float]:
    for group in _groups(root, "memory"):
        for word in [*_words(group / "memory.max"), *_words(group / "memory.limit_in_bytes")]:
            if word.isdecimal():
                yield float(word)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The control groups that this process is in and all around them, as directories that may be there."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / (controllers and controller)
        here = mount / path.lstrip("/")
        yield from (one for one in (here, *here.parents) if one.is_relative_to(mount))


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []


def _words(file: Path) -> list[str]:
    return [word for line in _lines(file)[:1] for word in line.split()]
