"""Resume across datastores: records come at once, objects when they are first used, and then they are here."""

from __future__ import annotations

import json
import shutil
import textwrap
from pathlib import Path

import pytest
from conftest import Project

BODY = """
settings = Config("settings", default_value={"factor": 2, "padding": "x" * 300})
alpha = Parameter("alpha", type=JSONType, default=json.dumps(list(range(100))))

@step
def start(self):
    print("start ran")
    self.large = random.Random(1).randbytes(2_500_000)
    self.unused = random.Random(2).randbytes(2_500_000)
    self.items = list(range(3))
    self.next(self.each, foreach="items")

@step
def each(self):
    print("each ran", self.index)
    self.own = bytes([self.index]) * 5_000
    self.next(self.join)

@step
def join(self, inputs):
    import os
    if not os.path.exists("mended"):
        raise RuntimeError("not mended")
    self.sizes = [len(one.own) for one in inputs]
    self.merge_artifacts(inputs, exclude=["own"])
    print("join ran", len(self.alpha), self.settings.factor)
    self.next(self.end)

@step
def end(self):
    print("end ran", self.sizes, len(self.large), current.origin_run_id)
"""
RESULT = "end ran [5000, 5000, 5000] 2500000"


class Two:
    """A project that has a run which failed, and one to resume it in."""

    def __init__(self, folder: Path, failed: Path) -> None:
        self.there, self.here = Project(folder / "there"), Project(folder / "here")
        shutil.copytree(failed, self.there.path)
        shutil.copytree(failed, self.here.path, ignore=shutil.ignore_patterns(".stepwell"))
        (self.here.path / "mended").touch()

    def resume(self, *options: str) -> str:
        done = self.here.python(
            "flow.py", "resume", "--origin-run-id", "1", "--origin-datastore", str(self.there.path), *options
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def objects(self, project: Project) -> int:
        """How many bytes of objects a project has."""
        return sum(file.stat().st_size for file in (project.path / ".stepwell/objects/v1").rglob("*") if file.is_file())


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose one run failed in its join."""
    project = Project(tmp_path_factory.mktemp("failed"))
    file = project.flow(BODY)
    file.write_text("import json\nimport random\n" + file.read_text())
    assert project.python("flow.py", "run").returncode == 1
    return project.path


@pytest.fixture
def two(tmp_path: Path, failed: Path) -> Two:
    return Two(tmp_path, failed)


def test_a_run_elsewhere_is_resumed_here_and_what_it_needs_comes_here(two: Two) -> None:
    printed = two.resume()
    assert f"{RESULT} 1" in printed
    assert "join ran 100 2" in printed
    assert "start ran" not in printed
    assert "each ran" not in printed
    assert 2_500_000 < two.objects(two.here) < 4_000_000, "what no task used has come as well"
    asked = """
        run = Flow("TestFlow").latest_run
        task = run["each"]["t1"]
        print(run.successful, run.origin_pathspec, task.origin_pathspec, task.stdout.strip(), run.origin_datastore)
        """
    there = two.there.path / ".stepwell"
    assert two.here.client(asked) == f"True TestFlow/1 TestFlow/1/each/t1 each ran 1 {there}"
    checked = two.here.stepwell("fsck")
    assert checked.returncode == 0, checked.stdout
    assert "more objects are in other datastores" in checked.stdout
    collected = two.here.stepwell("gc", "--grace", "0s")
    assert collected.returncode == 0, collected.stderr
    used = 'task = Task("TestFlow/1/start/t0"); print(len(task.data.unused), len(task.data.large))'
    assert two.here.client(used) == "2500000 2500000"
    assert two.there.stepwell("rm", "TestFlow/1").returncode == 0
    assert two.there.stepwell("gc", "--grace", "0s").returncode == 0
    assert two.here.client(used) == "2500000 2500000"
    again = two.here.python("flow.py", "resume", "end")
    assert f"{RESULT} 1" in again.stdout, again.stderr


def test_what_is_gone_at_the_origin_before_it_came_is_said_to_be_missing_and_from_where(two: Two) -> None:
    two.resume()
    shutil.rmtree(two.there.path / ".stepwell" / "objects")
    checked = two.here.stepwell("fsck")
    assert checked.returncode == 1
    assert "needed by TestFlow/1/each/t0/unused" in checked.stdout
    program = 'Task("TestFlow/1/start/t0").data.unused'
    done = two.here.python("-c", f"from stepwell import *\n{program}")
    assert "there/.stepwell/objects" in done.stderr
    assert "The artifact 'unused' cannot be read" in done.stderr
    refused = two.here.stepwell("gc", "--grace", "0s")
    assert refused.returncode == 1
    assert "Nothing was deleted" in refused.stderr


def test_tasks_in_fresh_interpreters_and_several_processes_get_objects_from_there(two: Two) -> None:
    printed = two.resume("--fresh", "--run-id", "again", "--reentrant")
    assert RESULT in printed
    assert RESULT not in two.resume("--run-id", "again", "--reentrant"), "what is done ran again"
    assert two.here.client('print(Run("TestFlow/again").data.sizes)') == "[5000, 5000, 5000]"


def test_a_chain_of_datastores_is_followed(two: Two, tmp_path: Path) -> None:
    two.resume()
    third = Project(tmp_path / "third")
    shutil.copytree(two.here.path, third.path, ignore=shutil.ignore_patterns(".stepwell"))
    resumed = third.python(
        "flow.py", "resume", "join", "--origin-run-id", "1", "--origin-datastore", str(two.here.path / ".stepwell")
    )
    assert RESULT in resumed.stdout, resumed.stderr
    sources = [json.loads(file.read_text())["root"] for file in (third.path / ".stepwell/sources").iterdir()]
    assert sorted(sources) == [str(project.path / ".stepwell") for project in (two.here, two.there)]
    asked = (
        'task = Task("TestFlow/1/start/t0"); print(len(task.data.unused), task.stdout.strip(), task.origin_pathspec)'
    )
    assert third.client(asked) == "2500000 start ran TestFlow/1/start/t0"


def test_what_is_published_brings_all_of_it_and_says_where_it_is_from(two: Two, tmp_path: Path) -> None:
    two.resume()
    third = {"STEPWELL_DATASTORE_ROOT": str(tmp_path / "third")}
    published = two.here.stepwell("sync", **third)
    assert published.returncode == 0, published.stderr
    shutil.rmtree(two.here.path / ".stepwell")
    shutil.rmtree(two.there.path / ".stepwell" / "objects")
    program = """
        run = next(Flow("TestFlow").runs())
        task = run["start"].task
        print(len(task.data.unused), task.stdout.strip(), task.origin_pathspec, run.origin_pathspec, run.origin_datastore)
        """
    done = two.here.python("-c", f"from stepwell import *\n{textwrap.dedent(program)}", **third)
    there = two.there.path / ".stepwell"
    assert done.stdout.strip() == f"2500000 start ran TestFlow/1/start/t0 TestFlow/1 {there}", done.stderr


def test_what_cannot_be_resumed_from_elsewhere_says_why(two: Two) -> None:
    place = str(two.there.path)
    for arguments, says in (
        (("--origin-datastore", place), "--origin-run-id"),
        (("--origin-datastore", place, "--origin-run-id", "77"), "--origin-datastore"),
        (("--origin-datastore", f"{place}/nowhere", "--origin-run-id", "1"), "no datastore"),
    ):
        done = two.here.python("flow.py", "resume", *arguments)
        assert done.returncode == 1, done.stdout
        assert says in done.stderr
    assert not (two.here.path / ".stepwell" / "flows").exists()
    assert not (two.here.path / ".stepwell" / "sources").exists()
