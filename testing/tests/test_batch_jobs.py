"""The rig's Batch against what AWS does, as far as stepwell relies on it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from stepwell_testing.aws_rig import Rig, engines_here

SECONDS = 60


def define(rig: Rig, *command: str, **more: Any) -> str:
    properties = {
        "image": more.pop("image", rig.image),
        "command": list(command),
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "128"}],
    }
    registered = rig.client("batch").register_job_definition(
        jobDefinitionName="test", type="container", containerProperties=properties, **more
    )
    return str(registered["jobDefinitionArn"])


def submit(rig: Rig, *command: str, image: str | None = None, **more: Any) -> str:
    definition = define(rig, *command, **({"image": image} if image else {}))
    batch = rig.client("batch")
    return str(batch.submit_job(jobName="j", jobQueue=rig.queue, jobDefinition=definition, **more)["jobId"])


def wait(rig: Rig, job: str) -> dict[str, Any]:
    batch, deadline = rig.client("batch"), time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        found: dict[str, Any] = batch.describe_jobs(jobs=[job])["jobs"][0]
        if found["status"] in ("SUCCEEDED", "FAILED"):
            return found
        time.sleep(0.05)
    raise AssertionError(f"{found}\n{rig.log()[-3000:]}")


def log_of(rig: Rig, container: dict[str, Any]) -> list[str]:
    logs = rig.client("logs")
    events = logs.get_log_events(logGroupName="/aws/batch/job", logStreamName=container["logStreamName"])["events"]
    return [event["message"] for event in events]


def test_a_job_runs_and_logs(rig: Rig) -> None:
    job = wait(rig, submit(rig, "sh", "-c", "echo one; echo; echo two >&2"))
    assert (job["status"], job["container"]["exitCode"]) == ("SUCCEEDED", 0)
    assert sorted(log_of(rig, job["container"])) == ["one", "two"]


def test_python_is_there_with_boto3(rig: Rig) -> None:
    job = wait(
        rig, submit(rig, "python", "-c", "import boto3; print(boto3.client('s3').list_buckets()['Buckets'][0]['Name'])")
    )
    assert log_of(rig, job["container"]) == [rig.bucket]


def test_failures_carry_code_and_reason(rig: Rig) -> None:
    job = wait(rig, submit(rig, "sh", "-c", "exit 3"))
    assert (job["status"], job["container"]["exitCode"]) == ("FAILED", 3)
    assert job["statusReason"] == "Essential container in task exited"


def test_a_command_that_is_missing_does_not_start(rig: Rig) -> None:
    job = wait(rig, submit(rig, "no-such-command"))
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
    assert job["container"]["reason"].startswith("CannotStartContainerError")


def test_retries_number_their_attempts(rig: Rig) -> None:
    script = 'echo "attempt $AWS_BATCH_JOB_ATTEMPT"; test "$AWS_BATCH_JOB_ATTEMPT" = 2'
    job = wait(rig, submit(rig, "sh", "-c", script, retryStrategy={"attempts": 3}))
    assert job["status"] == "SUCCEEDED"
    assert [log_of(rig, attempt["container"]) for attempt in job["attempts"]] == [["attempt 1"], ["attempt 2"]]


def test_retry_rules_may_exit_early(process_rig: Rig) -> None:
    rules = [{"onExitCode": "4*", "action": "EXIT"}, {"onReason": "*", "action": "RETRY"}]
    job = wait(
        process_rig, submit(process_rig, "sh", "-c", "exit 42", retryStrategy={"attempts": 3, "evaluateOnExit": rules})
    )
    assert len(job["attempts"]) == 1


def test_an_array_runs_a_job_per_index_and_fails_with_one(rig: Rig) -> None:
    script = 'echo "$AWS_BATCH_JOB_ARRAY_INDEX of $AWS_BATCH_JOB_ARRAY_SIZE"; test "$AWS_BATCH_JOB_ARRAY_INDEX" != 1'
    parent = submit(rig, "sh", "-c", script, arrayProperties={"size": 3})
    job = wait(rig, parent)
    assert (job["status"], job["statusReason"]) == ("FAILED", "Array Child Job failed")
    assert {key: n for key, n in job["arrayProperties"]["statusSummary"].items() if n} == {"SUCCEEDED": 2, "FAILED": 1}
    children = rig.client("batch").describe_jobs(jobs=[f"{parent}:{index}" for index in range(3)])["jobs"]
    assert [child["status"] for child in children] == ["SUCCEEDED", "FAILED", "SUCCEEDED"]
    assert [log_of(rig, child["container"]) for child in children] == [[f"{index} of 3"] for index in range(3)]


def test_an_attempt_that_times_out_is_killed_and_not_retried(rig: Rig) -> None:
    job = wait(rig, submit(rig, "sleep", "50", timeout={"attemptDurationSeconds": 60}, retryStrategy={"attempts": 3}))
    assert (job["status"], job["statusReason"]) == ("FAILED", "Job attempt duration exceeded timeout")
    assert (job["container"]["exitCode"], len(job["attempts"])) == (137, 1)


def test_termination_ends_a_running_job_with_its_children(rig: Rig) -> None:
    batch = rig.client("batch")
    identifier = submit(rig, "sh", "-c", "echo up; sleep 50 & wait", retryStrategy={"attempts": 3})
    deadline = time.monotonic() + SECONDS
    while batch.describe_jobs(jobs=[identifier])["jobs"][0]["status"] != "RUNNING" and time.monotonic() < deadline:
        time.sleep(0.05)
    batch.terminate_job(jobId=identifier, reason="enough")
    job = wait(rig, identifier)
    assert (job["status"], job["statusReason"], len(job["attempts"])) == ("FAILED", "enough", 1)


def test_dependencies_come_first_and_fail_with_it(process_rig: Rig) -> None:
    first = submit(process_rig, "sh", "-c", "sleep 0.3; exit 1")
    job = wait(process_rig, submit(process_rig, "true", dependsOn=[{"jobId": first}]))
    assert (job["status"], job["statusReason"]) == ("FAILED", "Dependent Job failed")


def test_n_to_n_pairs_the_children_of_two_arrays(process_rig: Rig) -> None:
    first = submit(process_rig, "true", arrayProperties={"size": 3})
    dependency = [{"jobId": first, "type": "N_TO_N"}]
    job = wait(process_rig, submit(process_rig, "true", arrayProperties={"size": 3}, dependsOn=dependency))
    assert job["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    "wrong",
    [
        {"jobQueue": "nowhere"},
        {"arrayProperties": {"size": 1}},
        {"arrayProperties": {"size": 10001}},
        {"timeout": {"attemptDurationSeconds": 59}},
        {"containerOverrides": {"environment": [{"name": "X", "value": "x" * 8192}]}},
        {"jobName": "no spaces"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_submissions_that_aws_refuses_are_refused(process_rig: Rig, wrong: dict[str, Any]) -> None:
    batch = process_rig.client("batch")
    request = {"jobName": "j", "jobQueue": process_rig.queue, "jobDefinition": define(process_rig, "true"), **wrong}
    with pytest.raises(batch.exceptions.ClientException):
        batch.submit_job(**request)


def test_a_job_gets_its_own_environment_only(process_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAK", "yes")
    overrides = {"environment": [{"name": "MINE", "value": "a b"}]}
    job = wait(process_rig, submit(process_rig, "sh", "-c", 'echo "$MINE-$LEAK"', containerOverrides=overrides))
    assert log_of(process_rig, job["container"]) == ["a b-"]


def test_added_variables_reach_jobs_and_send_s3_elsewhere() -> None:
    with Rig() as elsewhere, Rig(job_environment={"AWS_ENDPOINT_URL_S3": elsewhere.url}, bucket="other") as rig:
        assert "other" in [bucket["Name"] for bucket in elsewhere.client("s3").list_buckets()["Buckets"]]
        job = wait(rig, submit(rig, "sh", "-c", 'echo "$AWS_ENDPOINT_URL_S3 $AWS_ENDPOINT_URL"'))
        assert log_of(rig, job["container"]) == [f"{elsewhere.url} {rig.url}"]


@pytest.mark.parametrize("rig", [engine for engine in engines_here() if engine == "podman"], indirect=True)
def test_a_missing_image_fails_without_a_download(rig: Rig) -> None:
    job = wait(rig, submit(rig, "true", image="localhost/no-such-image:1"))
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
    assert job["container"]["reason"].startswith("CannotPullContainerError")


def test_nothing_outlives_the_rig(tmp_path: Any) -> None:
    with Rig() as rig:
        pid_file = tmp_path / "pid"
        submit(rig, "sh", "-c", f"echo $$ > {pid_file}; exec sleep 50")
        deadline = time.monotonic() + SECONDS
        while not (pid_file.exists() and pid_file.read_text().strip()) and time.monotonic() < deadline:
            time.sleep(0.05)
        pid = int(pid_file.read_text())
    deadline = time.monotonic() + SECONDS
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
