"""Heartbeats, and the life of the store itself."""
# ruff: noqa: D102  # the names of tests say what they hold

from __future__ import annotations

import os
import sys
import time

import attrs
import pytest

from meta_client.errors import NotFound, StoreClosed
from meta_client.protocol import MetadataStore
from meta_client.records import Run, Task
from meta_client.testing.base import Opener, Part

_CHILD_SECONDS = 60


class Living(Part):
    """Heartbeats and lifetimes."""

    def test_a_heartbeat_is_noted_in_seconds(self, store: MetadataStore, run: Run) -> None:
        assert store.heartbeat(run) > 0
        assert abs((store.get_run(run.flow_id, run.run_id).last_heartbeat_ts or 0) - time.time()) < 600

    def test_a_heartbeat_may_come_at_any_time(self, store: MetadataStore, run: Run, task: Task) -> None:
        assert all(store.heartbeat(target) > 0 for target in (run, run, task, task))

    def test_a_task_that_is_alive_keeps_its_run_alive(self, store: MetadataStore, run: Run, task: Task) -> None:
        store.heartbeat(task)
        assert store.get_task(*_place(task)).last_heartbeat_ts is not None
        assert store.get_run(run.flow_id, run.run_id).last_heartbeat_ts is not None

    def test_what_is_missing_is_not_alive(self, store: MetadataStore, run: Run, task: Task) -> None:
        for missing in (attrs.evolve(run, run_id="nosuchrun"), attrs.evolve(task, task_id="nosuchtask")):
            with pytest.raises(NotFound, match="nosuch"):
                store.heartbeat(missing)

    def test_two_stores_on_the_same_data_see_each_other(
        self, store: MetadataStore, open_another: Opener, run: Run
    ) -> None:
        other = open_another()
        other.create_step(run.flow_id, run.run_id, "start")
        assert store.get_step(run.flow_id, run.run_id, "start").step_name == "start"

    def test_a_closed_store_says_so(self, open_another: Opener, flow: str) -> None:
        store = open_another()
        store.create_flow(flow)
        runs = store.list_runs(flow)
        store.close()
        store.close()
        with pytest.raises(StoreClosed):
            store.get_flow(flow)
        with pytest.raises(StoreClosed):
            next(runs)

    @pytest.mark.skipif(not hasattr(os, "fork"), reason=f"{sys.platform} has no fork")
    def test_a_store_works_on_both_sides_of_a_fork(self, store: MetadataStore, run: Run) -> None:
        children = [_fork(store, run, f"child{number}") for number in range(3)]
        for number in range(10):
            store.create_step(run.flow_id, run.run_id, f"parent{number}")
        assert [_exit_code(child) for child in children] == [0, 0, 0]
        names = {step.step_name for step in store.list_steps(run.flow_id, run.run_id)}
        made = {f"child{number}-{step}" for number in range(3) for step in range(10)}
        assert names == made | {f"parent{number}" for number in range(10)}


def _fork(store: MetadataStore, run: Run, name: str) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for number in range(10):
                store.create_step(run.flow_id, run.run_id, f"{name}-{number}")
            code = 0
        finally:
            os._exit(code)
    return child


def _exit_code(child: int) -> int:
    """How the child ended; it is killed where it does not end."""
    give_up_at = time.monotonic() + _CHILD_SECONDS
    while time.monotonic() < give_up_at:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _place(task: Task) -> tuple[str, int | str, str, int | str]:
    return task.flow_id, task.run_id, task.step_name, task.task_id
