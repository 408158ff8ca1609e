"""How a run's tags change."""
# ruff: noqa: D102  # the names of tests say what they hold

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from meta_client.errors import InvalidRequest, NotFound
from meta_client.protocol import MetadataStore
from meta_client.records import Run, Task
from meta_client.testing.base import Opener, Part, artifact, at_once


class Tagging(Part):
    """Tags."""

    def test_tags_are_removed_and_added(self, store: MetadataStore, run: Run) -> None:
        changed = store.mutate_tags(run, add=["good", "better"], remove=["nightly", "absent"])
        assert set(changed.tags or ()) == {"good", "better"}
        assert (changed.run_id, changed.system_tags) == (run.run_id, run.system_tags)
        assert set(store.get_run(run.flow_id, run.run_id).tags or ()) == {"good", "better"}

    def test_a_tag_both_removed_and_added_is_there(self, store: MetadataStore, run: Run) -> None:
        assert set(store.mutate_tags(run, add=["nightly", "new"], remove=["nightly", "new"]).tags or ()) == {
            "nightly",
            "new",
        }

    def test_adding_again_and_removing_nothing_change_nothing(self, store: MetadataStore, run: Run) -> None:
        assert store.mutate_tags(run, add=["nightly", "nightly"]).tags == ("nightly",)
        assert store.mutate_tags(run).tags == ("nightly",)

    def test_system_tags_stay(self, store: MetadataStore, run: Run) -> None:
        with pytest.raises(InvalidRequest):
            store.mutate_tags(run, add=["new"], remove=["user:ann"])
        assert store.mutate_tags(run, add=["user:ann"]).tags == ("nightly",)
        found = store.get_run(run.flow_id, run.run_id)
        assert (found.tags, found.system_tags) == (("nightly",), ("user:ann",))

    def test_what_belongs_to_a_run_shows_its_tags_of_now(self, store: MetadataStore, run: Run, task: Task) -> None:
        store.register_artifacts(task, [artifact("x")])
        store.mutate_tags(run, add=["good"], remove=["nightly"])
        place = (task.flow_id, task.run_id, task.step_name)
        shown: list[Any] = [
            store.get_step(*place),
            store.get_task(*place, task.task_id),
            store.get_artifact(task, "x"),
            *store.list_steps(*place[:2]),
            *store.list_tasks(*place),
            *store.list_artifacts(task),
        ]
        assert [record.tags for record in shown] == [("good",)] * 6

    def test_runs_are_found_by_their_tags_of_now(self, store: MetadataStore, run: Run) -> None:
        store.mutate_tags(run, add=["good"], remove=["nightly"])
        assert [each.run_id for each in store.list_runs(run.flow_id, tags=["good"])] == [run.run_id]
        assert list(store.list_runs(run.flow_id, tags=["nightly"])) == []

    def test_a_missing_run_has_no_tags_to_change(self, store: MetadataStore, flow: str) -> None:
        with pytest.raises(NotFound, match="run"):
            store.mutate_tags(Run(flow_id=flow, run_id="nosuchrun"), add=["a"])

    @pytest.mark.parametrize("bad", [{"add": "abc"}, {"add": [1]}, {"remove": [None]}, {"remove": ["nul\0"]}], ids=repr)
    def test_tags_are_text(self, store: MetadataStore, run: Run, bad: Any) -> None:
        with pytest.raises(InvalidRequest):
            store.mutate_tags(run, **bad)

    def test_of_changes_at_once_none_is_lost(self, store: MetadataStore, open_another: Opener, run: Run) -> None:
        store.mutate_tags(run, add=[f"old{number}" for number in range(6)])

        def change(number: int) -> Callable[[], Run]:
            return lambda: stores[number % 2].mutate_tags(run, add=[f"new{number}"], remove=[f"old{number}"])

        stores = [store, open_another()]
        outcomes = at_once([change(number) for number in range(6)])
        assert [each for each in outcomes if isinstance(each, Exception)] == []
        tags = store.get_run(run.flow_id, run.run_id).tags
        assert set(tags or ()) == {"nightly", *(f"new{number}" for number in range(6))}
