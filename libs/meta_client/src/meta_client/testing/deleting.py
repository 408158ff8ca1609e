"""How runs are deleted."""
# ruff: noqa: D102  # the names of tests say what they hold

from __future__ import annotations

import pytest

from meta_client.errors import Conflict, NotFound
from meta_client.protocol import MetadataStore
from meta_client.records import Run, Task
from meta_client.testing.base import Part, artifact, metadatum


class Deleting(Part):
    """Deletion."""

    def test_a_deleted_run_is_gone_with_all_that_is_below_it(self, store: MetadataStore, run: Run, task: Task) -> None:
        store.register_artifacts(task, [artifact("x")])
        store.register_metadata(task, [metadatum("f", "v")])
        store.delete_run(run.flow_id, run.run_id)
        for gone in (
            lambda: store.get_run(run.flow_id, run.run_id),
            lambda: store.get_step(run.flow_id, run.run_id, task.step_name),
            lambda: store.get_task(run.flow_id, run.run_id, task.step_name, task.task_id),
            lambda: store.get_artifact(task, "x"),
            lambda: store.create_step(run.flow_id, run.run_id, "late"),
            lambda: store.register_metadata(task, [metadatum("f", "v")]),
        ):
            with pytest.raises(NotFound):
                gone()
        assert list(store.list_runs(run.flow_id)) == []
        assert store.list_metadata(run) == []

    def test_other_runs_stay(self, store: MetadataStore, run: Run, task: Task) -> None:
        other = store.create_run(run.flow_id)
        store.delete_run(run.flow_id, str(other.run_id))
        assert [each.run_id for each in store.list_runs(run.flow_id)] == [run.run_id]
        assert store.get_task(run.flow_id, run.run_id, task.step_name, task.task_id) == task

    def test_the_number_of_a_deleted_run_is_not_given_again(self, store: MetadataStore, run: Run) -> None:
        store.delete_run(run.flow_id, run.run_id)
        assert store.create_run(run.flow_id).run_id != run.run_id

    def test_the_id_of_a_deleted_run_stays_taken(self, store: MetadataStore, flow: str) -> None:
        store.create_run(flow, run_id="named")
        store.delete_run(flow, "named")
        with pytest.raises(Conflict) as caught:
            store.create_run(flow, run_id="named")
        assert caught.value.existing is None

    def test_there_must_be_a_run_to_delete(self, store: MetadataStore, run: Run) -> None:
        with pytest.raises(NotFound, match="nosuchrun"):
            store.delete_run(run.flow_id, "nosuchrun")
        store.delete_run(run.flow_id, run.run_id)
        with pytest.raises(NotFound):
            store.delete_run(run.flow_id, run.run_id)
