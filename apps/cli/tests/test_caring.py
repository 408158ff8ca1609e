"""Care for a datastore: removing runs, collecting what nobody needs, checking, measuring, telling the metadata store again."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import Project
from meta_client import EmbeddedStore, ServiceUnavailable
from stepwell.caring.reindexing import reindex_run
from stepwell.execution.stores import stores_at

BODY = """
class Trap:
    def __reduce__(self):
        return (__import__("os").system, ("touch sprung",))

seed = Parameter("seed", default=1)
limit = 0.25

@step
def start(self):
    import random
    self.own = random.Random(self.seed).randbytes(300_000)
    self.shared = b"shared" * 100_000
    self.trap = self.Trap()
    self.next(self.end)

@step
def end(self):
    if __import__("os").path.exists("broken"):
        raise RuntimeError("broken")
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("ran"))
    project.flow(BODY)
    project.run("--seed", "1")
    project.run("--seed", "2", "--tag", "good")
    return project


@pytest.fixture
def kept(ran: Project, tmp_path: Path) -> Project:
    """A project, one's own to break, in which runs 1 and 2 differ in one artifact."""
    return Project(Path(shutil.copytree(ran.path, tmp_path / "kept")))


def objects(project: Project) -> int:
    return sum(
        path.stat().st_size for path in (project.path / ".stepwell" / "objects" / "v1").rglob("*") if path.is_file()
    )


def test_a_removed_run_frees_what_only_it_holds(kept: Project) -> None:
    before = objects(kept)
    assert kept.stepwell("rm", "TestFlow/1").stdout.startswith("Removed TestFlow/1: ")
    done = kept.stepwell("gc", "--grace", "0s")
    assert done.returncode == 0, done.stderr
    assert "Deleted 1 objects of 300" in done.stdout
    assert before - objects(kept) > 290_000
    listed = kept.stepwell("ls", "TestFlow").stdout.splitlines()
    assert ["removed" in line for line in listed] == [False, True]
    program = "task = Run('TestFlow/2')['start'].task; print(len(task['own'].data), len(task['shared'].data))"
    assert kept.client(program) == "300000 600000"
    assert kept.stepwell("fsck").returncode == 0
    assert kept.stepwell("rm", "TestFlow/1").returncode == 0  # once more, as after an interruption
    assert not (kept.path / "sprung").exists()  # nothing was unpickled so far
    kept.client("Run('TestFlow/2')['start'].task['trap'].data")
    assert (kept.path / "sprung").exists()


def test_runs_that_resumed_a_removed_one_keep_what_they_took_over(project: Project) -> None:
    project.flow(BODY)
    (project.path / "broken").touch()
    assert project.python("flow.py", "run").returncode == 1
    (project.path / "broken").unlink()
    assert project.python("flow.py", "resume").returncode == 0
    assert project.stepwell("rm", "TestFlow/1").returncode == 0
    assert "Deleted 0 objects" in project.stepwell("gc", "--grace", "0s").stdout
    assert project.client("print(len(Run('TestFlow/2').data.own))") == "300000"


def test_prune_removes_what_nothing_keeps(kept: Project) -> None:
    kept.run("--seed", "3")
    dry = kept.stepwell("prune", "TestFlow", "--keep-last", "1", "--keep-tag", "good", "--dry-run").stdout
    assert dry.startswith("Would remove TestFlow/1, of 2")
    assert "TestFlow/2" not in dry
    assert "nothing to remove" in kept.stepwell("prune", "--older-than", "1h").stdout
    done = kept.stepwell("prune", "--older-than", "0s", "--keep-last", "2")
    assert (done.stdout.splitlines()[0].split(":")[0], len(done.stdout.splitlines())) == ("Removed TestFlow/1", 1)
    assert "nothing to remove" in kept.stepwell("prune", "--keep-last", "2").stdout
    assert kept.stepwell("prune").returncode == 2


