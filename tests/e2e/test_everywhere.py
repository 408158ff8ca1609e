"""The same flow, unchanged, on every row: the same tasks, the same artifacts, the same answers of the Client API."""

from __future__ import annotations

import json
import re

from conftest import Place

# What the Client API says of a run of hello.py; `greeting` without the run's own id.
READ = """
import json, sys
from stepwell import Flow, namespace
namespace(None)
run = Flow("HelloFlow")[sys.argv[1]] if len(sys.argv) > 1 else Flow("HelloFlow").latest_run
start = run["start"].task
print(json.dumps({
    "successful": run.successful,
    "finished": run.finished,
    "tasks": sorted(task.pathspec.split("/", 2)[2] for step in run for task in step),
    "greeting": run.data.greeting.replace(run.id, "RUN"),
    "same": start["greeting"].sha == run.end_task["greeting"].sha,
    "stdout": run.end_task.stdout.replace(run.id, "RUN"),
    "attempt_ok": start.metadata_dict["attempt_ok"],
    "artifacts": sorted(one.id for one in start.artifacts),
    "user": sorted(tag for tag in run.system_tags if tag.startswith("user:")),
}))
"""
EXPECTED = {
    "successful": True,
    "finished": True,
    "tasks": ["end/t0", "start/t0"],
    "greeting": "Hello from run RUN",
    "same": True,
    "stdout": "Hello from run RUN\n",
    "attempt_ok": "True",
    "artifacts": ["greeting"],
    "user": ["user:tester"],
}


def read(place: Place, *run: str) -> dict[str, object]:
    return dict(json.loads(place.succeed("-c", READ, *run)))


def test_on_a_laptop(examples) -> None:
    place = Place(examples, {})
    place.succeed("hello.py", "run")
    assert read(place) == EXPECTED


def test_with_the_service_and_s3(shared: Place) -> None:
    place = shared
    place.succeed("hello.py", "run", "--tag", "shared")
    assert read(place) == EXPECTED
    assert "shared" in place.client('print(" ".join(Flow("HelloFlow").latest_run.tags))')
    assert not (place.path / ".stepwell").exists()


def test_by_an_administrators_settings_file(shared: Place, s3) -> None:
    (shared.path / "given.json").write_text(
        json.dumps({k: v for k, v in shared.settings.items() if k.startswith("STEPWELL_")})
    )
    place = Place(shared.path, s3.environment)
    place.succeed("-m", "stepwell", "configure", "import", "given.json")
    place.succeed("hello.py", "run")
    assert read(place) == EXPECTED


def test_with_each_step_a_batch_job(cluster: Place) -> None:
    done = cluster.succeed("hello.py", "--with", "batch", "run")
    assert len(re.findall(r"Task finished successfully", done)) == 2
    assert "Hello from run" in done
    assert read(cluster) == EXPECTED


def test_a_batch_job_that_fails_says_why(cluster: Place) -> None:
    (cluster.path / "broken.py").write_text(
        "from stepwell import FlowSpec, step\n\n\nclass Broken(FlowSpec):\n    @step\n    def start(self):\n"
        "        print('so far')\n        raise KeyError('absent')\n        self.next(self.end)\n\n"
        "    @step\n    def end(self):\n        pass\n\n\nif __name__ == '__main__':\n    Broken()\n"
    )
    done = cluster.command("broken.py", "--with", "batch", "run")
    assert done.returncode == 1
    assert "KeyError: 'absent'" in done.stderr
    assert "broken.py:8" in done.stderr
    assert "so far" in done.stdout
    assert cluster.client('run = Flow("Broken").latest_run; print(run.successful, run.finished)') == "False True"


def test_in_production(cluster: Place) -> None:
    cluster.succeed("hello.py", "step-functions", "create")
    cluster.succeed("hello.py", "step-functions", "create")  # the same content: no change
    cluster.succeed("hello.py", "step-functions", "trigger", "--run-id-file", "run-id")
    run_id = (cluster.path / "run-id").read_text()
    wait = f"""
import time
namespace(None)
deadline = time.monotonic() + 600
while time.monotonic() < deadline:
    try:
        if Run("HelloFlow/{run_id}").finished: break
    except Exception: pass
    time.sleep(0.5)
print(Run("HelloFlow/{run_id}").finished)
"""
    assert cluster.client(wait) == "True"
    assert read(cluster, run_id) == EXPECTED
    cluster.succeed("hello.py", "step-functions", "delete")
