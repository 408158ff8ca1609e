"""The Client API: what can be asked of what ran."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from conftest import Project
from meta_client import Artifact, Metadatum, open_store

NESTED = """
@step
def start(self):
    self.xs = [1, 2, 3]
    self.model = b"m" * 1000
    self._hidden = 1
    self.next(self.left, self.right)

@step
def left(self):
    self.next(self.each, foreach="xs")

@step
def each(self):
    self.ys = [1, 2]
    self.next(self.inner, foreach="ys")

@step
def inner(self):
    print("inner", self.index)
    self.next(self.inner_join)

@step
def inner_join(self, inputs):
    self.next(self.fork)

@step
def fork(self):
    self.next(self.a, self.b)

@step
def a(self):
    self.next(self.ab)

@step
def b(self):
    self.next(self.ab)

@step
def ab(self, inputs):
    self.next(self.each_join)

@step
def each_join(self, inputs):
    self.next(self.join)

@step
def right(self):
    self.rounds = getattr(self, "rounds", 0) + 1
    self.more = "yes" if self.rounds < 3 else "no"
    self.next({"yes": self.right, "no": self.single}, condition="more")

@step
def single(self):
    self.one = [7]
    self.next(self.only, foreach="one")

@step
def only(self):
    self.next(self.only_join)

@step
def only_join(self, inputs):
    self.next(self.join)

@step
def join(self, inputs):
    self.next(self.end)

@step
def end(self):
    pass
