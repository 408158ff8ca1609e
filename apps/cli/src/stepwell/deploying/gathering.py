"""Which attempts one array can run: those that differ only by the last index of their foreach paths. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs
from flow_graph import parse_task_id

from stepwell.deploying import indices
from stepwell.deploying.job import ATTEMPT_BASE, INDICES, ITERATION, PATH
from stepwell.execution.spec import TaskSpec

LONGEST_INDICES = 1500
"""Bytes: all variables and the command of a submission share 8 KiB."""


@attrs.frozen
class Fanout:
    """Attempts in item order, which the children of one array run; a single one is a job of its own."""

    specs: tuple[TaskSpec, ...]

    def __len__(self) -> int:
        return len(self.specs)

    @property
    def step(self) -> str:
        """The step that all of them are of."""
        return self.specs[0].step

    @property
    def first_attempt(self) -> int:
        """The number that the cluster's first attempt at each of them has."""
        return self.specs[0].attempt

    @property
    def environment(self) -> dict[str, str]:
        """How the jobs learn which tasks they are; see `job.read_environment`."""
        first = self.specs[0]
        path, more = [frame.index for frame in first.frames], {}
        if len(self) > 1:
            path, more = path[:-1], {INDICES: indices.as_text(_last_index(spec) for spec in self.specs)}
        return {
            PATH: "-".join(map(str, path)),
            ITERATION: str(_iteration(first)),
            ATTEMPT_BASE: str(first.attempt),
            **more,
        }


def gather(specs: Iterable[TaskSpec]) -> Iterator[Fanout]:
    """The fewest fan-outs that run all of them, in the order of their first ones."""
    groups: dict[object, list[TaskSpec]] = {}
    for spec in specs:
        outer = tuple(frame.index for frame in spec.frames[:-1])
        alone = None if spec.frames else spec.task_id
        groups.setdefault((spec.step, outer, alone, _iteration(spec), spec.attempt), []).append(spec)
    for group in groups.values():
        yield from _fitting(sorted(group, key=_last_index))


def _fitting(specs: list[TaskSpec]) -> Iterator[Fanout]:
    """Those whose indices, as text, are too long for one job, in several."""
    if len(specs) > 1 and len(indices.as_text(map(_last_index, specs))) > LONGEST_INDICES:
        for half in (specs[: len(specs) // 2], specs[len(specs) // 2 :]):
            yield from _fitting(half)
    else:
        yield Fanout(tuple(specs))


def _last_index(spec: TaskSpec) -> int:
    return spec.frames[-1].index if spec.frames else 0


def _iteration(spec: TaskSpec) -> int:
    return parse_task_id(spec.task_id, len(spec.frames))[1]
