"""What becomes of a run's jobs where AWS misbehaves: throttled, forgetful, late. Batch and its logs answer as they are told."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cas_store import BackendUnavailable, MemoryBackend, ReadThroughStore
from compute_batch import BatchClient, Pace, Patience
from flow_graph import ForeachFrame
from stepwell import FlowSpec, batch, retry, step
from stepwell.api.definition import read_flow
from stepwell.api.transitions import Transition
from stepwell.config import Settings
from stepwell.deploying import keeping, leftovers
from stepwell.deploying.keeping import JobKeeper
from stepwell.execution.logs import LogBuffer, log_name, read_log
from stepwell.execution.records import RunRecord, TaskRecord, done_name, encode
from stepwell.execution.spec import TaskSpec
from stepwell.execution.stores import Stores

GROUP = "/aws/batch/job"


class Wide(FlowSpec):
    @step
    def start(self):
        self.items = [1, 2]
        self.next(self.each, foreach="items")

    @retry(times=1)
    @batch
    @step
    def each(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


class FakeBatch:
    """Jobs that are in the state that a test puts them into; `errors` are raised by the next calls of a method."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.jobs: dict[str, dict[str, Any]] = {}
        self.errors: dict[str, list[str]] = {}
        self.ended: list[str] = []
        self.submitted: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self._ids = itertools.count(1)

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            self.calls[name] += 1
            if errors := self.errors.get(name):
                raise ClientError({"Error": {"Code": errors.pop(), "Message": "told so"}}, name)
            return getattr(self, f"do_{name}")(**arguments)

        return call

    def do_describe_job_definitions(self, **_: Any) -> Any:
        return {"jobDefinitions": []}

    def do_register_job_definition(self, **_: Any) -> Any:
        return {"jobDefinitionArn": "arn:definition:1"}

    def do_submit_job(self, **request: Any) -> Any:
        identifier, size = f"job{next(self._ids)}", request.get("arrayProperties", {}).get("size")
        self.submitted.append(request)
        for name in (identifier, *(f"{identifier}:{n}" for n in range(size or 0))):
            self.jobs[name] = {"jobId": name, "jobName": request["jobName"], "status": "RUNNABLE"}
        if size:
            self.jobs[identifier]["arrayProperties"] = {"size": size}
        return {"jobId": identifier}

    def do_describe_jobs(self, jobs: list[str]) -> Any:
        assert len(jobs) <= 100
        return {"jobs": [self._described(name) for name in jobs if name in self.jobs]}

    def _described(self, name: str) -> dict[str, Any]:
        job = self.jobs[name]
        if "arrayProperties" not in job:
            return job
        counts = Counter(one["status"] for other, one in self.jobs.items() if other.startswith(f"{name}:"))
        over = not set(counts) - {"SUCCEEDED", "FAILED"}
        status = ("FAILED" if counts["FAILED"] else "SUCCEEDED") if over else "PENDING"
        return {**job, "status": status, "arrayProperties": {**job["arrayProperties"], "statusSummary": counts}}

    def do_terminate_job(self, jobId: str, reason: str) -> Any:  # noqa: N803
        self.ended.append(jobId)

    def do_list_jobs(self, **_: Any) -> Any:
        return {"jobSummaryList": []}

    def do_filter_log_events(self, logStreamNames: list[str], **_: Any) -> Any:  # noqa: N803
        return {"events": [event for event in self.events if event["logStreamName"] in logStreamNames]}

    def do_get_log_events(self, logStreamName: str, **_: Any) -> Any:  # noqa: N803
        events = [event for event in self.events if event["logStreamName"] == logStreamName]
        return {"events": events if "nextToken" not in _ else [], "nextForwardToken": "the end"}

    def prints(self, name: str, line: str) -> None:
        """A job runs, and CloudWatch has a line of it."""
        self.jobs[name] |= {"status": "RUNNING", "container": {"logStreamName": f"stream-{name}"}}
        self.events.append(
            {"eventId": str(len(self.events)), "logStreamName": f"stream-{name}", "timestamp": 1, "message": line}
        )

    def end(self, name: str, code: int | None = 0, **more: Any) -> None:
        """A job ends with an exit code, or none."""
        container = {**self.jobs[name].get("container", {}), **({} if code is None else {"exitCode": code})}
        attempts = [] if code is None else [{"container": container}]
        self.jobs[name] |= {
            "status": "FAILED" if code != 0 else "SUCCEEDED", "container": container, "attempts": attempts, **more,
        }  # fmt: skip


