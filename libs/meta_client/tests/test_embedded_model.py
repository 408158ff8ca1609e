"""The embedded store against a model of it: whatever is done in whatever order, it knows what the model knows."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from meta_client import Artifact, Conflict, EmbeddedStore, Metadatum, NotFound, Step, Task

runs = st.integers(0, 3)
names = st.sampled_from(["a", "b", "c"])
tags = st.lists(st.sampled_from(["x", "y", 'q"x', "x,y"]), max_size=3)


class Histories(RuleBasedStateMachine):
    """A few runs, steps and tasks, so that the same ones are met again and again."""

    @initialize()
    def open(self):
        self.directory = Path(tempfile.mkdtemp())
        self.now = 1_700_000_000.0
        self.store = EmbeddedStore(self.directory / "metadata.db", clock=lambda: self.now)
        self.tags = {}
        self.steps = set()
        self.tasks = set()
        self.artifacts = {}
        self.metadata = []

    def teardown(self):
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.directory)

    @rule(seconds=st.sampled_from([0.0, 0.001, 5.0]))
    def wait(self, seconds):
        self.now += seconds

    @rule(tags=tags)
    def create_run(self, tags):
        run = self.store.create_run("F", tags=tags)
        assert run.run_id == len(self.tags) + 1
        self.tags[run.run_id] = set(tags)

    @rule(run=runs, step=names)
    def create_step(self, run, step):
        self._expect(run in self.tags, (run, step) in self.steps, lambda: self.store.create_step("F", run, step))
        if run in self.tags:
            self.steps.add((run, step))

    @rule(run=runs, step=names, task=names)
    def create_task(self, run, step, task):
        known = (run, step) in self.steps
        self._expect(known, (run, step, task) in self.tasks, lambda: self.store.create_task("F", run, step, task))
        if known:
            self.tasks.add((run, step, task))

    @rule(
        run=runs,
        step=names,
        task=names,
        attempt=st.integers(0, 2),
        names=st.lists(names, max_size=3),
        parents=st.booleans(),
    )
    def register(self, run, step, task, attempt, names, parents):
        path = {"flow_id": "F", "run_id": run, "step_name": step, "task_id": task}
        new = (run, step, task)
        records = [Artifact(name=name, attempt_id=attempt, sha=str(len(self.metadata)), **path) for name in names]
        records.append(Metadatum(field_name="f", value=str(len(self.metadata)), **path))
        if parents:
            records += [Task(**path), Step(flow_id="F", run_id=run, step_name=step)]
        if run not in self.tags or (new not in self.tasks and not parents):
            with pytest.raises(NotFound):
                self.store.register_many(records)
            return
        self.store.register_many(records)
        self.steps.add(new[:2])
        self.tasks.add(new)
        for name in names:
            self.artifacts.setdefault((*new, attempt, name), str(len(self.metadata)))
        self.metadata.append((*new, str(len(self.metadata))))

    @rule(run=runs, add=tags, remove=tags)
    def mutate_tags(self, run, add, remove):
        if run in self.tags:
            self.store.mutate_tags(self.store.get_run("F", run), add=add, remove=remove)
            self.tags[run] = self.tags[run] - set(remove) | set(add)

    @rule()
    def open_again(self):
        self.store.close()
        self.store = EmbeddedStore(self.directory / "metadata.db", create=False, clock=lambda: self.now)

    @rule(wanted=tags, limit=st.none() | st.integers(0, 3))
    def find_runs(self, wanted, limit):
        expected = [run for run in sorted(self.tags, reverse=True) if set(wanted) <= self.tags[run]]
        found = [run.run_id for run in self.store.list_runs("F", tags=wanted, limit=limit)]
        assert found == expected[:limit]

    @invariant()
    def knows_every_step_and_task(self):
        for run in self.tags:
            assert {step.step_name for step in self.store.list_steps("F", run)} == {
                s for r, s in self.steps if r == run
            }
        for run, step in self.steps:
            found = {task.task_id for task in self.store.list_tasks("F", run, step)}
            assert found == {task for *place, task in self.tasks if place == [run, step]}

    @invariant()
    def knows_what_was_registered(self):
        for path in self.tasks:
            task = self.store.get_task("F", *path)
            values = [each.value for each in self.store.list_metadata(task)]
            assert values == [value for *place, value in reversed(self.metadata) if tuple(place) == path]
            attempts = {key[3] for key in self.artifacts if key[:3] == path}
            for attempt in (None, 0, 1, 2):
                chosen = max(attempts, default=None) if attempt is None else attempt
                expected = {key[4]: sha for key, sha in self.artifacts.items() if key[:4] == (*path, chosen)}
                assert {each.name: each.sha for each in self.store.list_artifacts(task, attempt=attempt)} == expected

    def _expect(self, parent_exists, exists, create):
        if not parent_exists:
            with pytest.raises(NotFound):
                create()
        elif exists:
            with pytest.raises(Conflict):
                create()
        else:
            create()


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
