"""`Runner`: runs started from Python."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import pytest
from conftest import Project
from stepwell.running.executing import ExecutingRun

BODY = """
alpha = Parameter("alpha", default=1)
my_words = Parameter("my_words", type=str, default=("x",), multiple=True)
conf = Parameter("conf", type=JSONType, default="{}")

@step
def start(self):
    import os, sys, time
    print("alpha", self.alpha)
    print("warned", file=sys.stderr)
    if os.environ.get("FAIL"):
        raise RuntimeError("asked for")
    while "HOLD" in os.environ and not os.path.exists(os.environ["HOLD"]):
        time.sleep(0.02)
    self.all = [self.alpha, list(self.my_words), self.conf]
    self.next(self.end)

@step
def end(self):
    pass
"""


@pytest.fixture
def started(in_project: Callable[[], Project], monkeypatch: pytest.MonkeyPatch) -> Project:
    from stepwell.client import scope

    monkeypatch.setattr(scope, "_settings", None)
    project = in_project()
    project.flow(BODY)
    return project


def test_a_run_has_its_parameters_tags_output_and_result(started: Project, capfd: pytest.CaptureFixture[str]) -> None:
    from stepwell import Runner

    with Runner("flow.py") as runner:
        done = runner.run(alpha=3, my_words=["a", "b"], conf={"k": [1]}, tags=["one", "two"], max_workers=1)
    assert (done.status, done.returncode) == ("successful", 0)
    assert done.run.data.all == [3, ["a", "b"], {"k": [1]}]
    assert done.run.user_tags == {"one", "two"}
    assert "alpha 3" in done.stdout
    assert "warned" in done.stdout
    assert "alpha 3" in capfd.readouterr().out


def test_a_run_that_fails_says_so_and_can_be_resumed(started: Project, capfd: pytest.CaptureFixture[str]) -> None:
    from stepwell import Runner

    with Runner("flow.py", show_output=False, env={"FAIL": "1"}, quiet=True) as runner:
        failed = runner.run(alpha=2)
    assert (failed.status, failed.returncode, failed.run.successful) == ("failed", 1, False)
    assert "asked for" in failed.stderr
    assert capfd.readouterr() == ("", "")
    with Runner("flow.py", show_output=False) as runner:
        resumed = runner.resume(origin_run_id=failed.run.id)
    again = Runner("flow.py", show_output=False).resume("end", origin_run_id=resumed.run.id)  # nobody keeps the Runner
    assert (resumed.run.data.all[0], resumed.run.origin_run_id) == (2, failed.run.id)
    assert again.run["start"].task.origin_pathspec == f"{resumed.run.pathspec}/start/t0"


def test_what_never_begins_is_said_with_what_the_command_said(started: Project) -> None:
    from stepwell import Runner
    from stepwell.errors import RunnerError

    with Runner("flow.py", show_output=False) as runner:
        refused = runner.run(beta=1)
        assert (refused.status, refused.returncode) == ("failed", 2)
        with pytest.raises(RunnerError, match="--beta"):
            _ = refused.run
    with pytest.raises(RunnerError, match=r"absent\.py"):
        Runner("absent.py")


def test_runs_go_on_in_the_background_and_are_followed(started: Project) -> None:
    from stepwell import Runner

    async def both() -> None:
        async with Runner("flow.py", show_output=False, env={"HOLD": "go"}) as runner:
            first, second = await runner.async_run(alpha=5), await runner.async_run(alpha=6)
            assert first.status == "running"
            assert {first.run.id, second.run.id} == {"1", "2"}
            with pytest.raises(asyncio.TimeoutError):
                await first.wait(timeout=0.01)
            (started.path / "go").touch()
            lines = [line async for _, line in first.stream_log("stdout")]
            assert any(line.endswith("alpha 5") for line in lines)
            await asyncio.gather(first.wait(), second.wait())
            assert [one.run.data.all[0] for one in (first, second)] == [5, 6]

    asyncio.run(both())


def test_leaving_the_block_ends_what_still_runs(started: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from stepwell import Runner
    from stepwell.running import process

    monkeypatch.setattr(process, "_SECONDS_TO_END", 240)

    async def printed(running: ExecutingRun, text: str) -> None:
        async for _, line in running.stream_log("stdout"):
            if text in line:
                return

    async def leave() -> ExecutingRun:
        with Runner("flow.py", show_output=False, env={"HOLD": "never"}) as runner:
            running = await runner.async_run()
            await asyncio.wait_for(printed(running, "alpha"), 240)
            assert not running.run.finished
        return running

    running = asyncio.run(leave())
    assert running.returncode not in (None, 0)
    assert running.run.finished
    assert not running.run.successful


def test_runs_in_another_folder_are_found(started: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from stepwell import Runner

    monkeypatch.chdir(os.sep)
    with Runner("flow.py", show_output=False, cwd=started.path) as runner:
        assert runner.run(alpha=7).run.data.all[0] == 7
    with Runner(started.path / "flow.py", show_output=False, datastore_root=str(started.path / "elsewhere")) as runner:
        assert runner.run(alpha=8).run.data.all[0] == 8
    assert (started.path / "elsewhere" / "flows").is_dir()