class Story:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.places: dict[str, str] = {}
        self.lines: list[tuple[str, str]] = []
        self.ends: dict[str, Any] = {}

    def started(self, spec: TaskSpec, place: str, facts: Any = None) -> None:
        self.places[spec.task_id] = place

    def printed(self, spec: TaskSpec, stream: str, line: bytes) -> None:
        self.lines.append((spec.task_id, line.decode()))

    def exited(self, spec: TaskSpec, end: Any) -> None:
        self.ends[spec.task_id] = end


class Bench:
    """A keeper whose time passes when told to."""

    def __init__(self, at_once: int | None = None) -> None:
        self.now, self.aws, self.story, self.said = 1000.0, FakeBatch(), Story(), []
        self.records = MemoryBackend()
        flow = read_flow(Wide, Path(__file__))
        claimed = RunRecord("Wide", "1", "t", "ann", 1.0, "f.py", "end", {}, {}, "sha256:0", "s3://bucket/package")
        stores = Stores("s3://bucket/root", self.records, ReadThroughStore(MemoryBackend(), list))
        settings = Settings(environment={"STEPWELL_BATCH_QUEUE": "queue"})
        said = self.said.append
        self.keeper = JobKeeper(self.story, flow, claimed, stores, settings, at_once, said)

    def client(self) -> BatchClient:
        client = BatchClient(
            "queue", client=self.aws, logs_client=self.aws, pace=Pace(least_seconds=1, most_seconds=1, seconds_per_call=0),
            patience=Patience(budget_seconds=5, first_seconds=0.1),
        )  # fmt: skip
        client._aws.clock, client._aws.sleep = lambda: self.now, self.sleep
        return client

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def submit(self, *indices: int, attempt: int = 0) -> list[TaskSpec]:
        frames = {index: (ForeachFrame("start", "items", index, 9),) for index in indices}
        specs = [TaskSpec("Wide", "1", "each", f"t{n}", attempt, (("start", "t0"),), frames[n]) for n in indices]
        self.keeper.submit(specs)
        return specs

    def look(self, logs: bool = True) -> None:
        self.sleep(1.5)
        if logs:
            self.keeper._logs._next = 0
        self.keeper.look()

    def finish(self, index: int) -> None:
        """The record that a task's job leaves."""
        record = TaskRecord("Wide", "1", "each", f"t{index}", 0, "t", 1.0, 2.0, Transition(targets=("join",)), {})
        self.records.create(done_name("Wide", "1", "each", f"t{index}"), encode(record))


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made: list[Bench] = []
    monkeypatch.setattr(keeping, "open_client", lambda settings, queue: made[0].client())
    monkeypatch.setattr(leftovers, "_SECONDS_BETWEEN_TRIES", 0)
    bench = Bench.__new__(Bench)
    made.append(bench)
    bench.__init__()
    yield bench
    bench.keeper.close()


def test_a_thousand_ends_are_found_with_one_submission_and_a_call_for_a_hundred(bench: Bench) -> None:
    bench.submit(*range(1000))
    assert (bench.aws.calls["submit_job"], bench.aws.calls["register_job_definition"]) == (1, 1)
    bench.look()
    before = bench.aws.calls["describe_jobs"]
    for index in range(300):
        bench.finish(index)
        bench.aws.end(f"job1:{index}")
    bench.look()
    assert len(bench.story.ends) == 300
    assert all(end.record for end in bench.story.ends.values())
    assert bench.aws.calls["describe_jobs"] - before <= 4, "the array, and the three hundred that ended"


def test_a_throttled_submission_is_sent_again(bench: Bench) -> None:
    bench.aws.errors["submit_job"] = ["ThrottlingException"] * 3
    bench.submit(0, 1)
    assert bench.aws.calls["submit_job"] == 4
    assert bench.story.places == {"t0": "batch job job1:0", "t1": "batch job job1:1"}


def test_one_that_is_throttled_for_good_ends_the_attempts_with_a_reason(bench: Bench) -> None:
    bench.aws.errors["submit_job"] = ["ThrottlingException"] * 99
    bench.submit(0, 1)
    assert [end.reason[:30] for end in bench.story.ends.values()] == ["its job could not be submitted"] * 2


def test_a_job_that_batch_forgets_is_not_waited_for(bench: Bench) -> None:
    bench.submit(0)
    bench.aws.jobs.clear()
    bench.look()
    assert not bench.story.ends, "a new job may not be known yet"
    bench.sleep(61)
    bench.look()
    assert "Batch does not know job job1" in bench.story.ends["t0"].reason


def test_a_job_that_batch_forgets_but_that_finished_is_done(bench: Bench) -> None:
    bench.submit(0)
    bench.finish(0)
    bench.aws.jobs.clear()
    bench.sleep(61)
    bench.look()
    assert bench.story.ends["t0"].record
    assert bench.story.ends["t0"].reason == ""


