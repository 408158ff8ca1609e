"""Flows with every shape and every decorator, on every row: equal artifacts, equal topology, equal answers of the Client API.

The laptop's run is what the others are compared with; a failed run of any row is resumed on the laptop.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Place

FLOWS = Path(__file__).parent / "flows"
SECONDS = 600

# A run as the Client API tells it, without what differs from run to run.
READ = """
import json, sys
from stepwell import Run, namespace
namespace(None)
run = Run(sys.argv[1])
short = lambda pathspec: pathspec.split("/", 2)[2]
print(json.dumps({
    "successful": run.successful,
    "finished": run.finished,
    "steps": sorted(step.id for step in run),
    "tasks": {
        short(task.pathspec): {
            "parents": sorted(map(short, task.parent_task_pathspecs)),
            "index": task.index,
            "successful": task.successful,
            "artifacts": {one.id: one.sha for one in task.artifacts if one.id not in ("failure", "late")},
        }
        for step in run for task in step
    },
    "result": repr(getattr(run.data, "result", None)) if run.successful else None,
}, sort_keys=True))
"""


def run_here(place: Place, file: str, *options: str) -> str:
    place.command(file, *options, "run", "--run-id-file", "run-id")
    return (place.path / "run-id").read_text().strip()


def run_in_production(place: Place, file: str) -> str:
    place.succeed(file, "step-functions", "create")
    place.succeed(file, "step-functions", "trigger", "--run-id-file", "run-id")
    run_id = (place.path / "run-id").read_text().strip()
    place.client(f"""
import time
namespace(None)
deadline = time.monotonic() + {SECONDS}
while time.monotonic() < deadline:
    try:
        if Run("{flow_name(file)}/{run_id}").finished: break
    except Exception: pass
    time.sleep(0.5)
""")
    place.succeed(file, "step-functions", "delete")
    return run_id


def flow_name(file: str) -> str:
    return file.removesuffix(".py").title()


def equip(folder: Path) -> None:
    for flow in FLOWS.glob("*.py"):
        shutil.copy(flow, folder)
    (folder / "table.txt").write_text("ab\nabc\n")


def read(place: Place, file: str, run_id: str) -> dict[str, Any]:
    return dict(json.loads(place.succeed("-c", READ, f"{flow_name(file)}/{run_id}")))


@pytest.fixture(scope="session")
def on_a_laptop(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """What a flow leaves when it runs locally."""
    place = Place(tmp_path_factory.mktemp("laptop"), {})
    equip(place.path)
    known: dict[str, dict[str, Any]] = {}

    def answer(file: str) -> dict[str, Any]:
        if file not in known:
            known[file] = read(place, file, run_here(place, file))
        return known[file]

    return answer


Laptop = Callable[[str], dict[str, Any]]
whole = pytest.mark.parametrize("file", ["shapes.py", "careful.py"])
by_processes = pytest.mark.parametrize("rig", ["process"], indirect=True)  # test_everywhere runs containers


@whole
def test_with_the_service_and_s3(shared: Place, file: str, on_a_laptop: Laptop) -> None:
    equip(shared.path)
    assert read(shared, file, run_here(shared, file)) == on_a_laptop(file)


@whole
@by_processes
def test_on_batch(cluster: Place, file: str, on_a_laptop: Laptop) -> None:
    equip(cluster.path)
    assert read(cluster, file, run_here(cluster, file, "--with", "batch")) == on_a_laptop(file)


@whole
@by_processes
def test_on_step_functions(cluster: Place, file: str, on_a_laptop: Laptop) -> None:
    equip(cluster.path)
    assert read(cluster, file, run_in_production(cluster, file)) == on_a_laptop(file)


def test_a_failed_run_of_shared_mode_is_resumed(shared: Place) -> None:
    equip(shared.path)
    resume_here(shared, run_here(shared, "broken.py"))


@by_processes
def test_a_failed_run_on_batch_is_resumed_on_the_laptop(cluster: Place) -> None:
    equip(cluster.path)
    resume_here(cluster, run_here(cluster, "broken.py", "--with", "batch"))


@by_processes
def test_a_failed_run_in_production_is_resumed_on_the_laptop(cluster: Place) -> None:
    equip(cluster.path)
    resume_here(cluster, run_in_production(cluster, "broken.py"))


def resume_here(place: Place, run_id: str) -> None:
    failed = read(place, "broken.py", run_id)
    assert (failed["successful"], failed["finished"]) == (False, True)
    (place.path / "mended").touch()
    place.succeed("broken.py", "resume", "--origin-run-id", run_id, "--run-id-file", "resumed")
    resumed = (place.path / "resumed").read_text().strip()
    checked = place.client(f'run = Run("Broken/{resumed}"); print(run.successful, run["join"].task.data.checked)')
    assert checked == "True ['a', 'b', 'c']"
    taken = (
        f'print(sum("Broken/{run_id}/check" in str(task.origin_pathspec) for task in Run("Broken/{resumed}")["check"]))'
    )
    # a check that still ran when the third one failed was ended with the run
    assert checks_done(failed) <= int(place.client(taken)) <= checks_done(read(place, "broken.py", run_id))


def checks_done(run: dict[str, Any]) -> int:
    return sum(task["successful"] is True for name, task in run["tasks"].items() if name.startswith("check/"))