"""


@pytest.fixture(scope="module")
def nested(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("nested"))
    project.flow(NESTED)
    project.run("--tag", "nightly")
    return project


@pytest.mark.parametrize(
    ("task", "parents", "children"),
    [
        ("start/t0", [], ["left/t0", "right/t0"]),
        ("left/t0", ["start/t0"], ["each/t0", "each/t1", "each/t2"]),
        ("each/t1", ["left/t0"], ["inner/t1-0", "inner/t1-1"]),
        ("inner/t0-1", ["each/t0"], ["inner_join/t0"]),
        ("inner_join/t0", ["inner/t0-0", "inner/t0-1"], ["fork/t0"]),
        ("fork/t1", ["inner_join/t1"], ["a/t1", "b/t1"]),
        ("ab/t2", ["a/t2", "b/t2"], ["each_join/t0"]),
        ("each_join/t0", ["ab/t0", "ab/t1", "ab/t2"], ["join/t0"]),
        ("right/t0", ["start/t0"], ["right/t0-r1"]),
        ("right/t0-r2", ["right/t0-r1"], ["single/t0"]),
        ("only/t0", ["single/t0"], ["only_join/t0"]),
        ("only_join/t0", ["only/t0"], ["join/t0"]),
        ("join/t0", ["each_join/t0", "only_join/t0"], ["end/t0"]),
        ("end/t0", ["join/t0"], []),
    ],
)
def test_tasks_know_what_they_came_from_and_what_came_of_them(
    nested: Project, in_nested: None, task: str, parents: list[str], children: list[str]
) -> None:
    from stepwell import Task

    found = Task(f"TestFlow/1/{task}")
    assert sorted(path.split("/", 2)[2] for path in found.parent_task_pathspecs) == parents
    assert [path.split("/", 2)[2] for path in found.child_task_pathspecs] == children
    assert [one.pathspec for one in found.child_tasks] == [f"TestFlow/1/{child}" for child in children]


@pytest.fixture
def in_nested(nested: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(nested.path)
    monkeypatch.setenv("STEPWELL_USER", "tester")
    monkeypatch.setenv("STEPWELL_CONFIG_DIR", str(nested.path / "config"))


def test_steps_know_their_neighbours(in_nested: None) -> None:
    from stepwell import Step

    assert {step.id for step in Step("TestFlow/1/join").parent_steps} == {"each_join", "only_join"}
    assert {step.id for step in Step("TestFlow/1/right").child_steps} == {"right", "single"}
    assert list(Step("TestFlow/1/end").child_steps) == []


@pytest.mark.parametrize(
    ("task", "index"),
    [("start/t0", None), ("each/t0", 0), ("inner/t2-1", 1), ("ab/t2", 2), ("only/t0", 0), ("only_join/t0", None)],
)
def test_the_index_of_a_task_is_that_of_its_item(in_nested: None, task: str, index: int | None) -> None:
    from stepwell import Task

    assert Task(f"TestFlow/1/{task}").index == index


def test_every_level_has_a_parent_tags_and_a_time(in_nested: None) -> None:
    from stepwell import DataArtifact, Metaflow, Run

    artifact = DataArtifact("TestFlow/1/start/t0/model")
    task, step, run, flow = artifact.parent, artifact.parent.parent, Run("TestFlow/1"), Run("TestFlow/1").parent
    assert (task.parent, step.parent, flow.parent) == (step, run, None)
    assert all("nightly" in one.tags and one.is_in_namespace() for one in (artifact, task, step, run))
    assert run.created_at <= task.created_at <= artifact.finished_at <= run.finished_at
    assert step.finished_at == task.finished_at
    assert list(Metaflow()) == [flow]
    assert "TestFlow" in Metaflow()
    assert "Absent" not in Metaflow()
    assert Metaflow()["TestFlow"]["1"]["start"]["t0"]["model"] == artifact
    assert run.path_components == ("TestFlow", "1")


def test_artifacts_are_found_by_name_and_have_a_size(in_nested: None) -> None:
    from stepwell import Task

    task = Task("TestFlow/1/start/t0")
    assert task.artifacts.model.size > 1000
    assert {artifact.id for artifact in task} == {"_hidden", "model", "xs"}
    assert "_hidden" in task.data
    assert "_hidden" not in dir(task.data)
    with pytest.raises(AttributeError, match="absent"):
        _ = task.data.absent
    with pytest.raises(AttributeError, match="absent"):
        _ = task.artifacts.absent


def test_what_a_task_ran_with_is_known(in_nested: None) -> None:
    import stepwell
    from stepwell import Step, Task

    task = Task("TestFlow/1/inner/t0-1")
    assert task.environment_info["stepwell_version"] == stepwell.__version__
    assert task.environment_info == Step("TestFlow/1/inner").environment_info
    assert task.runtime_name == "dev"
    assert {one.name: one.value for one in task.metadata}["attempt_ok"] == "True"
    assert task.stdout == "inner 1\n"
    assert task.stdout_size == 8
    assert [text for _, text in task.loglines("stdout")] == ["inner 1"]


def test_tags_filter_on_every_level(in_nested: None) -> None:
    from stepwell import Run, Step

    assert len(list(Run("TestFlow/1").steps("nightly"))) == 16
    assert list(Run("TestFlow/1").steps("weekly")) == []
    assert len(list(Step("TestFlow/1/each").tasks("nightly"))) == 3
    assert list(Step("TestFlow/1/each").tasks("weekly")) == []


def test_what_is_not_there_is_named_with_where_to_look(in_nested: None) -> None:
    from stepwell import DataArtifact, Flow, Run, Step, Task
    from stepwell.errors import InvalidPathspec, NotFound

    for cls, path in (
        (Flow, "Absent"),
        (Run, "TestFlow/77"),
        (Step, "TestFlow/1/absent"),
        (Step, "TestFlow/77/start"),
        (Run, "Absent/1"),
        (Task, "TestFlow/1/start/t9"),
        (DataArtifact, "TestFlow/1/start/t0/absent"),
    ):
        with pytest.raises(NotFound, match=r"stepwell (ls|show)") as caught:
            cls(path)
        assert path.split("/")[-1] in str(caught.value) or "TestFlow/77" in str(caught.value)
    for cls, path, meant in ((Run, "Testflow/1", "TestFlow"), (Step, "TestFlow/1/strat", "start")):
        with pytest.raises(NotFound, match=f"Did you mean '{meant}'"):
            cls(path)
    for cls, path in ((Run, "TestFlow"), (Task, "TestFlow/1/start"), (Flow, ""), (Step, "a//b")):
        with pytest.raises(InvalidPathspec, match="form"):
            cls(path)


def test_tags_are_changed_at_once_and_within_limits(in_project: Callable[[], Project]) -> None:
    from stepwell import Run
    from stepwell.errors import InvalidTag

    project = in_project()
    project.flow("@step\ndef start(self):\n    self.next(self.end)\n\n@step\ndef end(self):\n    pass\n")
    project.run("--tag", "a")
    run = Run("TestFlow/1")
    run.add_tag("b")
    run.add_tags(["c", "d"])
    run.remove_tag("a")
    run.replace_tag("b", "e")
    run.replace_tags(["c", "d"], ["f", "g"])
    assert run.user_tags == Run("TestFlow/1").user_tags == {"e", "f", "g"}
    run.remove_tags(["f", "absent"])
    run.add_tag("user:tester")  # the system's already
    assert run.user_tags == {"e", "g"}
    for bad in ("", "x" * 501, "\ud800"):
        with pytest.raises(InvalidTag):
            run.add_tag(bad)
    with pytest.raises(InvalidTag, match="at most 50"):
        run.add_tags(map(str, range(49)))
    with pytest.raises(InvalidTag, match="system tags"):
        run.remove_tag("user:tester")
    assert Run("TestFlow/1").user_tags == {"e", "g"}
    run.add_tags(map(str, range(48)))
    assert len(Run("TestFlow/1")["start"].task.user_tags) == 50


def test_attempts_can_be_looked_at_one_by_one(in_project: Callable[[], Project]) -> None:
    from stepwell import Run, Task

    project = in_project()
    project.flow(
        """
        @retry(times=2, minutes_between_retries=0)
        @step
        def start(self):
            print("attempt", current.retry_count)
            if current.retry_count < 2:
                raise RuntimeError("not yet")
            self.x = 1
            self.next(self.end)

        @step
        def end(self):
            pass
        """
    )
    project.run()
    path = "TestFlow/1/start/t0"
    assert [Task(path, attempt=n).stdout for n in range(3)] == ["attempt 0\n", "attempt 1\n", "attempt 2\n"]
    assert [Task(path, attempt=n).successful for n in range(3)] == [False, False, True]
    assert Task(path, attempt=1).exception.type == "RuntimeError"
    assert "not yet" in Task(path, attempt=1).exception.exception
    assert "x" not in Task(path, attempt=1)
    assert (Task(path).current_attempt, Task(path).data.x, Task(path).exception) == (2, 1, None)
    assert Run("TestFlow/1").origin_run_id is None


def test_others_runs_are_outside_the_namespace_on_every_level(in_project: Callable[[], Project]) -> None:
    from stepwell import DataArtifact, Flow, Metaflow, Run, Step, Task, default_namespace, namespace
    from stepwell.errors import NamespaceMismatch

    project = in_project()
    project.flow(
        "@step\ndef start(self):\n    self.x = 1\n    self.next(self.end)\n\n@step\ndef end(self):\n    pass\n"
    )
    project.run(STEPWELL_USER="somebody")
    paths = ((Run, "TestFlow/1"), (Step, "TestFlow/1/start"), (Task, "TestFlow/1/start/t0"))
    for cls, path in (*paths, (DataArtifact, "TestFlow/1/start/t0/x")):
        with pytest.raises(NamespaceMismatch, match="user:tester"):
            cls(path)
    assert not Flow("TestFlow").is_in_namespace()
    assert list(Metaflow()) == []
    namespace("user:somebody")
    assert DataArtifact("TestFlow/1/start/t0/x").data == 1
    assert default_namespace() == "user:tester"


def test_runs_of_another_tool_are_listed_and_their_data_is_refused(in_project: Callable[[], Project]) -> None:
    from stepwell import Flow, Run, Task
    from stepwell.errors import ForeignRun

    project = in_project()
    (project.path / ".stepwell").mkdir()
    with open_store(f"sqlite:///{project.path / '.stepwell' / 'metadata.db'}") as store:
        run = store.create_run("Theirs", user="tester", system_tags=["user:tester", "metaflow_version:2.19"])
        for step in ("start", "end"):
            store.create_step("Theirs", run.run_id, step)
            task = store.create_task("Theirs", run.run_id, step, task_id=f"{step}-1")
            store.register_artifacts(task, [Artifact(name="x", sha="ab12", ds_type="s3", location="s3://theirs/x")])
            store.register_metadata(task, [Metadatum(field_name="attempt_ok", value="True")])
    theirs = Run("Theirs/1")
    assert (theirs.successful, theirs.finished, theirs.end_task.id) == (True, True, "end-1")
    assert theirs.finished_at >= theirs.created_at
    assert [artifact.sha for artifact in Task("Theirs/1/start/start-1")] == ["ab12"]
    assert list(Task("Theirs/1/start/start-1").child_tasks) == []
    for ask in (
        lambda: theirs.data,
        lambda: Task("Theirs/1/start/start-1")["x"].data,
        lambda: Task("Theirs/1/start/start-1").stdout,
    ):
        with pytest.raises(ForeignRun, match="another tool") as caught:
            ask()
        assert "\n" not in str(caught.value)
    assert Flow("Theirs").latest_successful_run == theirs
    task = Task("Theirs/1/start/start-1")
    for shown in (Flow("Theirs"), theirs, theirs["start"], task, task["x"]):
        assert shown.pathspec in shown._repr_html_()
    assert "Another tool made it" in task["x"]._repr_html_()
    assert "completed" in project.stepwell("ls", "Theirs").stdout
