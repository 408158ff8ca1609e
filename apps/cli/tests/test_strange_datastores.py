"""Commands on a datastore that something has happened to: the right result, or one clear error."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import Project

BODY = """
@step
def start(self):
    self.x = 1
    self.next(self.end)

@step
def end(self):
    pass
"""


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = Project(tmp_path_factory.mktemp("whole"))
    project.flow(BODY)
    for _ in range(2):
        project.run()
    return project.path


@pytest.fixture
def store(project: Project, two_runs: Path) -> Path:
    """The datastore of the project, which has two runs."""
    shutil.copytree(two_runs / ".stepwell", project.path / ".stepwell")
    shutil.copy(two_runs / "flow.py", project.path)
    return project.path / ".stepwell"


def of_a_later_version(record: Path) -> None:
    record.write_text(json.dumps({**json.loads(record.read_text()), "format": 99}))


def test_a_damaged_metadata_file_says_how_to_make_it_anew(project: Project, store: Path) -> None:
    damaged = store / "metadata.db"
    damaged.write_bytes(damaged.read_bytes()[:5000])
    for command in (("-m", "stepwell", "ls"), ("flow.py", "run")):
        done = project.python(*command)
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("A damaged one can be made anew: move the file away")
    damaged.unlink()
    assert project.stepwell("reindex").returncode == 0
    assert project.stepwell("ls", "TestFlow").stdout.count("completed") == 2


@pytest.mark.parametrize("asked", [("ls",), ("ls", "TestFlow"), ("show", "TestFlow/1"), ("logs", "TestFlow/1/start")])
def test_a_datastore_of_which_the_metadata_store_was_never_told_says_so(
    project: Project, store: Path, asked: tuple[str, ...]
) -> None:
    (store / "metadata.db").unlink()
    assert "stepwell reindex" in project.stepwell(*asked).stderr
    assert "stepwell reindex" not in project.stepwell("show", "Another/1").stderr


def test_a_run_of_a_later_version_keeps_nobody_from_listing_the_others(project: Project, store: Path) -> None:
    of_a_later_version(store / "flows" / "TestFlow" / "runs" / "1" / "run.json")
    listed = project.stepwell("ls", "TestFlow")
    assert listed.returncode == 0
    assert [line.split()[:2] for line in listed.stdout.splitlines()] == [
        ["TestFlow/2", "completed"], ["TestFlow/1", "unreadable"],
    ]  # fmt: skip
    for refused in (("show", "TestFlow/1"), ("rm", "TestFlow/1"), ("gc",), ("usage",)):
        done = project.stepwell(*refused)
        assert (done.returncode, "Upgrade stepwell" in done.stderr) == (1, True), refused
    assert project.stepwell("fsck").returncode == 1


def test_reindex_tells_of_the_other_runs_where_one_cannot_be_read(project: Project, store: Path) -> None:
    of_a_later_version(store / "flows" / "TestFlow" / "runs" / "1" / "start" / "t0" / "done.json")
    (store / "metadata.db").unlink()
    done = project.stepwell("reindex")
    assert done.returncode == 1
    assert "TestFlow/1: The record" in done.stderr
    assert "TestFlow/2" in project.stepwell("ls", "TestFlow").stdout


def test_a_copied_datastore_is_as_good_as_the_first(project: Project, store: Path, tmp_path: Path) -> None:
    elsewhere = Project(tmp_path / "elsewhere")
    shutil.copytree(store, elsewhere.path / "moved" / ".stepwell")
    there = {"STEPWELL_DATASTORE_ROOT": str(elsewhere.path / "moved" / ".stepwell")}
    shutil.rmtree(store)
    assert project.stepwell("fsck", **there).returncode == 0
    assert "TestFlow/2/end/t0" in project.stepwell("dump", "TestFlow/2", **there).stdout
    assert project.python("flow.py", "resume", "end", "--origin-run-id", "1", **there).returncode == 0
