"""How many tasks run at once on this machine: up to a number, and as many as what they ask for leaves room for."""

from __future__ import annotations

import attrs

from stepwell.api.decorators.kinds import Resources
from stepwell.scheduling.machine import Machine

FEWEST_WORKERS = 16
_USUAL_MEMORY = attrs.fields(Resources).memory.default


@attrs.frozen
class Ask:
    """What a task takes while it runs: cores and memory in MiB, nothing unless asked for; or, `alone`, the machine."""

    cores: float = 0.0
    memory_mib: float = 0.0
    alone: bool = False


def asked(resources: Resources | None, machine: Machine) -> Ask:
    """What a step's tasks take. Memory counts where it was given: what a cluster has by default was not asked of us."""
    if resources is None:
        return Ask()
    memory = float(resources.memory) if resources.memory != _USUAL_MEMORY else 0.0
    return Ask(float(resources.cpu), memory, alone=resources.cpu > machine.cores or memory > machine.memory_mib)


class Room:
    """What is free on this machine, as tasks come and go."""

    def __init__(self, machine: Machine, most_tasks: int | None) -> None:
        """`most_tasks` is how many may run at once; None: as many as there are cores, and some where they are few."""
        self._machine = machine
        self._most = most_tasks or max(FEWEST_WORKERS, int(machine.cores))
        self._inside: list[Ask] = []

    def is_there_for(self, ask: Ask) -> bool:
        """Whether a task may start now."""
        if len(self._inside) >= self._most or any(one.alone for one in self._inside):
            return False
        if ask.alone:
            return not self._inside
        cores = sum(one.cores for one in self._inside) + ask.cores
        memory = sum(one.memory_mib for one in self._inside) + ask.memory_mib
        return cores <= self._machine.cores and memory <= self._machine.memory_mib

    def enter(self, ask: Ask) -> None:
        """A task starts."""
        self._inside.append(ask)

    def leave(self, ask: Ask) -> None:
        """A task is over."""
        self._inside.remove(ask)
