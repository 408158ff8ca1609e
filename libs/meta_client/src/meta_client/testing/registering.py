"""How artifacts, metadata and whole batches are registered."""
# ruff: noqa: D102  # the names of tests say what they hold

from __future__ import annotations

from typing import Any

import attrs
import pytest

from meta_client.errors import InvalidRequest, NotFound
from meta_client.protocol import MetadataStore
from meta_client.records import Run, Step, Task
from meta_client.testing.base import Part, artifact, metadatum, path
from meta_client.testing.creating import ODD_NAMES

ODD_VALUES = [
    "",
    " ",
    "x" * 100_000,
    "line\nline\ttab\r",
    "naïve 火 😀",
    '{"json": ["in", "text"]}',
    "\\u0041",
    "'); --",
]


class Registering(Part):
    """Registration."""

    def test_an_artifact_comes_back_as_it_went_in(self, store: MetadataStore, task: Task) -> None:
        given = artifact("x", user_name="ann")
        store.register_artifacts(task, [given])
        found = store.get_artifact(task, "x")
        expected = attrs.evolve(
            given, **_place(task), ts_epoch=found.ts_epoch, tags=task.tags, system_tags=task.system_tags
        )
        assert found == expected
        assert found.ts_epoch > 0

    def test_artifacts_are_listed_by_name(self, store: MetadataStore, task: Task) -> None:
        store.register_artifacts(task, [artifact("b"), artifact("a"), artifact("C")])
        assert [each.name for each in store.list_artifacts(task)] == ["C", "a", "b"]

    def test_the_first_artifact_of_a_name_and_attempt_stays(self, store: MetadataStore, task: Task) -> None:
        store.register_artifacts(task, [artifact("x", sha="first")])
        store.register_artifacts(task, [artifact("x", sha="second"), artifact("y")])
        assert store.get_artifact(task, "x").sha == "first"
        assert len(store.list_artifacts(task)) == 2

    def test_the_latest_attempt_that_registered_any_counts(self, store: MetadataStore, task: Task) -> None:
        store.register_artifacts(task, [artifact("x", 0, sha="old"), artifact("only-in-first", 0)])
        store.register_artifacts(task, [artifact("x", 2, sha="new")])
        assert [each.sha for each in store.list_artifacts(task)] == ["new"]
        assert store.get_artifact(task, "x").sha == "new"
        with pytest.raises(NotFound):
            store.get_artifact(task, "only-in-first")

    def test_an_attempt_can_be_asked_for(self, store: MetadataStore, task: Task) -> None:
        store.register_artifacts(task, [artifact("x", 0, sha="old"), artifact("y", 0), artifact("x", 1, sha="new")])
        assert [each.name for each in store.list_artifacts(task, attempt=0)] == ["x", "y"]
        assert store.get_artifact(task, "x", attempt=0).sha == "old"
        assert store.list_artifacts(task, attempt=7) == []
        with pytest.raises(NotFound, match="attempt 7"):
            store.get_artifact(task, "x", attempt=7)

    @pytest.mark.parametrize("name", ODD_NAMES)
    def test_artifacts_may_have_odd_names(self, store: MetadataStore, task: Task, name: str) -> None:
        store.register_artifacts(task, [artifact(name)])
        assert store.get_artifact(task, name).name == name

    def test_metadata_come_back_newest_first(self, store: MetadataStore, task: Task) -> None:
        given = [metadatum(f"field{number}", str(number), user_name="ann") for number in range(5)]
        for each in given:
            store.register_metadata(task, [each])
        found = store.list_metadata(task)
        assert [each.value for each in found] == ["4", "3", "2", "1", "0"]
        expected = attrs.evolve(given[4], **_place(task), id=found[0].id, ts_epoch=found[0].ts_epoch)
        assert found[0] == expected
        assert len({each.id for each in found}) == 5

    def test_metadata_of_one_call_keep_their_order(self, store: MetadataStore, task: Task) -> None:
        store.register_metadata(task, [metadatum("f", str(number)) for number in range(50)])
        assert [each.value for each in store.list_metadata(task)] == [str(number) for number in reversed(range(50))]

    def test_equal_metadata_are_kept_each(self, store: MetadataStore, task: Task) -> None:
        store.register_metadata(task, [metadatum("f", "v"), metadatum("f", "v")])
        store.register_metadata(task, [metadatum("f", "v")])
        assert len(store.list_metadata(task)) == 3

    @pytest.mark.parametrize("value", ODD_VALUES, ids=lambda value: value[:12])
    def test_values_come_back_as_they_went_in(self, store: MetadataStore, task: Task, value: str) -> None:
        store.register_metadata(task, [metadatum("f", value, tags=(value[:200],))])
        (found,) = store.list_metadata(task)
        assert (found.value, found.tags) == (value, (value[:200],))

    def test_more_than_fits_one_request_is_registered_whole(self, store: MetadataStore, task: Task) -> None:
        store.register_metadata(task, [metadatum(f"f{number}", "v" * 50_000) for number in range(30)])
        assert len(store.list_metadata(task)) == 30

    def test_the_metadata_of_a_run_are_those_of_its_tasks(self, store: MetadataStore, run: Run, task: Task) -> None:
        other = store.create_task(task.flow_id, task.run_id, task.step_name, "t1")
        store.register_metadata(task, [metadatum("a", "1")])
        store.register_metadata(other, [metadatum("b", "2")])
        assert [(each.task_id, each.value) for each in store.list_metadata(run)] == [("t1", "2"), ("t0", "1")]

    @pytest.mark.parametrize("count", [0, 1])
    def test_nothing_is_registered_without_the_task(self, store: MetadataStore, task: Task, count: int) -> None:
        missing = attrs.evolve(task, task_id="nosuchtask")
        with pytest.raises(NotFound, match="nosuchtask"):
            store.register_artifacts(missing, [artifact("x")] * count)
        with pytest.raises(NotFound, match="nosuchtask"):
            store.register_metadata(missing, [metadatum("f", "v")] * count)

    @pytest.mark.parametrize(
        "bad",
        [
            artifact(""),
            artifact("a/b"),
            artifact("x" * 256),
            artifact("x", location="l" * 256),
            artifact("x", sha="nul\0"),
            artifact("x", -1),
            artifact("x", 2**15),
        ],
        ids=repr,
    )
    def test_an_artifact_that_some_store_cannot_keep_is_refused_by_all(
        self, store: MetadataStore, task: Task, bad: Any
    ) -> None:
        with pytest.raises(InvalidRequest):
            store.register_artifacts(task, [artifact("good"), bad])
        assert store.list_artifacts(task) == []

    @pytest.mark.parametrize(
        "bad",
        [metadatum("f" * 256, "v"), metadatum("f", "nul\0"), metadatum("f", "half \ud800")],
        ids=["long", "nul", "half"],
    )
    def test_a_metadatum_that_some_store_cannot_keep_is_refused_by_all(
        self, store: MetadataStore, task: Task, bad: Any
    ) -> None:
        with pytest.raises(InvalidRequest):
            store.register_metadata(task, [metadatum("f", "good"), bad])
        assert store.list_metadata(task) == []

    def test_a_batch_may_mix_everything_in_any_order(self, store: MetadataStore, run: Run) -> None:
        records: list[Any] = []
        for number in range(20):
            place = path(run, task=f"t{number}")
            records += [metadatum("f", "v", **place), artifact("x", **place), Task(**place, user_name="ann")]
        store.register_many([*records, Step(**_step_place(run), user_name="ann")])
        tasks = store.list_tasks(run.flow_id, run.run_id, "train")
        assert {task.task_id for task in tasks} == {f"t{number}" for number in range(20)}
        for task in tasks:
            assert (task.user_name, task.tags) == ("ann", run.tags)
            assert [each.name for each in store.list_artifacts(task)] == ["x"]
            assert [each.value for each in store.list_metadata(task)] == ["v"]

    def test_what_a_batch_names_and_exists_stays(self, store: MetadataStore, run: Run, task: Task) -> None:
        store.register_artifacts(task, [artifact("x", sha="first")])
        again: list[Any] = [Step(**_step_place(run), user_name="bob"), Task(**path(run), user_name="bob")]
        store.register_many([*again, artifact("x", sha="second", **path(run)), metadatum("f", "v", **path(run))])
        assert store.get_task(*path(run).values()).user_name == "ann"
        assert store.get_artifact(task, "x").sha == "first"
        assert len(store.list_metadata(task)) == 1

    def test_a_batch_may_name_a_run_and_a_task_by_number_as_text(self, store: MetadataStore, run: Run) -> None:
        store.create_step(run.flow_id, run.run_id, "train")
        task = store.create_task(run.flow_id, run.run_id, "train")
        place = {**_place(task), "run_id": str(run.run_id), "task_id": str(task.task_id)}
        store.register_many([artifact("x", **place), metadatum("f", "v", **place)])
        assert store.get_artifact(task, "x").task_id == task.task_id

    def test_an_empty_batch_changes_nothing(self, store: MetadataStore) -> None:
        store.register_many([])

    def test_what_a_batch_belongs_to_must_exist_or_be_in_it(self, store: MetadataStore, run: Run) -> None:
        with pytest.raises(NotFound, match="run"):
            store.register_many([Step(flow_id=run.flow_id, run_id="nosuchrun", step_name="train")])
        with pytest.raises(NotFound, match="step"):
            store.register_many([Task(**path(run))])
        with pytest.raises(NotFound, match="task"):
            store.register_many([Step(**_step_place(run)), artifact("x", **path(run))])
        with pytest.raises(NotFound, match="task"):
            store.register_many([metadatum("f", "v", **path(run, task="t9"))])

    def test_a_batch_that_failed_may_be_registered_again(self, store: MetadataStore, run: Run) -> None:
        batch: list[Any] = [Step(**_step_place(run))]
        for number in range(6):
            place = path(run, task=f"t{number}")
            batch += [Task(**place), artifact("x", **place), metadatum("f", "v", **place), metadatum("f", "v", **place)]
        with pytest.raises(NotFound):
            store.register_many([*batch, metadatum("f", "v", **path(run, task="late"))])
        store.register_many([*batch, metadatum("f", "v", **path(run, task="late")), Task(**path(run, task="late"))])
        counts = {
            str(t.task_id): len(store.list_metadata(t)) for t in store.list_tasks(run.flow_id, run.run_id, "train")
        }
        assert counts == {**{f"t{number}": 2 for number in range(6)}, "late": 1}

    @pytest.mark.parametrize("bad", ["no record", None, {"flow_id": "F"}], ids=repr)
    def test_a_batch_holds_records_only(self, store: MetadataStore, run: Run, bad: Any) -> None:
        with pytest.raises(InvalidRequest):
            store.register_many([Step(**_step_place(run)), bad])
        assert store.list_steps(run.flow_id, run.run_id) == []

    def test_a_bad_record_keeps_the_whole_batch_out(self, store: MetadataStore, run: Run) -> None:
        for bad in (
            Task(**path(run, task="12")),
            artifact("a/b", **path(run)),
            metadatum("f", "v", flow_id=run.flow_id),
        ):
            with pytest.raises(InvalidRequest):
                store.register_many([Step(**_step_place(run)), Task(**path(run)), bad])
        assert store.list_steps(run.flow_id, run.run_id) == []


def _place(task: Task) -> dict[str, Any]:
    return {"flow_id": task.flow_id, "run_id": task.run_id, "step_name": task.step_name, "task_id": task.task_id}


def _step_place(run: Run) -> dict[str, Any]:
    return {"flow_id": run.flow_id, "run_id": run.run_id, "step_name": "train"}
