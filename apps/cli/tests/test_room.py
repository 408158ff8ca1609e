"""What a step asks for is kept free for it on this machine: cores and memory, as far as this process may use them."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Project
from hypothesis import given
from hypothesis import strategies as st
from stepwell.api.decorators.kinds import Resources
from stepwell.scheduling.machine import Machine, this_machine
from stepwell.scheduling.room import Ask, Room, asked

MACHINE = Machine(4, 8000)
ASKS = st.builds(
    lambda cpu, memory: asked(Resources(cpu=cpu, memory=memory), MACHINE), st.integers(0, 6), st.integers(4, 12000)
)


@given(st.lists(st.tuples(ASKS, st.booleans()), max_size=40))
def test_no_more_is_given_away_than_there_is(events: list[tuple[Ask, bool]]) -> None:
    room, inside = Room(MACHINE, most_tasks=5), []
    for ask, someone_leaves in events:
        if someone_leaves and inside:
            room.leave(inside.pop(0))
        if room.is_there_for(ask):
            room.enter(ask)
            inside.append(ask)
        assert len(inside) <= 5
        if any(one.alone for one in inside):
            assert len(inside) == 1
        else:
            assert sum(one.cores for one in inside) <= 4
            assert sum(one.memory_mib for one in inside) <= 8000
    for one in inside:
        room.leave(one)
    assert room.is_there_for(Ask(4, 8000)), "what was taken is given back"


@given(ASKS)
def test_whatever_is_asked_for_runs_in_the_end(ask: Ask) -> None:
    assert Room(MACHINE, most_tasks=1).is_there_for(ask)


def test_who_asks_for_nothing_takes_only_one_of_the_places() -> None:
    room = Room(Machine(2, 100), most_tasks=3)
    for _ in range(3):
        room.enter(asked(None, MACHINE))
    assert not room.is_there_for(Ask())
    assert asked(Resources(cpu=2), MACHINE) == Ask(2.0), "the memory that a cluster has by default was not asked for"


def groups(root: Path, **files: str) -> Path:
    for name, content in files.items():
        file = root / name.replace("__", "/").replace("_dot_", ".")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return root


def test_limits_of_control_groups_count_of_all_around_the_process(tmp_path: Path) -> None:
    new = groups(
        tmp_path / "new",
        proc__self__cgroup="0::/user/me\n",
        sys__fs__cgroup__user__cpu_dot_max="50000 100000\n",
        sys__fs__cgroup__user__me__cpu_dot_max="max 100000\n",
        sys__fs__cgroup__user__me__memory_dot_max=f"{64 << 20}\n",
    )
    assert this_machine(new) == Machine(0.5, 64)
    old = groups(
        tmp_path / "old",
        proc__self__cgroup="4:memory:/me\n1:cpu,cpuacct:/me\n0::/\n",
        sys__fs__cgroup__memory__me__memory_dot_limit_in_bytes=f"{128 << 20}\n",
        sys__fs__cgroup__cpu__me__cpu_dot_cfs_quota_us="75000\n",
        sys__fs__cgroup__cpu__me__cpu_dot_cfs_period_us="100000\n",
    )
    assert this_machine(old) == Machine(0.75, 128)


def test_without_limits_the_hardware_counts(tmp_path: Path) -> None:
    whole = this_machine(tmp_path)
    unlimited = groups(
        tmp_path / "unlimited", proc__self__cgroup="1:cpu:/\n", sys__fs__cgroup__cpu__cpu_dot_cfs_quota_us="-1\n"
    )
    assert this_machine(unlimited) == whole
    assert whole.cores >= 1
    assert whole.memory_mib > 100


BODY = """
@step
def start(self):
    self.items = [1, 2, 3]
    self.next(self.big, self.small)

@resources(cpu=100_000)
@step
def big(self):
    import time
    self.span = [time.time(), time.sleep(0.3), time.time()]
    self.next(self.join)

@step
def small(self):
    self.next(self.each, foreach="items")

@resources(memory=10**9)
@step
def each(self):
    import time
    self.span = [time.time(), time.sleep(0.1), time.time()]
    self.next(self.inner_join)

@step
def inner_join(self, inputs):
    self.spans = [one.span for one in inputs]
    self.next(self.join)

@step
def join(self, inputs):
    spans = sorted([inputs.big.span, *inputs.inner_join.spans])
    print("overlaps", [a[2] > b[0] for a, b in zip(spans, spans[1:])])
    self.next(self.end)

@step
def end(self):
    pass
"""


@pytest.mark.parametrize("options", [(), ("--fresh",)])
def test_who_asks_for_more_than_there_is_runs_alone_and_is_told_once(
    project: Project, options: tuple[str, ...]
) -> None:
    project.flow(BODY)
    done = project.run(*options)
    assert "overlaps [False, False, False]" in done.stdout
    warnings = [line for line in done.stderr.splitlines() if "runs alone" in line]
    assert len(warnings) == 2
    assert "Step 'big' asks for 100000 cores" in "".join(warnings)
    assert "Step 'each' asks for 1 cores and 1,000,000,000 MiB" in "".join(warnings)
