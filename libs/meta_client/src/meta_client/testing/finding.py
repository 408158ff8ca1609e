"""How what is there is listed."""
# ruff: noqa: D102  # the names of tests say what they hold

from __future__ import annotations

from typing import Any

import attrs
import pytest

from meta_client.errors import InvalidRequest
from meta_client.protocol import MetadataStore
from meta_client.records import Run, Step, Task
from meta_client.testing.base import Part, metadatum, path


class Finding(Part):
    """Listings."""

    def test_a_listing_of_what_is_missing_is_empty(self, store: MetadataStore, task: Task) -> None:
        nowhere = f"{task.flow_id}None"
        assert list(store.list_runs(nowhere)) == []
        assert store.list_steps(nowhere, 1) == []
        assert store.list_steps(task.flow_id, "nosuchrun") == []
        assert store.list_tasks(task.flow_id, task.run_id, "nosuchstep") == []
        missing = attrs.evolve(task, task_id="nosuchtask")
        assert (
            store.list_artifacts(missing)
            == store.list_artifacts(missing, attempt=0)
            == store.list_artifacts(task)
            == []
        )
        assert store.list_metadata(missing) == store.list_metadata(task) == []
        assert store.list_metadata(Run(flow_id=task.flow_id, run_id="nosuchrun")) == []

    def test_flows_come_newest_first(self, store: MetadataStore, flow: str) -> None:
        names = [f"{flow}{number}" for number in range(3)]
        for name in names:
            store.create_flow(name)
        listed = store.list_flows()
        assert {flow.flow_id for flow in listed} >= set(names)
        assert [flow.ts_epoch for flow in listed] == sorted((flow.ts_epoch for flow in listed), reverse=True)

    def test_runs_come_newest_first_however_many(self, store: MetadataStore, flow: str) -> None:
        made = [store.create_run(flow).run_id for _ in range(120)]
        assert [run.run_id for run in store.list_runs(flow)] == made[::-1]

    @pytest.mark.parametrize("limit", [0, 1, 2, 5, 60])
    def test_a_limit_takes_the_newest(self, store: MetadataStore, flow: str, limit: int) -> None:
        made = [store.create_run(flow).run_id for _ in range(5)]
        assert [run.run_id for run in store.list_runs(flow, limit=limit)] == made[::-1][:limit]

    def test_runs_are_found_by_tags_of_users_and_of_the_system(self, store: MetadataStore, flow: str) -> None:
        both = store.create_run(flow, tags=["a", "b"], system_tags=["s"])
        store.create_run(flow, tags=["a"])
        store.create_run(flow, tags=["ab"], system_tags=["b"])
        assert _ids(store, flow, tags=["a", "b"]) == _ids(store, flow, tags=["a", "s"]) == [both.run_id]
        assert len(_ids(store, flow, tags=["a"])) == 2
        assert _ids(store, flow, tags=["c"]) == []
        assert len(_ids(store, flow, tags=[])) == 3

    @pytest.mark.parametrize("tag", ["x", "a,b", "null", "", "%", "_", 'q"x', "\\", "naïve火", "a=b&c", "[", "' or 1"])
    def test_a_tag_is_matched_whole_and_as_it_is(self, store: MetadataStore, flow: str, tag: str) -> None:
        tagged = store.create_run(flow, tags=["other", tag])
        store.create_run(flow, tags=["other", f"{tag}x", f"x{tag}", f'q"{tag}', f"{tag},"])
        assert _ids(store, flow, tags=[tag]) == _ids(store, flow, tags=["other", tag]) == [tagged.run_id]

    def test_a_limit_counts_the_runs_found(self, store: MetadataStore, flow: str) -> None:
        made = [store.create_run(flow, tags=["even" if number % 2 == 0 else 'q"even']).run_id for number in range(20)]
        assert _ids(store, flow, tags=["even"], limit=3) == [made[18], made[16], made[14]]

    def test_a_run_without_an_end_runs_while_it_sends_heartbeats(self, store: MetadataStore, run: Run) -> None:
        store.heartbeat(run)
        assert _statuses(store, run) == {"running"}

    def test_the_last_word_of_step_end_tells_the_status(self, store: MetadataStore, run: Run) -> None:
        store.heartbeat(run)
        end = path(run, "end")
        store.register_many([Step(flow_id=run.flow_id, run_id=run.run_id, step_name="end"), Task(**end)])
        for attempt, outcome, status in [(0, "False", "failed"), (1, "True", "completed")]:
            store.register_many([metadatum("attempt", str(attempt), **end)])
            assert _statuses(store, run) == {"running"}
            store.register_many([metadatum("attempt_ok", outcome, **end)])
            assert _statuses(store, run) == {status}

    def test_other_steps_do_not_end_a_run(self, store: MetadataStore, run: Run, task: Task) -> None:
        store.heartbeat(run)
        store.register_metadata(task, [metadatum("attempt_ok", "True")])
        assert _statuses(store, run) == {"running"}

    def test_status_tags_and_limit_go_together(self, store: MetadataStore, flow: str) -> None:
        made = [store.create_run(flow, tags=["odd"] if number % 2 else []) for number in range(6)]
        for run in made:
            store.heartbeat(run)
        found = list(store.list_runs(flow, tags=["odd"], status="running", limit=2))
        assert [(run.run_id, run.status) for run in found] == [(made[5].run_id, "running"), (made[3].run_id, "running")]

    @pytest.mark.parametrize("bad", [{"status": "done"}, {"limit": -1}, {"tags": "abc"}, {"tags": [1]}], ids=repr)
    def test_a_question_without_sense_is_refused_at_once(self, store: MetadataStore, flow: str, bad: Any) -> None:
        with pytest.raises(InvalidRequest):
            store.list_runs(flow, **bad)

    def test_steps_come_oldest_first(self, store: MetadataStore, run: Run) -> None:
        for name in ("start", "b", "a", "end"):
            store.create_step(run.flow_id, run.run_id, name)
        listed = store.list_steps(run.flow_id, run.run_id)
        assert {step.step_name for step in listed} == {"start", "b", "a", "end"}
        assert [step.ts_epoch for step in listed] == sorted(step.ts_epoch for step in listed)

    def test_tasks_of_one_age_come_as_people_count(self, store: MetadataStore, run: Run) -> None:
        records: list[Any] = [Task(**path(run, task=f"t{number}")) for number in reversed(range(30))]
        store.register_many([Step(flow_id=run.flow_id, run_id=run.run_id, step_name="train"), *records])
        listed = store.list_tasks(run.flow_id, run.run_id, "train")
        expected = sorted(listed, key=lambda task: (task.ts_epoch, int(str(task.task_id)[1:])))
        assert listed == expected
        assert len(listed) == 30

    def test_a_step_of_many_tasks_is_listed_whole(self, store: MetadataStore, run: Run) -> None:
        records: list[Any] = [Task(**path(run, task=f"t{number}")) for number in range(600)]
        store.register_many([Step(flow_id=run.flow_id, run_id=run.run_id, step_name="train"), *records])
        listed = store.list_tasks(run.flow_id, run.run_id, "train")
        assert {task.task_id for task in listed} == {f"t{number}" for number in range(600)}
        assert len(listed) == 600


def _ids(store: MetadataStore, flow: str, **wanted: Any) -> list[int | str]:
    return [run.run_id for run in store.list_runs(flow, **wanted)]


def _statuses(store: MetadataStore, run: Run) -> set[str | None]:
    """The statuses under which the run is listed, and that it then has."""
    found: set[str | None] = set()
    for status in ("running", "completed", "failed"):
        for each in store.list_runs(run.flow_id, status=status):
            assert each.status == status
            found.add(each.status)
    return found
