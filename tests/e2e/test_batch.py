"""A foreach on AWS Batch, on the rig: one array, its retries, its faults, and what becomes of it when its client dies."""

from __future__ import annotations

import json
import platform
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
from conftest import Place, recording
from stepwell_testing.aws_rig import Rig, engines_here
from stepwell_testing.faulty_proxy import Proxy, Request, Reset
from stepwell_testing.s3 import S3Server

HEAD = "import os, signal, sys, time\nfrom stepwell import *\n\n\n"
FOREACH = """class {name}(FlowSpec):
    @step
    def start(self):
        self.items = list(range({width}))
        self.next(self.each, foreach="items")

{decorators}
    @step
    def each(self):
{body}
        self.square = self.input ** 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(one.square for one in inputs if hasattr(one, "square"))
        self.problems = [getattr(one, "problem", None) and one.problem.exception for one in inputs]
        self.next(self.end)

    @step
    def end(self):
        print("total", self.total)


if __name__ == "__main__":
    {name}()
"""


@attrs.frozen
class Cluster:
    """A cluster whose calls are counted: Batch's behind `api`, those of the jobs to S3 behind `jobs_s3`."""

    rig: Rig
    s3: S3Server
    api: Proxy
    jobs_s3: Proxy

    def calls(self) -> Counter[str]:
        return Counter(request.path.rsplit("/", 1)[-1] for request in self.api.requests)

    def job_requests(self) -> list[Request]:
        return list(self.jobs_s3.requests)

    def place(self, folder: Path) -> Place:
        """A directory of its own, with a datastore and a metadata store of its own."""
        folder.mkdir(exist_ok=True)
        settings = {
            **self.rig.aws_env(),
            "AWS_ENDPOINT_URL_S3": self.s3.url,
            "STEPWELL_DATASTORE": "s3",
            "STEPWELL_DATASTORE_ROOT": f"s3://{self.s3.bucket}/{folder.name}",
            "STEPWELL_AWS_ENDPOINT_URL": self.api.url,
            "STEPWELL_BATCH_QUEUE": self.rig.queue,
            "STEPWELL_BATCH_IMAGE": self.rig.image,
        }
        return Place(folder, settings)


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest, s3: S3Server) -> Iterator[Cluster]:
    with Proxy(s3.url) as jobs_s3:
        environment = {**s3.environment, "AWS_ENDPOINT_URL_S3": jobs_s3.url}
        with Rig(job_environment=environment, parallel=8) as rig, Proxy(rig.url) as api, recording(rig, request.config):
            yield Cluster(rig, s3, api, jobs_s3)


@pytest.fixture
def place(cluster: Cluster, tmp_path: Path) -> Place:
    cluster.api.forget()
    cluster.jobs_s3.forget()
    return cluster.place(tmp_path / re.sub(r"\W+", "-", tmp_path.name))


def write(place: Place, name: str, body: str, decorators: str = "@batch(memory=128)", width: int = 4) -> str:
    """A flow whose foreach has this body; gives the file's name."""
    indent = lambda text, by: "\n".join(" " * by + line for line in text.strip("\n").splitlines())  # noqa: E731
    text = FOREACH.format(name=name, width=width, decorators=indent(decorators, 4), body=indent(body, 8))
    (place.path / f"{name.lower()}.py").write_text(HEAD + text)
    return f"{name.lower()}.py"


def begin(place: Place, *arguments: str) -> subprocess.Popen[str]:
    """Run a flow in the background."""
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=place.path, env=place.environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def wait_until(condition: Callable[[], object], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.1)


def test_a_foreach_is_one_array_and_a_failed_child_is_tried_again_alone(cluster: Cluster, place: Place) -> None:
    flow = write(
        place,
        "Wide",
        'print("item", self.input, "attempt", current.retry_count)\n'
        "if self.input == 2 and current.retry_count == 0: raise RuntimeError('once')",
        "@batch(memory=128)\n@timeout(seconds=300)\n@retry(times=1, minutes_between_retries=0)",
    )
    done = place.succeed(flow, "run")
    assert "total 14" in done
    assert re.search(r"\[1/each/t3 \(batch job [0-9a-f-]+:3\)\] item 3 attempt 0", done)
    calls = cluster.calls()
    assert (calls["registerjobdefinition"], calls["submitjob"]) == (1, 2)
    facts = json.loads(
        place.client("import json; t = Run('Wide/1')['each']['t2']; print(json.dumps([t.metadata_dict, t.stdout]))")
    )
    assert facts[1] == "item 2 attempt 1\n"
    assert facts[0]["aws-batch-jq-name"] == "rig-queue"
    assert facts[0]["aws-batch-container-image"] == cluster.rig.image
    assert "/default/" in facts[0]["aws-batch-awslogs-stream"]
    batch = cluster.rig.client("batch")
    [job] = batch.describe_jobs(jobs=[facts[0]["aws-batch-job-id"]])["jobs"]
    assert job["tags"] == {
        "stepwell:flow": "Wide", "stepwell:step": "each", "stepwell:run": "1", "stepwell:user": "tester",
    }  # fmt: skip
    assert job["timeout"]["attemptDurationSeconds"] == 360
    [definition] = batch.describe_job_definitions(jobDefinitions=[job["jobDefinition"]])["jobDefinitions"]
    assert not definition.get("tags")
    assert (
        "environment" not in definition["containerProperties"] or not definition["containerProperties"]["environment"]
    )
    assert place.succeed("-m", "stepwell", "logs", "Wide/1/each/t2", "--attempt", "0").startswith("item 2 attempt 0\n")


