"""Jobs against the rig, with real processes and real containers."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from compute_batch import FailureKind, JobFailed, JobNotFound, JobSpec, WaitTimedOut
from rigging import SECONDS, Gate, aws, client_of, shell
from stepwell_testing.aws_rig import Rig, engines_here


def test_a_job_runs_its_command_with_its_environment(rig: Rig) -> None:
    job = client_of(rig).submit(shell(rig, 'echo "$GREETING, $0"', environment={"GREETING": "hello world"}))
    assert job.wait(SECONDS, check=True) == "SUCCEEDED"
    assert list(job.logs()) == ["hello world, sh"]
    assert job.reason is None


def test_lines_can_be_read_while_the_job_runs(rig: Rig, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    job = client_of(rig).submit(shell(rig, f"echo early; {gate.waiting}; echo late", volumes=[gate.volume]))
    lines = job.logs(follow=True, timeout=SECONDS, settle=0.2)
    assert (next(lines), job.is_finished) == ("early", False)
    gate.open()
    assert (list(lines), job.is_finished) == (["late"], True)


def test_a_tail_gives_each_line_once_and_never_waits(process_rig: Rig) -> None:
    job = client_of(process_rig).submit(shell(process_rig, "for n in 1 2 3; do echo $n; sleep 0.3; done"))
    tail, lines, deadline = job.tail(), [], time.monotonic() + SECONDS
    assert tail.read() == []
    while not job.is_finished and time.monotonic() < deadline:
        job.refresh()
        lines += tail.read()
        time.sleep(0.05)
    lines += tail.rest()
    assert [line.text for line in lines] == ["1", "2", "3"]
    assert {line.job_id for line in lines} == {job.id}
    assert tail.read() == []


def test_an_exit_code_is_told_in_words(process_rig: Rig) -> None:
    job = client_of(process_rig).submit(shell(process_rig, "exit 3"))
    with pytest.raises(JobFailed, match=r"test .* failed: Its command ended with exit code 3") as caught:
        job.wait(SECONDS, check=True)
    assert (caught.value.failure.kind, caught.value.failure.exit_code) == (FailureKind.EXIT_CODE, 3)


def test_attempts_have_logs_of_their_own_that_are_read_in_order(rig: Rig) -> None:
    script = 'echo "attempt $AWS_BATCH_JOB_ATTEMPT"; test "$AWS_BATCH_JOB_ATTEMPT" = 3'
    job = client_of(rig).submit(shell(rig, script, attempts=3))
    assert job.wait(SECONDS) == "SUCCEEDED"
    assert [attempt.exit_code for attempt in job.snapshot.attempts] == [1, 1, 0]
    assert list(job.logs()) == ["attempt 1", "attempt 2", "attempt 3"]


def test_a_timeout_is_told_in_words(rig: Rig) -> None:
    job = client_of(rig).submit(shell(rig, "sleep 50", timeout_seconds=60))
    job.wait(SECONDS)
    assert job.failure is not None
    assert job.failure.kind is FailureKind.TIMEOUT


def test_a_job_is_terminated_where_it_stands(process_rig: Rig) -> None:
    job = client_of(process_rig).submit(shell(process_rig, "echo up; sleep 50"))
    next(job.logs(follow=True, timeout=SECONDS))
    job.terminate("enough")
    assert job.wait(SECONDS) == "FAILED"
    assert job.snapshot.status_reason == "enough"


def test_a_command_that_is_missing_is_not_started(process_rig: Rig) -> None:
    job = client_of(process_rig).submit(JobSpec(name="test", image=process_rig.image, command=["no-such-command"]))
    job.wait(SECONDS)
    assert job.failure is not None
    assert job.failure.kind is FailureKind.NOT_STARTED


@pytest.mark.parametrize("rig", [engine for engine in engines_here() if engine == "podman"], indirect=True)
def test_an_image_that_is_missing_is_named(rig: Rig) -> None:
    job = client_of(rig).submit(shell(rig, "true", image="localhost/no-such-image:1"))
    job.wait(SECONDS)
    assert job.failure is not None
    assert job.failure.kind is FailureKind.IMAGE_NOT_FOUND
    assert "localhost/no-such-image:1" in job.failure.message


def test_a_job_of_someone_else_is_found_by_its_id(process_rig: Rig) -> None:
    theirs = client_of(process_rig).submit(shell(process_rig, "echo theirs"))
    job = client_of(process_rig).job(theirs.id)
    assert job.wait(SECONDS) == "SUCCEEDED"
    assert (job.name, list(job.logs())) == ("test", ["theirs"])


def test_a_job_that_nobody_submitted_is_not_found(process_rig: Rig) -> None:
    with pytest.raises(JobNotFound, match="knows no job nope"):
        client_of(process_rig).job("nope")
    (job,) = client_of(process_rig).jobs(["nope"])
    assert (job.status, job.is_finished) == ("UNKNOWN", True)
    assert job.failure is not None
    assert job.failure.kind is FailureKind.DISAPPEARED


def test_a_wait_ends_while_the_job_goes_on(process_rig: Rig) -> None:
    job = client_of(process_rig).submit(shell(process_rig, "sleep 50"))
    with pytest.raises(WaitTimedOut, match="is still"):
        job.wait(timeout=0.3)
    job.terminate("over")
    assert job.wait(SECONDS) == "FAILED"


def test_many_jobs_are_watched_together(process_rig: Rig) -> None:
    batch = client_of(process_rig)
    jobs = [batch.submit(shell(process_rig, f"exit {n}")) for n in (0, 1, 2)]
    changes = list(batch.watch(jobs, timeout=SECONDS))
    assert set(changes) == set(jobs)
    assert [job.snapshot.exit_code for job in jobs] == [0, 1, 2]
    assert batch.refresh_many(jobs) == []


def test_jobs_of_one_shape_share_one_definition(process_rig: Rig) -> None:
    def definitions() -> int:
        found = aws(process_rig, "batch").describe_job_definitions()["jobDefinitions"]
        return sum(1 for definition in found if definition["jobDefinitionName"].startswith("shared-"))

    for client in (client_of(process_rig, definition_prefix="shared") for _ in range(2)):
        for n in range(3):
            client.submit(shell(process_rig, f"exit {n}", environment={"N": str(n)}, attempts=n + 1))
    assert definitions() == 1
    client.submit(shell(process_rig, "true", memory_mib=256))
    assert definitions() == 2


def test_a_definition_that_someone_deregistered_is_registered_again(process_rig: Rig) -> None:
    batch, spec = client_of(process_rig), shell(process_rig, "true", memory_mib=333)
    aws(process_rig, "batch").deregister_job_definition(jobDefinition=batch.definition(spec))
    assert client_of(process_rig).submit(spec).wait(SECONDS) == "SUCCEEDED"
