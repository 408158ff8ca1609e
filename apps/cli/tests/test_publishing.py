"""`stepwell sync`: runs of a laptop are published with all that they hold, once, and read there as they were here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Project
from stepwell.execution import records

BODY = """
seed = Parameter("seed", default=1)

@step
def start(self):
    print("said here")
    self.big = list(range(100_000))
    self.next(self.each, foreach="items")

items = [1, 2]

@step
def each(self):
    self.doubled = self.input * 2
    self.next(self.join)

@step
def join(self, inputs):
    self.total = sum(one.doubled for one in inputs)
    self.merge_artifacts(inputs, exclude=["doubled"])
    self.next(self.end)

@step
def end(self):
    if __import__("os").path.exists("broken"):
        raise RuntimeError("broken")
"""
READ = """
import json, sys
namespace(None)
found = {}
for run in Flow("TestFlow"):
    local = [tag.partition(":")[2] for tag in run.system_tags if tag.startswith("local_run:")]
    origin = run.origin_run_id and len(run.origin_run_id)
    found[local[0]] = {
        "id": len(run.id), "successful": run.successful, "tags": sorted(run.user_tags), "user": "user:tester" in run.system_tags,
        "tasks": sorted(task.pathspec.split("/", 2)[2] for step in run for task in step),
        "total": run.data.total if run.successful else None, "seed": run["start"].task["seed"].data,
        "said": run["start"].task.stdout, "big": len(run["start"].task["big"].data), "origin": origin,
        "failed": [task.exception.message.splitlines()[0] for task in run["end"] if not task.successful],
    }
print(json.dumps(found))
"""
TASKS = ["each/t0", "each/t1", "end/t0", "join/t0", "start/t0"]


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Three runs: a good one, one that failed, one that resumed it."""
    project = Project(tmp_path_factory.mktemp("laptop"))
    project.flow(BODY)
    project.run("--seed", "7", "--tag", "good")
    project.client("Run('TestFlow/1').add_tag('later')")
    (project.path / "broken").touch()
    assert project.python("flow.py", "run").returncode == 1
    (project.path / "broken").unlink()
    assert project.python("flow.py", "resume").returncode == 0
    return project


@pytest.fixture
def shared(tmp_path: Path) -> dict[str, str]:
    """The settings of where runs are published: a place with a metadata store of its own."""
    return {"STEPWELL_DATASTORE_ROOT": str(tmp_path / "shared")}


def sync(project: Project, shared: dict[str, str], *arguments: str) -> list[str]:
    done = project.stepwell("sync", *arguments, **shared)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def read(project: Project, shared: dict[str, str]) -> dict[str, dict[str, object]]:
    done = project.python("-c", f"from stepwell import *\n{READ}", **shared)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def files(shared: dict[str, str]) -> dict[str, bytes]:
    root = Path(shared["STEPWELL_DATASTORE_ROOT"])
    return {
        str(path): path.read_bytes() for path in root.rglob("*") if path.is_file() and "metadata.db" not in path.name
    }


def test_runs_are_read_there_as_they_were_here(laptop: Project, shared: dict[str, str]) -> None:
    said = sync(laptop, shared)
    assert [line.split()[:2] for line in said[:3]] == [["Published", f"TestFlow/{n}"] for n in (1, 2, 3)]
    identity = len("sync-") + 16
    common = {"id": identity, "user": True, "tasks": TASKS, "said": "said here\n", "big": 100_000}
    found = read(laptop, shared)
    assert found["1"] == {
        **common, "successful": True, "tags": ["good", "later"], "total": 6, "seed": 7, "origin": None, "failed": [],
    }  # fmt: skip
    assert (found["2"]["successful"], found["2"]["origin"]) == (False, None)
    assert [message[-20:] for message in found["2"]["failed"]] == ["RuntimeError: broken"]
    assert (found["3"]["successful"], found["3"]["origin"], found["3"]["total"]) == (True, identity, 6)
    assert found["3"]["said"] == "said here\n"
    assert laptop.stepwell("fsck", **shared).returncode == 0