def test_a_small_task_asks_s3_no_more_than_six_times(cluster: Cluster, place: Place) -> None:
    place.succeed(write(place, "Narrow", "print('said')", width=1), "run")
    paths = [f"{request.method} {request.path.split('?')[0]}" for request in cluster.job_requests()]
    assert len(paths) <= 6, "\n".join(paths)
    assert cluster.calls()["submitjob"] == 1


def test_a_users_limit_runs_the_foreach_in_slices_and_a_failure_costs_no_other_task(
    cluster: Cluster, place: Place
) -> None:
    flow = write(
        place,
        "Sliced",
        "if self.input == 1 and current.retry_count == 0: raise RuntimeError('once')\nprint('tried', current.retry_count)",
        "@batch(memory=128)\n@retry(times=1, minutes_between_retries=0)",
        width=5,
    )
    done = place.succeed(flow, "run", "--max-workers", "2")
    assert "--max-workers 2: the 5 tasks of step each run in 3 array jobs of up to 2" in done
    assert "total 30" in done
    read = "print([t.stdout.strip() for t in sorted(Run('Sliced/1')['each'], key=lambda t: t.id)])"
    assert place.client(read) == str(["tried 0", "tried 1", "tried 0", "tried 0", "tried 0"])


def test_what_ends_a_job_is_told_in_words_and_can_be_caught(place: Place) -> None:
    flow = write(
        place,
        "Fates",
        "print('item', self.input)\n"
        "if self.input == 0: sys.exit(3)\n"
        "if self.input == 1: os._exit(3)\n"
        "if self.input == 2: os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)\n"
        "if self.input == 3: signal.setitimer(signal.ITIMER_REAL, 0); signal.alarm(0); os.kill(os.getpid(), signal.SIGALRM)",
        "@batch(memory=128)\n@timeout(seconds=300)\n@catch(var='problem')",
        width=5,
    )
    done = place.succeed(flow, "run")
    assert "total 16" in done
    problems = json.loads(place.client("import json; print(json.dumps(Run('Fates/1').data.problems))"))
    assert problems[0] == "3"  # as the exception says it
    assert "process was ended" in problems[1]
    assert "process was ended" in problems[2]
    assert "did not end within its @timeout" in problems[3]
    assert problems[4] is None
    read = "t = Task('Fates/1/each/t{}', attempt=0); print(t.metadata_dict['failure'], t.stdout)"
    assert "Its command ended with exit code 1" in place.client(read.format(2))
    assert "item 2" in place.client("print(Task('Fates/1/each/t2', attempt=0).stdout)")  # what the cluster kept of it


def test_what_a_spot_instance_took_is_run_again_by_the_cluster(cluster: Cluster, place: Place) -> None:
    flow = write(
        place,
        "Spot",
        "print('attempt', current.retry_count, flush=True)\nif current.retry_count == 0: time.sleep(600)",
        "@batch(memory=128)\n@retry(times=2)",
        width=1,
    )
    process = begin(place, flow, "run")
    wait_until(lambda: running(cluster, "Spot"))
    cluster.rig.client("batch").terminate_job(
        jobId=running(cluster, "Spot")[0], reason="Host EC2 (instance i-0) terminated."
    )
    said = process.communicate(timeout=600)[0]
    assert process.returncode == 0, said
    assert "attempt 1" in said
    assert cluster.calls()["submitjob"] == 1
    assert place.client("print(Run('Spot/1')['each'].task.metadata_dict['attempt'])") == "1"


WAITING = "print('waiting', flush=True)\nwhile not os.path.exists({!r}): time.sleep(0.1)"


def running(cluster: Cluster, name: str) -> list[str]:
    """The jobs that run now, of a flow."""
    batch = cluster.rig.client("batch")
    jobs = batch.list_jobs(jobQueue=cluster.rig.queue, jobStatus="RUNNING")["jobSummaryList"]
    return [job["jobId"] for job in jobs if job["jobName"].startswith(f"{name}-")]


