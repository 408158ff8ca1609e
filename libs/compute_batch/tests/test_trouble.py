"""AWS throttles, loses answers, is away, does not know a job: what the rig cannot do, by stubbed services."""

from __future__ import annotations

import uuid
from pathlib import Path

import botocore.exceptions
import pytest
from compute_batch import (
    BatchClient,
    FailureKind,
    InvalidSpec,
    Job,
    JobNotFound,
    Patience,
    ServiceError,
    Throttled,
    WaitTimedOut,
)
from compute_batch.submitting import TOKEN
from stubs import SOON, SPEC, Stubbed, described


@pytest.mark.parametrize("code", ["TooManyRequestsException", "ThrottlingException", "RequestLimitExceeded"])
def test_a_throttled_submission_is_sent_again_after_a_growing_wait(code: str) -> None:
    aws = Stubbed(patience=SOON)
    aws.definition()
    for _ in range(3):
        aws.fail("batch", "submit_job", code)
    aws.submitted("id")
    assert aws.client.submit(SPEC).id == "id"
    assert [0.5 <= nap / longest <= 1 for nap, longest in zip(aws.clock.naps, (1, 2, 4), strict=True)] == [True] * 3


def test_throttling_beyond_the_budget_is_an_error_that_may_be_tried_again() -> None:
    aws = Stubbed(patience=SOON)
    aws.definition()
    for _ in range(20):
        aws.fail("batch", "submit_job", "TooManyRequestsException", 429, "Too Many Requests")
    with pytest.raises(Throttled, match=r"Could not submit job 'job' to queue queue: .* Try again later") as caught:
        aws.client.submit(SPEC)
    assert caught.value.retryable
    assert 5 < sum(aws.clock.naps) <= 10
    assert isinstance(caught.value.__cause__, botocore.exceptions.ClientError)


def test_a_refused_submission_is_not_sent_again() -> None:
    aws = Stubbed()
    aws.definition()
    aws.fail("batch", "submit_job", "ClientException", 400, "JobQueue queue does not exist")
    with pytest.raises(ServiceError, match="JobQueue queue does not exist") as caught:
        aws.client.submit(SPEC)
    assert (caught.value.retryable, caught.value.code, aws.clock.naps) == (False, "ClientException", [])


def test_a_job_whose_answer_was_lost_is_found_and_not_submitted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    token = uuid.UUID(int=7)
    monkeypatch.setattr(uuid, "uuid4", lambda: token)
    aws = Stubbed()
    aws.definition()
    aws.fail("batch", "submit_job", "ServerException", 500)
    summaries = [{"jobId": job_id, "jobName": "job", "createdAt": n} for n, job_id in enumerate(("other", "mine"))]
    aws.batch(
        "list_jobs",
        {"jobSummaryList": summaries},
        {"jobQueue": "queue", "filters": [{"name": "JOB_NAME", "values": ["job"]}]},
    )
    mine = described("mine", "RUNNABLE", container={"environment": [{"name": TOKEN, "value": token.hex}]})
    aws.described(described("other", "RUNNING", container={"environment": []}), mine, asked=["mine", "other"])
    assert aws.client.submit(SPEC).id == "mine"
    aws.all_was_asked()


def test_a_job_that_was_lost_on_its_way_is_submitted_again() -> None:
    aws = Stubbed()
    aws.definition()
    aws.fail("batch", "submit_job", "ServerException", 500)
    aws.batch("list_jobs", {"jobSummaryList": []})
    aws.submitted("second")
    assert aws.client.submit(SPEC).id == "second"
    aws.all_was_asked()


def test_aws_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    batch = BatchClient("q", endpoint_url="http://127.0.0.1:1", region="us-east-1", patience=Patience(budget_seconds=0))
    with pytest.raises(ServiceError, match="AWS was not reached") as caught:
        batch.submit(SPEC)
    assert caught.value.retryable