def test_twice_publishes_once(laptop: Project, shared: dict[str, str]) -> None:
    sync(laptop, shared)
    before, found = files(shared), read(laptop, shared)
    said = sync(laptop, shared)
    assert [line.startswith("Left out TestFlow/") and "there already" in line for line in said] == [True] * 3 + [False]
    assert said[-1].startswith("0 runs published")
    assert files(shared) == before
    assert read(laptop, shared) == found


def test_only_what_is_named_is_published_and_a_rehearsal_publishes_nothing(
    laptop: Project, shared: dict[str, str]
) -> None:
    said = sync(laptop, shared, "--dry-run", "TestFlow")
    assert [line.split(" as ")[0] for line in said[:3]] == [f"Would publish TestFlow/{n}" for n in (1, 2, 3)]
    assert files(shared) == {}
    elsewhere = Project(Path(shared["STEPWELL_DATASTORE_ROOT"]).parent)
    said = sync(elsewhere, shared, "TestFlow/3", "Other", "--from", str(laptop.path / ".stepwell"))
    assert [line.split()[0] for line in said] == ["Published", "1"]
    assert list(read(laptop, shared)) == ["3"]


def test_what_was_interrupted_is_gone_on_with(
    laptop: Project, shared: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stopped at each write once: in the end everything is there, once."""
    from meta_client import open_store
    from stepwell.caring.publishing import Place, publish
    from stepwell.execution.stores import stores_at

    root = Path(shared["STEPWELL_DATASTORE_ROOT"])
    root.mkdir()
    local = laptop.path / ".stepwell"
    with (
        open_store(f"sqlite:///{local / 'metadata.db'}") as here,
        open_store(f"sqlite:///{root / 'metadata.db'}") as there,
    ):
        target = Place(stores_at(str(root)), there)
        create, left = target.stores.records.create, 0

        def stopping(name: str, data: bytes) -> bool:
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
            return create(name, data)

        monkeypatch.setattr(type(target.stores.records), "create", lambda self, name, data: stopping(name, data))
        for allowed in range(40):
            left = allowed
            try:
                list(publish(Place(stores_at(str(local)), here), target, lambda flow, run: run == "1"))
                break
            except KeyboardInterrupt:
                continue
        monkeypatch.undo()
    assert 5 < allowed < 40
    found = read(laptop, shared)
    assert (found["1"]["total"], found["1"]["tasks"]) == (6, TASKS)
    assert sync(laptop, shared, "TestFlow/1")[-1].startswith("0 runs")


def test_a_run_that_has_not_ended_or_was_removed_there_is_left_out(laptop: Project, shared: dict[str, str]) -> None:
    (line, _) = sync(laptop, shared, "TestFlow/1")
    new = line.split(" as ")[1].split(",")[0]
    assert laptop.stepwell("rm", new, **shared).returncode == 0
    assert "removed there" in sync(laptop, shared, "TestFlow/1")[0]
    run = laptop.path / ".stepwell" / "flows" / "TestFlow" / "runs" / "2" / "ended.json"
    kept = records.decode_end(run.read_bytes(), "ended.json")
    run.unlink()
    assert "has not ended" in sync(laptop, shared, "TestFlow/2")[0]
    run.write_bytes(records.encode(kept))


def test_without_a_shared_place_there_is_nothing_to_publish_to(laptop: Project, tmp_path: Path) -> None:
    done = laptop.stepwell("sync")
    assert (done.returncode, "configure import" in done.stderr) == (1, True)
    (tmp_path / "empty").mkdir()
    done = laptop.stepwell("sync", "--from", str(tmp_path / "empty"), STEPWELL_DATASTORE_ROOT=str(tmp_path / "shared"))
    assert (done.returncode, "no local datastore" in done.stderr) == (1, True)
    done = laptop.stepwell("sync", "a/b/c", STEPWELL_DATASTORE_ROOT=str(tmp_path / "shared"))
    assert (done.returncode, "FLOW/RUN" in done.stderr) == (1, True)