def test_what_a_killed_clients_jobs_finish_is_adopted(cluster: Cluster, place: Place) -> None:
    flow = write(place, "Adopted", WAITING.format(str(place.path / "go")), width=2)
    process = begin(place, flow, "run")
    wait_until(lambda: len(running(cluster, "Adopted")) == 2)
    process.kill()
    process.communicate()
    assert re.search(r"Adopted/1/each  tester  2 RUNNING", place.succeed(flow, "batch", "list", "--my-runs"))
    resuming = begin(place, flow, "resume")
    assert resuming.stdout is not None
    said = ""
    while "1 jobs of run 1 are still at work" not in said:
        line = resuming.stdout.readline()
        assert line, said
        said += line
    (place.path / "go").touch()
    rest = resuming.communicate(timeout=600)[0]
    assert "total 1" in rest
    assert "batch job" not in rest


def test_ctrl_c_and_batch_kill_end_the_jobs_of_a_run(cluster: Cluster, place: Place) -> None:
    flow = write(place, "Ended", WAITING.format(str(place.path / "never")), width=3)
    process = begin(place, flow, "run")
    wait_until(lambda: running(cluster, "Ended"))
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=600)[0]
    assert process.returncode != 0
    assert "interrupted by SIGINT" in said
    assert cluster.calls()["terminatejob"] == 1, "an array is ended by one call"
    wait_until(lambda: not running(cluster, "Ended"))
    other = begin(place, flow, "run")
    wait_until(lambda: running(cluster, "Ended"))
    assert place.command(flow, "batch", "kill").returncode == 2
    assert "Ended 1 jobs" in place.succeed(flow, "batch", "kill", "--run-id", "2")
    said = other.communicate(timeout=600)[0]
    assert other.returncode == 1
    assert "ended by tester" in said


def test_s3_may_be_away_while_a_task_commits(cluster: Cluster, place: Place) -> None:
    flow = write(place, "Away", "pass", width=1)
    begun: list[float] = []

    def away(request: Request) -> Reset | None:
        if request.method == "PUT" and not begun:
            begun.append(time.monotonic())
        return Reset(done=False) if begun and time.monotonic() - begun[0] < 3 else None

    cluster.jobs_s3.schedule = away
    assert "total 0" in place.succeed(flow, "run")
    assert begun


@pytest.fixture(scope="module", params=engines_here()[-1:])
def bare(request: pytest.FixtureRequest, s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A cluster whose image has Python and nothing else: no stepwell, no boto3, no index."""
    python = tmp_path_factory.mktemp("bare") / "python"
    base = Path(sys.base_prefix, "bin", f"python3.{sys.version_info[1]}")
    python.write_text(f'#!/bin/sh\nexec "{base}" -S "$@"\n')
    python.chmod(0o755)
    with Rig(engine=request.param, packages=(), python=str(python), job_environment=s3.environment) as rig:
        yield rig


def test_an_image_with_nothing_but_python_runs_a_flow_without_an_index(bare: Rig, s3: S3Server, tmp_path: Path) -> None:
    place = Place(
        tmp_path,
        {
            **bare.aws_env(),
            "STEPWELL_DATASTORE": "s3",
            "STEPWELL_DATASTORE_ROOT": f"s3://{s3.bucket}/bare-{bare.engine}",
            "STEPWELL_AWS_ENDPOINT_URL": bare.url,
            "STEPWELL_BATCH_QUEUE": bare.queue,
            "STEPWELL_BATCH_IMAGE": bare.image,
        },
    )
    (tmp_path / "table.csv").write_text("7\n")
    body = (
        "import stepwell\nprint(stepwell.__file__, open('table.csv').read())\n"
        "if self.input: import absent_package.module"
    )
    flow = write(place, "Bare", body, "@batch(memory=512)\n@catch(var='problem')", width=2)
    said = place.succeed(flow, "--package-suffixes", ".csv", "run")
    first, second = json.loads(place.client("import json; print(json.dumps(Run('Bare/1').data.problems))"))
    assert first is None, said
    assert "/package.zip/lib/stepwell/__init__.pyc 7" in place.client("print(Run('Bare/1')['each']['t0'].stdout)")
    assert "No module named 'absent_package'" in second
    shown = place.succeed("-m", "stepwell", "show", "Bare/1/each/t0")
    assert re.search(
        rf"(?m)^python +{platform.python_version()}\nstepwell +\S+\nimage +{bare.image}\ndependencies +attrs \d", shown
    )


@pytest.mark.parametrize("bare", [engine for engine in engines_here() if engine == "podman"], indirect=True)
def test_a_missing_image_is_told_in_words_and_kept_as_the_log(bare: Rig, place: Place) -> None:
    settings = {**place.settings, "STEPWELL_AWS_ENDPOINT_URL": bare.url, "STEPWELL_BATCH_QUEUE": bare.queue}
    place = Place(place.path, {**settings, "STEPWELL_BATCH_IMAGE": "localhost/no-such-image:1"})
    flow = write(place, "NoImage", "pass", width=1)
    done = place.command(flow, "run")
    assert done.returncode == 1
    assert "Its image was not found or may not be read" in done.stderr
    assert "localhost/no-such-image:1: not found" in done.stderr
    assert "the job never ran" in place.succeed("-m", "stepwell", "logs", "NoImage/1/each/t0")
