"""How flows, runs, steps and tasks come to be, and how they are found by name."""
# ruff: noqa: D102  # the names of tests say what they hold

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from meta_client.errors import Conflict, InvalidRequest, NotFound
from meta_client.protocol import MetadataStore
from meta_client.records import Run, Task
from meta_client.testing.base import Part, at_once

ODD_NAMES = [
    "a b",
    "100%",
    "%2F",
    "naïve-火",
    "q?x=1&y",
    "a#b",
    "a+b",
    "it's; DROP TABLE runs",
    'say "x"',
    "back\\slash",
    "...",
    "½x",
]
IMPOSSIBLE_NUMBERS = [0, 2**40, 2**63, 10**30, "½", "9" * 30, "9" * 200]


class Creating(Part):
    """Creation."""

    def test_is_a_metadata_store(self, store: MetadataStore) -> None:
        assert isinstance(store, MetadataStore)

    def test_a_flow_is_created_once_and_stays_as_it_is(self, store: MetadataStore, flow: str) -> None:
        made = store.create_flow(flow, user="ann", tags=["a"], system_tags=["s"])
        assert (made.flow_id, made.user_name, made.tags, made.system_tags) == (flow, "ann", ("a",), ("s",))
        assert store.create_flow(flow, user="bob", tags=["b"]) == made == store.get_flow(flow)

    def test_a_run_gets_a_number_and_brings_its_flow(self, store: MetadataStore, flow: str) -> None:
        first, second = (store.create_run(flow, user="ann", tags=["a", "b"], system_tags=["s"]) for _ in range(2))
        assert isinstance(first.run_id, int)
        assert isinstance(second.run_id, int)
        assert first.run_id < second.run_id
        assert (first.flow_id, first.user_name, first.tags, first.system_tags) == (flow, "ann", ("a", "b"), ("s",))
        assert store.get_flow(flow).flow_id == flow

    def test_a_run_is_found_by_its_number_as_int_and_as_text(self, store: MetadataStore, run: Run) -> None:
        assert store.get_run(run.flow_id, run.run_id) == store.get_run(run.flow_id, str(run.run_id))
        assert store.get_run(run.flow_id, run.run_id).tags == run.tags

    def test_times_are_the_stores_in_milliseconds(self, store: MetadataStore, task: Task) -> None:
        run, step = store.get_run(task.flow_id, task.run_id), store.get_step(task.flow_id, task.run_id, "train")
        for record in (run, step, task):
            assert abs(record.ts_epoch / 1000 - time.time()) < 600

    def test_the_system_tags_vouch_for_the_user(self, store: MetadataStore, flow: str) -> None:
        vouched = store.create_run(flow, user="ann", system_tags=["user:ann"])
        claimed = store.create_run(flow, user="ann", tags=["user:ann"], system_tags=["user:bob"])
        assert (vouched.user, store.get_run(flow, vouched.run_id).user) == ("ann", "ann")
        assert (claimed.user, store.get_run(flow, claimed.run_id).user) == (None, None)

    def test_a_run_may_be_named_by_its_client(self, store: MetadataStore, flow: str) -> None:
        run = store.create_run(flow, user="ann", run_id="sfn-1")
        assert run.run_id == "sfn-1"
        assert store.get_run(flow, "sfn-1") == run
        assert store.create_step(flow, "sfn-1", "start").run_id == "sfn-1"

    def test_a_name_is_taken_once_per_flow(self, store: MetadataStore, flow: str) -> None:
        run = store.create_run(flow, user="ann", tags=["first"], run_id="mine")
        with pytest.raises(Conflict) as caught:
            store.create_run(flow, user="bob", run_id="mine")
        assert isinstance(caught.value.existing, Run)
        assert (caught.value.existing.run_id, caught.value.existing.tags) == ("mine", ("first",))
        assert store.create_run(f"{flow}2", run_id="mine").run_id == "mine"
        assert [each.run_id for each in store.list_runs(flow)] == [run.run_id]

    def test_a_step_belongs_to_its_run(self, store: MetadataStore, run: Run) -> None:
        step = store.create_step(run.flow_id, run.run_id, "start", user="bob")
        assert (step.flow_id, step.run_id, step.step_name, step.user_name) == (
            run.flow_id,
            str(run.run_id),
            "start",
            "bob",
        )
        assert (step.tags, step.system_tags) == (run.tags, run.system_tags)
        assert store.get_step(run.flow_id, str(run.run_id), "start") == step
        with pytest.raises(Conflict) as caught:
            store.create_step(run.flow_id, run.run_id, "start")
        assert caught.value.existing == step

    def test_a_task_gets_a_number_or_a_name(self, store: MetadataStore, run: Run) -> None:
        place = (run.flow_id, run.run_id, "train")
        store.create_step(*place)
        numbered, named = store.create_task(*place, user="ann"), store.create_task(*place, "t0", user="ann")
        assert isinstance(numbered.task_id, int)
        assert named.task_id == "t0"
        assert (named.tags, named.system_tags, named.user_name) == (run.tags, run.system_tags, "ann")
        assert store.get_task(*place, str(numbered.task_id)).task_id == numbered.task_id
        assert store.get_task(*place, "t0") == named
        with pytest.raises(Conflict) as caught:
            store.create_task(*place, "t0")
        assert caught.value.existing == named

    def test_tasks_of_two_steps_may_have_one_name(self, store: MetadataStore, task: Task) -> None:
        store.create_step(task.flow_id, task.run_id, "other")
        assert store.create_task(task.flow_id, task.run_id, "other", "t0").task_id == "t0"

    def test_parents_come_first(self, store: MetadataStore, run: Run, flow: str) -> None:
        with pytest.raises(NotFound, match="run"):
            store.create_step(flow, 2**31 - 1, "start")
        with pytest.raises(NotFound):
            store.create_task(flow, 2**31 - 1, "start", "t0")
        with pytest.raises(NotFound, match="step"):
            store.create_task(flow, run.run_id, "nosuchstep", "t0")
        with pytest.raises(NotFound):
            store.create_step(f"{flow}None", run.run_id, "start")

    def test_what_is_missing_is_not_found(self, store: MetadataStore, task: Task) -> None:
        flow, run, step, _ = place = (task.flow_id, task.run_id, task.step_name, task.task_id)
        lookups: list[Callable[[], Any]] = [
            lambda: store.get_flow(f"{flow}None"),
            lambda: store.get_run(f"{flow}None", run),
            lambda: store.get_run(flow, "nosuchrun"),
            lambda: store.get_step(flow, run, "nosuchstep"),
            lambda: store.get_task(flow, run, step, "nosuchtask"),
            lambda: store.get_artifact(store.get_task(*place), "nosuchartifact"),
        ]
        for look_up in lookups:
            with pytest.raises(NotFound):
                look_up()

    @pytest.mark.parametrize("number", IMPOSSIBLE_NUMBERS, ids=repr)
    def test_a_number_that_nothing_has_is_not_found(self, store: MetadataStore, task: Task, number: int | str) -> None:
        with pytest.raises(NotFound):
            store.get_run(task.flow_id, number)
        with pytest.raises(NotFound):
            store.get_task(task.flow_id, task.run_id, task.step_name, number)

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_names_come_back_as_they_went_in(self, store: MetadataStore, flow: str, name: str) -> None:
        run = store.create_run(flow + name, user=name, tags=[name], run_id=name)
        assert store.get_run(flow + name, name) == run
        step = store.create_step(flow + name, name, name)
        task = store.create_task(flow + name, name, name, name)
        assert store.get_step(flow + name, name, name) == step
        assert store.get_task(flow + name, name, name, name) == task
        assert (run.run_id, run.tags, run.user_name, step.step_name, task.task_id) == (name, (name,), name, name, name)

    @pytest.mark.parametrize("bad", ["", "a/b", ".", "..", "x" * 256, "nul\0", "half \ud800", None, 7, True], ids=repr)
    def test_a_name_that_some_store_cannot_keep_is_refused_by_all(
        self, store: MetadataStore, run: Run, bad: Any
    ) -> None:
        flow = run.flow_id
        refused: list[Callable[[], object]] = [
            lambda: store.create_flow(bad),
            lambda: store.create_run(bad),
            lambda: store.get_flow(bad),
            lambda: store.create_step(flow, run.run_id, bad),
            lambda: store.create_task(flow, run.run_id, bad, "t0"),
        ]
        if bad is not None:
            refused += [
                lambda: store.create_run(flow, run_id=bad),
                lambda: store.create_task(flow, run.run_id, "train", bad),
            ]
        for call in refused:
            with pytest.raises(InvalidRequest):
                call()
        assert [each.run_id for each in store.list_runs(flow)] == [run.run_id]

    @pytest.mark.parametrize("numeric", ["12", "0", "½", "٣"])
    def test_numbers_are_the_stores_to_give(self, store: MetadataStore, task: Task, numeric: str) -> None:
        with pytest.raises(InvalidRequest, match="store's"):
            store.create_run(task.flow_id, run_id=numeric)
        with pytest.raises(InvalidRequest, match="store's"):
            store.create_task(task.flow_id, task.run_id, task.step_name, numeric)

    @pytest.mark.parametrize("tags", ["abc", [1], [None], ["nul\0"], 5], ids=repr)
    def test_tags_are_lists_of_text(self, store: MetadataStore, flow: str, tags: Any) -> None:
        with pytest.raises(InvalidRequest):
            store.create_run(flow, tags=tags)
        with pytest.raises(InvalidRequest):
            store.create_flow(flow, system_tags=tags)
        with pytest.raises(NotFound):
            store.get_flow(flow)

    def test_of_many_creations_of_one_task_at_once_one_wins(self, store: MetadataStore, run: Run) -> None:
        place = (run.flow_id, run.run_id, "train")
        store.create_step(*place)
        outcomes = at_once([lambda: store.create_task(*place, "t0") for _ in range(8)])
        assert sum(isinstance(each, Task) for each in outcomes) == 1
        assert sum(isinstance(each, Conflict) for each in outcomes) == 7
        assert len(store.list_tasks(*place)) == 1

    def test_runs_made_at_once_have_numbers_of_their_own(self, store: MetadataStore, flow: str) -> None:
        made = at_once([lambda: store.create_run(flow) for _ in range(8)])
        assert len({run.run_id for run in made if isinstance(run, Run)}) == 8