def test_denied_access_says_what_to_check() -> None:
    aws = Stubbed()
    aws.fail("batch", "describe_job_definitions", "AccessDeniedException", 403)
    with pytest.raises(ServiceError, match="Check the credentials and their policies") as caught:
        aws.client.submit(SPEC)
    assert not caught.value.retryable


def test_without_credentials_it_says_where_they_can_come_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_credentials(monkeypatch, tmp_path)
    batch = BatchClient("q", endpoint_url="http://127.0.0.1:1", region="us-east-1")
    with pytest.raises(ServiceError, match=r"Unable to locate credentials\. Log in to AWS, set AWS_PROFILE"):
        batch.submit(SPEC)


def without_credentials(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(folder / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


# ---- jobs that Batch does not know


def test_a_new_job_may_be_unknown_for_a_minute() -> None:
    aws = Stubbed()
    aws.definition()
    aws.submitted("id")
    job = aws.client.submit(SPEC)
    aws.described()
    assert job.refresh() == "SUBMITTED"
    aws.clock.now += 61
    aws.described()
    with pytest.raises(JobNotFound, match="id"):
        job.refresh()
    assert job.failure is not None
    assert job.failure.kind is FailureKind.DISAPPEARED


def test_children_that_were_never_made_end_as_their_array() -> None:
    aws = Stubbed()
    aws.definition()
    aws.submitted("id")
    array = aws.client.submit_array(SPEC, 2)
    aws.described(described("id", "FAILED", statusReason="Dependent Job failed", arrayProperties={"size": 2}))
    aws.described()
    assert array.wait() == "FAILED"
    assert [child.failure and child.failure.kind for child in array.children] == [FailureKind.DEPENDENCY] * 2
    assert "never ran" in (array.reason or "")


# ---- watching


def jobs_of(aws: Stubbed, count: int) -> list[Job]:
    aws.definition()
    for n in range(count):
        aws.submitted(f"id{n}")
    return [aws.client.submit(SPEC) for _ in range(count)]


def test_many_jobs_are_described_a_hundred_at_a_time() -> None:
    aws = Stubbed()
    jobs = jobs_of(aws, 250)
    for start, end in ((0, 100), (100, 200), (200, 250)):
        ids = [f"id{n}" for n in range(start, end)]
        aws.described(
            *(described(job_id, "RUNNING" if job_id == "id123" else "SUBMITTED") for job_id in ids), asked=ids
        )
    watcher = aws.client.watcher(jobs)
    aws.clock.now += watcher.seconds_to_next_poll
    watcher.poll()
    assert jobs[123].status == "RUNNING"
    aws.all_was_asked()


def test_a_watcher_makes_no_call_before_its_time_and_looks_ever_more_rarely() -> None:
    aws = Stubbed()
    watcher = aws.client.watcher(jobs_of(aws, 1))
    waits = []
    for _ in range(30):
        assert watcher.seconds_to_next_poll == 0
        aws.described(described("id0", "RUNNING"))
        watcher.poll()
        assert watcher.poll() == []  # would call if it were due
        waits.append(watcher.seconds_to_next_poll)
        aws.clock.now += waits[-1]
    assert (waits[0], waits[-1]) == (1, 30)
    assert waits == sorted(waits)


def test_a_job_that_joins_is_looked_at_soon() -> None:
    aws = Stubbed()
    old, new = jobs_of(aws, 2)
    watcher = aws.client.watcher([old])
    for _ in range(30):
        aws.described(described("id0", "RUNNING"))
        watcher.poll()
        aws.clock.now += watcher.seconds_to_next_poll
    aws.described(described("id0", "RUNNING"))
    watcher.poll()
    assert watcher.seconds_to_next_poll == 30
    watcher.add([new])
    assert watcher.seconds_to_next_poll == 1


def test_a_throttled_watcher_waits_and_goes_on() -> None:
    aws = Stubbed()
    (job,) = jobs_of(aws, 1)
    watcher = aws.client.watcher([job])
    aws.clock.now += watcher.seconds_to_next_poll
    aws.fail("batch", "describe_jobs", "TooManyRequestsException", 429)
    assert watcher.poll() == []
    assert isinstance(watcher.trouble, Throttled)
    assert (watcher.seconds_to_next_poll, aws.clock.naps) == (2.0, [])
    aws.clock.now += 2
    aws.described(described("id0", "SUCCEEDED"))
    assert watcher.poll() == [job]
    assert (watcher.trouble, len(watcher), watcher.seconds_to_next_poll) == (None, 0, float("inf"))


def test_what_changed_before_a_throttled_call_is_told_all_the_same() -> None:
    aws = Stubbed()
    jobs = jobs_of(aws, 150)
    watcher = aws.client.watcher(jobs)
    aws.clock.now += watcher.seconds_to_next_poll
    aws.described(*(described(f"id{n}", "RUNNING") for n in range(100)))
    aws.fail("batch", "describe_jobs", "TooManyRequestsException", 429)
    assert watcher.poll() == jobs[:100]


def test_a_watcher_that_is_refused_says_so() -> None:
    aws = Stubbed()
    watcher = aws.client.watcher(jobs_of(aws, 1))
    aws.clock.now += watcher.seconds_to_next_poll
    aws.fail("batch", "describe_jobs", "AccessDeniedException", 403)
    with pytest.raises(ServiceError):
        watcher.poll()


def test_watching_ends_with_the_last_job_or_the_time() -> None:
    aws = Stubbed()
    jobs = jobs_of(aws, 2)
    aws.described(described("id0", "SUCCEEDED"), described("id1", "RUNNING"))
    aws.described(described("id1", "SUCCEEDED"))
    assert list(aws.client.watch(jobs)) == [*jobs, jobs[1]]


def test_watching_is_over_when_its_time_is() -> None:
    aws = Stubbed()
    (late,) = jobs_of(aws, 1)
    for _ in range(10):
        aws.described(described("id0", "RUNNING"))
    with pytest.raises(WaitTimedOut, match="still RUNNING after 5 s"):
        list(aws.client.watch([late], timeout=5))


# ---- arrays


def test_a_fan_out_beyond_one_array_is_split_and_counts_on() -> None:
    aws = Stubbed()
    aws.definition()
    for n in range(3):
        aws.submitted(f"part{n}")
    array = aws.client.submit_array(SPEC, 25_000)
    assert [(part.first, len(part.children)) for part in array.parts] == [(0, 8333), (8333, 8333), (16666, 8334)]
    assert (array.children[-1].id, array.children[-1].index) == ("part2:8333", 24_999)


def test_nothing_stays_of_an_array_that_could_not_be_submitted_whole() -> None:
    aws = Stubbed()
    aws.definition()
    aws.submitted("part0")
    aws.fail("batch", "submit_job", "ClientException")
    aws.batch("terminate_job", {}, {"jobId": "part0", "reason": "the rest of the array could not be submitted"})
    with pytest.raises(ServiceError):
        aws.client.submit_array(SPEC, 20_000)
    aws.all_was_asked()


def test_an_array_has_ended_when_its_slowest_child_is_known_to_have() -> None:
    aws = Stubbed()
    aws.definition()
    aws.submitted("id")
    array = aws.client.submit_array(SPEC, 2)
    watcher = aws.client.watcher([array])
    end = described("id", "SUCCEEDED", arrayProperties={"size": 2, "statusSummary": {"SUCCEEDED": 2}})
    aws.described(end, asked=["id"])
    aws.described(described("id:0", "SUCCEEDED"), described("id:1", "RUNNING"), asked=["id:0", "id:1"])
    assert watcher.poll() == [*array.children, array]
    assert not array.is_finished
    aws.clock.now += watcher.seconds_to_next_poll
    aws.described(described("id:1", "SUCCEEDED"), asked=["id:1"])
    assert watcher.poll() == [array.children[1], array]
    assert (array.is_finished, watcher.unfinished) == (True, [])


def test_children_are_asked_about_only_if_the_counts_have_changed() -> None:
    aws = Stubbed()
    aws.definition()
    aws.submitted("id")
    array = aws.client.submit_array(SPEC, 3)

    def parent(**counts: int) -> dict[str, object]:
        return described("id", "PENDING", arrayProperties={"size": 3, "statusSummary": counts})

    aws.described(parent(RUNNING=1, RUNNABLE=2), asked=["id"])
    children = [described("id:0", "RUNNING"), described("id:1", "RUNNABLE"), described("id:2", "RUNNABLE")]
    aws.described(*children, asked=["id:0", "id:1", "id:2"])
    array.refresh()
    aws.described(parent(RUNNING=1, RUNNABLE=2), asked=["id"])
    array.refresh()
    aws.described(parent(SUCCEEDED=1, RUNNABLE=2), asked=["id"])
    aws.described(described("id:0", "SUCCEEDED"), *children[1:], asked=["id:0", "id:1", "id:2"])
    array.refresh()
    aws.described(parent(SUCCEEDED=1, RUNNING=1, RUNNABLE=1), asked=["id"])
    aws.described(described("id:1", "RUNNING"), children[2], asked=["id:1", "id:2"])
    array.refresh()
    aws.all_was_asked()


def test_children_are_asked_about_until_the_changes_are_found_and_those_at_work_first() -> None:
    aws = Stubbed()
    aws.definition()
    aws.submitted("id")
    array = aws.client.submit_array(SPEC, 300)

    def parent(**counts: int) -> dict[str, object]:
        return described("id", "PENDING", arrayProperties={"size": 300, "statusSummary": counts})

    first = [f"id:{n}" for n in range(100)]
    aws.described(parent(RUNNING=1, SUBMITTED=299), asked=["id"])
    aws.described(*(described(name, "RUNNING" if name == "id:7" else "SUBMITTED") for name in first), asked=first)
    array.refresh()
    at_work = ["id:7", *(name for name in first if name != "id:7")]
    aws.described(parent(SUCCEEDED=1, SUBMITTED=299), asked=["id"])
    aws.described(*(described(name, "SUCCEEDED" if name == "id:7" else "SUBMITTED") for name in at_work), asked=at_work)
    array.refresh()
    assert [child.id for child in array.children if child.is_finished] == ["id:7"]
    aws.all_was_asked()


@pytest.mark.parametrize("size", [0, -1, 1.5, True])
def test_an_array_has_a_whole_number_of_children(size: int) -> None:
    with pytest.raises(InvalidSpec, match="whole number, 1 at least"):
        Stubbed().client.submit_array(SPEC, size)


def test_a_job_waits_for_twenty_others_at_most() -> None:
    aws = Stubbed()
    with pytest.raises(InvalidSpec, match="20 others at most, not 21"):
        aws.client.submit(SPEC, after=[f"id{n}" for n in range(21)])


def test_counterparts_are_of_arrays_cut_alike() -> None:
    aws = Stubbed()
    aws.definition()
    aws.submitted("first")
    first = aws.client.submit_array(SPEC, 4)
    with pytest.raises(InvalidSpec, match="same size and at_once"):
        aws.client.submit_array(SPEC, 5, each_after=first)


def test_one_refusal_does_not_spare_the_other_jobs() -> None:
    aws = Stubbed()
    jobs = jobs_of(aws, 2)
    aws.fail("batch", "terminate_job", "ClientException")
    aws.batch("terminate_job", {}, {"jobId": "id1", "reason": "over"})
    with pytest.raises(ServiceError, match="terminate job id0"):
        aws.client.terminate(jobs, "over")
    aws.all_was_asked()