def test_a_run_that_has_not_ended_is_removed_by_force_only(kept: Project) -> None:
    run = kept.path / ".stepwell" / "flows" / "TestFlow" / "runs" / "1"
    (run / "ended.json").unlink()
    (run / "end" / "t0" / "done.json").unlink()
    refused = kept.stepwell("rm", "TestFlow/1")
    assert (refused.returncode, "--force" in refused.stderr) == (1, True)
    assert "nothing to remove" in kept.stepwell("prune", "--keep-last", "1").stdout
    assert kept.stepwell("rm", "TestFlow/1", "--force").returncode == 0
    for wrong, says in (("TestFlow/77", "TestFlow/77"), ("TestFlow", "FLOW/RUN")):
        done = kept.stepwell("rm", wrong)
        assert (done.returncode, says in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("1/start/t0/done.json", "{"),
        ("1/run.json", '{"format": 99}'),
        ("1/manifest.json", "{}"),
        ("../../../roots/machine.json", "[]"),
    ],
    ids=["damaged", "of a later version", "of an unknown kind", "a damaged deployment"],
)
def test_collection_refuses_while_a_record_cannot_be_read(kept: Project, name: str, content: str) -> None:
    kept.stepwell("rm", "TestFlow/2")
    record = Path(os.path.normpath(kept.path / ".stepwell" / "flows" / "TestFlow" / "runs" / name))
    record.parent.mkdir(exist_ok=True)
    record.write_text(content)
    before = objects(kept)
    done = kept.stepwell("gc", "--grace", "0s")
    assert done.returncode == 1
    assert done.stderr.startswith("Nothing was deleted")
    assert record.name in done.stderr
    assert objects(kept) == before
    checked = kept.stepwell("fsck")
    assert (checked.returncode, record.name in checked.stdout) == (1, True)


def test_a_deployments_code_stays_until_the_deployment_goes(kept: Project) -> None:
    from stepwell.execution.stores import stores_at

    stores = stores_at(str(kept.path / ".stepwell"))
    digest = stores.content.put(b"code", plain=True)
    stores.records.replace("roots/machine.json", json.dumps({"format": 1, "package": str(digest)}).encode())
    assert json.loads(kept.stepwell("gc", "--grace", "0s", "--json").stdout)["deleted"] == 0
    stores.records.delete("roots/machine.json")
    rehearsed = json.loads(kept.stepwell("gc", "--grace", "0s", "--json", "--dry-run").stdout)
    assert (rehearsed["deleted"], rehearsed["dry_run"], stores.content.contains(digest)) == (1, True, True)
    kept.stepwell("gc", "--grace", "0s")
    assert not stores.content.contains(digest)


def test_fsck_names_what_needs_a_missing_object_and_what_is_damaged(kept: Project) -> None:
    from stepwell.execution.stores import stores_at

    assert kept.stepwell("fsck").stdout.endswith("and 6 records were read\n")
    program = "print(*[Run(f'TestFlow/{n}')['start'].task['own']._reference.digests()[-1] for n in (1, 2)])"
    gone, damaged = kept.client(program).split()
    content = stores_at(str(kept.path / ".stepwell")).content
    files = kept.path / ".stepwell" / "objects"
    from cas_store import Digest

    (files / content.location(Digest.parse(gone))).unlink()
    file = files / content.location(Digest.parse(damaged))
    file.chmod(0o644)
    file.write_bytes(b"x" * file.stat().st_size)
    done = kept.stepwell("fsck")
    assert done.returncode == 1
    assert f"missing: {gone}, needed by TestFlow/1/end/t0/own, TestFlow/1/start/t0/own" in done.stdout
    assert f"damaged: {damaged}" in done.stdout


def test_fsck_tells_a_lost_record_from_a_damaged_and_from_removed_ones(kept: Project) -> None:
    runs = kept.path / ".stepwell" / "flows" / "TestFlow" / "runs"
    (runs / "1" / "start" / "t0" / "done.json").unlink()
    (runs / "2" / "start" / "t0" / "done.json").write_text("{")
    kept.run("--seed", "3")
    resumed = kept.python("flow.py", "resume", "end", "--origin-run-id", "3")
    assert resumed.returncode == 0, resumed.stderr
    done = kept.stepwell("fsck")
    assert done.returncode == 1
    lost = [line for line in done.stdout.splitlines() if line.startswith(("lost", "unreadable"))]
    assert len(lost) == 2, done.stdout
    assert (
        lost[0]
        == "lost: the record of TestFlow/1/start/t0, after which TestFlow/1/end/t0 ran; resume runs the task again"
    )
    assert "TestFlow/runs/2/start/t0/done.json" in lost[1]
    kept.stepwell("rm", "TestFlow/1", "TestFlow/2")
    (runs / "1" / "end" / "t0" / "done.json").write_bytes(
        (runs / "3" / "end" / "t0" / "done.json").read_bytes()
    )  # as in the midst of a removal
    assert kept.stepwell("fsck").returncode == 0