def test_each_line_is_shown_once_however_late_the_logs_are(bench: Bench) -> None:
    bench.submit(0, 1)
    bench.aws.prints("job1:0", "early")
    bench.look()
    bench.look()
    assert bench.story.lines == [("t0", "early")]
    log = LogBuffer()
    for line in (b"early", b"late", b"early"):
        log.add("o", line)
    bench.records.replace(log_name("Wide", "1", "each", "t0", 0), log.content())
    bench.finish(0)
    bench.aws.end("job1:0")
    bench.look()
    assert bench.story.lines == [("t0", "early"), ("t0", "late"), ("t0", "early")]


def test_logs_that_cannot_be_read_hold_nothing_up(bench: Bench) -> None:
    bench.submit(0, 1)
    bench.aws.prints("job1:0", "hidden")
    bench.aws.errors["filter_log_events"] = ["AccessDeniedException"] * 9
    bench.look()
    bench.finish(0)
    bench.aws.end("job1:0")
    bench.look()
    assert bench.story.ends["t0"].record


def test_what_a_killed_job_printed_is_kept_and_a_job_that_never_ran_says_so_in_its_log(bench: Bench) -> None:
    bench.submit(0, 1)
    bench.aws.prints("job1:0", "so far")
    bench.aws.end("job1:0", 137, statusReason="Essential container in task exited")
    bench.aws.end("job1:1", None, statusReason="Task failed to start")
    bench.aws.jobs["job1:1"]["container"] = {"reason": "CannotPullContainerError: not found", "image": "team/image"}
    bench.look(logs=False)
    logs = {
        n: [line.text for line in read_log(bench.records, log_name("Wide", "1", "each", n, 0))] for n in ("t0", "t1")
    }
    assert logs["t0"] == ["so far"]
    assert "the job never ran: Its image team/image was not found" in logs["t1"][0]
    assert "exit code 137 (killed by SIGKILL)" in bench.story.ends["t0"].reason
    assert bench.story.lines[0] == ("t0", "so far")


def test_a_datastore_that_is_away_is_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    away = iter([True, True, True])
    read = bench.records.read

    def maybe(name: str) -> bytes:
        if next(away, False):
            raise BackendUnavailable("S3 is away", name)
        return read(name)

    monkeypatch.setattr(bench.records, "read", maybe)
    bench.submit(0)
    bench.finish(0)
    bench.aws.end("job1")
    bench.look()
    assert bench.story.ends["t0"].record


def test_what_waited_in_vain_for_a_failed_child_is_submitted_again_and_loses_no_attempt(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.keeper._at_once = 2
    bench.submit(*range(4))
    assert [request["arrayProperties"] for request in bench.aws.submitted] == [{"size": 2}, {"size": 2}]
    assert "run in 2 array jobs of up to 2" in bench.said[0]
    bench.aws.end("job1:0", 1)
    bench.aws.end("job2:0", None, statusReason="Dependent Job failed")
    bench.look()
    assert list(bench.story.ends) == ["t0"]
    variables = {one["name"]: one["value"] for one in bench.aws.submitted[2]["containerOverrides"]["environment"]}
    assert (variables["STEPWELL_FOREACH_PATH"], variables["STEPWELL_ATTEMPT_BASE"]) == ("2", "0")


def test_an_array_is_ended_by_one_call_and_a_child_by_its_own(bench: Bench) -> None:
    first = bench.submit(*range(4))
    bench.keeper.terminate([(first[1], False)])
    assert bench.aws.ended == ["job1:1"]
    bench.keeper.terminate([(spec, False) for spec in first])
    assert bench.aws.ended == ["job1:1", "job1:0", "job1:2", "job1:3"]
    second = bench.submit(5, 6)
    bench.keeper.terminate([(spec, False) for spec in second])
    assert bench.aws.ended[-1] == "job2"
    bench.keeper.terminate([(spec, True) for spec in second])
    assert {"t5", "t6"} <= set(bench.story.ends), "with force, their ends are not waited for"


def test_attempts_that_the_cluster_made_itself_are_counted(bench: Bench) -> None:
    bench.submit(0, attempt=1)
    request = bench.aws.submitted[0]
    assert request["retryStrategy"]["attempts"] == 1, "of two tries one is left"
    bench.submit(3)
    request = bench.aws.submitted[1]
    assert request["retryStrategy"]["attempts"] == 2
    assert request["retryStrategy"]["evaluateOnExit"][0]["onStatusReason"] == "Host EC2*"
    bench.finish(3)
    bench.aws.end("job2")
    bench.aws.jobs["job2"]["attempts"] *= 2
    bench.look()
    assert bench.story.ends["t3"].retried == 1