def test_usage_says_who_keeps_how_much(kept: Project) -> None:
    kept.run("--seed", "2", STEPWELL_USER="somebody")
    by_user = [json.loads(line) for line in kept.stepwell("usage", "--by", "user", "--json").stdout.splitlines()]
    assert [(one["user"], one["runs"], one["tasks"]) for one in by_user[:2]] == [("tester", 2, 4), ("somebody", 1, 2)]
    assert 1_200_000 < by_user[0]["bytes"] < 1_210_000  # two of its own, the shared one once
    assert by_user[2]["stored_bytes"] < by_user[2]["bytes"]
    assert kept.stepwell("usage").stdout.startswith("TestFlow  ")
    assert "(none)" in kept.stepwell("usage", "--by", "project").stdout


def test_metadata_that_got_lost_is_told_again_with_the_numbers_of_the_runs(kept: Project) -> None:
    again = kept.python("flow.py", "resume", "end", "--origin-run-id", "1", "--run-id", "named")
    assert again.returncode == 0, again.stderr
    before = kept.stepwell("ls", "TestFlow").stdout
    (kept.path / ".stepwell" / "metadata.db").unlink()
    done = kept.stepwell("reindex")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 runs read; the metadata store was told of 6 tasks")
    assert kept.stepwell("ls", "TestFlow").stdout == before
    with EmbeddedStore(kept.path / ".stepwell" / "metadata.db") as store:
        assert [step.step_name for step in store.list_steps("TestFlow", 1)] == ["start", "end"]
        (task,) = store.list_tasks("TestFlow", "named", "start")
        assert {one.name for one in store.list_artifacts(task)} >= {"own", "shared", "seed", "limit"}
        metadata = store.list_metadata(task)
        assert {one.field_name: one.value for one in metadata}["attempt_ok"] == "True"
        kept.stepwell("reindex")
        assert store.list_metadata(task) == metadata
    kept.run("--run-id-file", "id")
    assert int((kept.path / "id").read_text()) > 2, "a new run takes no number that was given"
    assert not (kept.path / "sprung").exists()


class Away(EmbeddedStore):
    """A metadata store that takes nothing."""

    def register_many(self, records: Any) -> None:
        raise ServiceUnavailable("http://away", "it does not answer")


def test_the_mark_of_an_untold_history_goes_when_all_is_told_and_no_sooner(kept: Project) -> None:
    folder = kept.path / ".stepwell"
    mark = folder / "flows" / "TestFlow" / "runs" / "1" / "untold.json"
    mark.write_text("{}")
    (folder / "metadata.db").unlink()
    with Away(folder / "away.db") as away, pytest.raises(ServiceUnavailable):
        reindex_run(stores_at(str(folder)), away, "TestFlow", "1")
    assert mark.exists()
    assert kept.stepwell("reindex").returncode == 0
    assert not mark.exists()


def test_metadata_is_told_of_runs_whose_number_another_flow_has_been_given(kept: Project) -> None:
    (kept.path / ".stepwell" / "metadata.db").unlink()
    with EmbeddedStore(kept.path / ".stepwell" / "metadata.db") as store:
        for _ in range(2):
            store.create_run("Another")
        assert kept.stepwell("reindex").returncode == 0
        assert {str(run.run_id) for run in store.list_runs("TestFlow")} == {"2", "1"}
    assert kept.client("print(Run('TestFlow/1').successful, Run('TestFlow/2').data.seed)") == "True 2"


def test_runs_are_listed_by_tag_and_state_also_those_whose_scheduler_fell_silent(kept: Project) -> None:
    run = kept.path / ".stepwell" / "flows" / "TestFlow" / "runs" / "1"
    (run / "ended.json").unlink()
    (run / "end" / "t0" / "done.json").unlink()

    def listed(*options: str) -> list[str]:
        return [line.split()[0] for line in kept.stepwell("ls", "TestFlow", *options).stdout.splitlines()]

    assert listed("--status", "running") == ["TestFlow/1"]
    with EmbeddedStore(kept.path / ".stepwell" / "metadata.db", clock=lambda: time.time() - 400) as store:
        store.heartbeat(store.get_run("TestFlow", 1))
    assert (listed("--status", "running"), listed("--status", "lost")) == ([], ["TestFlow/1"])
    assert listed("--tag", "good") == ["TestFlow/2"]
    assert kept.stepwell("logs", "TestFlow/1", "--follow").returncode == 0  # nothing is waited for
    assert kept.stepwell("ls", "--tag", "good").returncode == 2
