"""Logs that are late, missing, elsewhere, or cut into pages, by stubbed services."""

from __future__ import annotations

from typing import Any

import pytest
from compute_batch import IMPATIENT, Job, LogsUnavailable, ServiceError, Throttled
from stubs import Stubbed, described


def job_with(aws: Stubbed, job_id: str, *streams: str, status: str = "RUNNING", **container: Any) -> Job:
    attempts = [{"container": {"logStreamName": stream}} for stream in streams[:-1]]
    current = {"logStreamName": streams[-1]} if streams else {}
    aws.described(described(job_id, status, attempts=attempts, container={**current, **container}))
    return aws.client.job(job_id)


def page(*texts: str, token: str) -> dict[str, Any]:
    return {
        "events": [{"timestamp": n + 1, "message": text} for n, text in enumerate(texts)],
        "nextForwardToken": token,
    }


def test_pages_are_read_on_to_the_end() -> None:
    aws = Stubbed()
    tail = job_with(aws, "id", "s").tail()
    where = {"logGroupName": "/aws/batch/job", "logStreamName": "s", "startFromHead": True}
    aws.logs("get_log_events", page("a", "b", token="t1"), where)
    aws.logs("get_log_events", page("c", token="t2"), {**where, "nextToken": "t1"})
    aws.logs("get_log_events", page(token="t2"), {**where, "nextToken": "t2"})
    assert [line.text for line in tail.rest()] == ["a", "b", "c"]
    aws.all_was_asked()


def test_a_log_that_is_not_there_yet_has_no_lines() -> None:
    aws = Stubbed()
    tail = job_with(aws, "id", "s").tail()
    aws.fail("logs", "get_log_events", "ResourceNotFoundException")
    assert tail.read() == []
    aws.logs("get_log_events", page("late", token="t"))
    assert [line.text for line in tail.read()] == ["late"]


def test_a_job_that_never_ran_has_an_empty_log() -> None:
    aws = Stubbed()
    job = job_with(aws, "id", status="FAILED")
    assert list(job.logs()) == []
    assert list(job.logs(follow=True, settle=1)) == []


def test_what_was_read_before_an_error_comes_with_the_next_read() -> None:
    aws = Stubbed()
    tail = job_with(aws, "id", "first", "second").tail()
    aws.logs("get_log_events", page("one", token="t"))
    aws.fail("logs", "get_log_events", "ThrottlingException")
    with pytest.raises(Throttled):
        tail.read(IMPATIENT)
    aws.logs("get_log_events", page(token="t"))
    aws.logs("get_log_events", page("two", token="u"))
    assert [line.text for line in tail.read(IMPATIENT)] == ["one", "two"]


def test_an_attempt_that_was_read_to_its_end_is_not_asked_for_again() -> None:
    aws = Stubbed()
    tail = job_with(aws, "id", "first", "second").tail()
    for first in (page("one", token="t"), page(token="t")):
        aws.logs("get_log_events", first)
        aws.logs("get_log_events", page(token="u"))
    aws.logs("get_log_events", page("two", token="v"), {
        "logGroupName": "/aws/batch/job", "logStreamName": "second", "startFromHead": True, "nextToken": "u",
    })  # fmt: skip
    assert [[line.text for line in tail.read()] for _ in range(3)] == [["one"], [], ["two"]]
    aws.all_was_asked()


def test_a_log_in_a_group_of_one_s_own_is_read_there() -> None:
    aws = Stubbed()
    options = {"logDriver": "awslogs", "options": {"awslogs-group": "/team"}}
    tail = job_with(aws, "id", "s", logConfiguration=options).tail()
    aws.logs(
        "get_log_events", page("a", token="t"), {"logGroupName": "/team", "logStreamName": "s", "startFromHead": True}
    )
    assert [line.text for line in tail.read()] == ["a"]


def test_a_log_that_is_elsewhere_is_said_to_be_there() -> None:
    aws = Stubbed()
    job = job_with(aws, "id", "s", logConfiguration={"logDriver": "splunk"})
    with pytest.raises(LogsUnavailable, match="'splunk'"):
        job.tail().read()


def test_following_reads_on_until_the_log_has_settled() -> None:
    aws = Stubbed()
    job = job_with(aws, "id", "s", status="SUCCEEDED")
    aws.logs("get_log_events", page("a", token="t"))
    aws.logs("get_log_events", page("late", token="u"))
    for _ in range(50):
        aws.logs("get_log_events", page(token="u"))
    assert list(job.logs(follow=True, settle=5)) == ["a", "late"]
    assert 5 <= sum(aws.clock.naps) < 15


# ---- merged


def found(*events: tuple[int, str, str], token: str | None = None) -> dict[str, Any]:
    """An answer of FilterLogEvents: milliseconds, stream, text; the text is the event's id, too."""
    events_found = [
        {"eventId": text, "timestamp": at, "logStreamName": stream, "message": text} for at, stream, text in events
    ]
    return {"events": events_found, **({"nextToken": token} if token else {})}


def asked(*streams: str, since: int = 0, **more: str) -> dict[str, Any]:
    return {"logGroupName": "/aws/batch/job", "logStreamNames": list(streams), "startTime": since, **more}


def test_a_hundred_logs_are_one_call_and_later_reads_begin_a_minute_back() -> None:
    aws = Stubbed()
    jobs = [job_with(aws, f"id{n}", f"s{n}") for n in range(100)]
    streams = [f"s{n}" for n in range(100)]
    tail = aws.client.tail(jobs)
    aws.logs("filter_log_events", found((200_000, "s5", "b"), (100_000, "s7", "a")), asked(*streams))
    assert [(line.text, line.job_id) for line in tail.read()] == [("a", "id7"), ("b", "id5")]
    # late by less than a minute: shown; met before: not shown again
    aws.logs("filter_log_events", found((200_000, "s5", "b"), (150_000, "s9", "late")), asked(*streams, since=140_000))
    assert [line.text for line in tail.read()] == ["late"]
    aws.all_was_asked()


def test_a_job_that_joins_is_read_from_its_beginning() -> None:
    aws = Stubbed()
    tail = aws.client.tail([job_with(aws, "old", "s-old")])
    aws.logs("filter_log_events", found((500_000, "s-old", "now")))
    tail.read()
    tail.add([job_with(aws, "new", "s-new")])
    aws.logs("filter_log_events", found(), asked("s-old", since=440_000))
    aws.logs("filter_log_events", found((1_000, "s-new", "long ago")), asked("s-new"))
    assert [line.text for line in tail.read()] == ["long ago"]


def test_a_job_that_leaves_is_not_read() -> None:
    aws = Stubbed()
    jobs = [job_with(aws, "one", "s-one"), job_with(aws, "two", "s-two")]
    tail = aws.client.tail(jobs)
    tail.discard(jobs[:1])
    tail.discard(jobs[:1])
    aws.logs("filter_log_events", found((1, "s-two", "line")), asked("s-two"))
    assert [line.job_id for line in tail.read()] == ["two"]


def test_a_stream_that_is_missing_does_not_hide_the_others() -> None:
    aws = Stubbed()
    tail = aws.client.tail([job_with(aws, f"id{n}", f"s{n}") for n in range(3)])
    aws.fail("logs", "filter_log_events", "ResourceNotFoundException")  # all three
    aws.logs("filter_log_events", found((1, "s0", "a")), asked("s0"))
    aws.fail("logs", "filter_log_events", "ResourceNotFoundException")  # the last two
    aws.fail("logs", "filter_log_events", "ResourceNotFoundException")  # the missing one
    aws.logs("filter_log_events", found((2, "s2", "c")), asked("s2"))
    assert [line.text for line in tail.read()] == ["a", "c"]
    aws.logs("filter_log_events", found(), asked("s0", "s2"))
    aws.logs("filter_log_events", found((3, "s1", "b")), asked("s1"))
    assert [line.text for line in tail.read()] == ["b"]


def test_an_error_between_two_hundreds_loses_no_line() -> None:
    aws = Stubbed()
    tail = aws.client.tail([job_with(aws, f"id{n}", f"s{n}") for n in range(101)])
    aws.logs("filter_log_events", found((900_000, "s0", "young")))
    aws.fail("logs", "filter_log_events", "ThrottlingException")
    with pytest.raises(ServiceError):
        tail.read(IMPATIENT)
    aws.logs("filter_log_events", found((900_000, "s0", "young")))
    aws.logs("filter_log_events", found((1_000, "s100", "old")))
    assert [line.text for line in tail.read(IMPATIENT)] == ["old", "young"]


def test_pages_of_many_logs_are_read_on() -> None:
    aws = Stubbed()
    tail = aws.client.tail([job_with(aws, "a", "sa"), job_with(aws, "b", "sb")])
    aws.logs("filter_log_events", found((1, "sa", "1"), token="t"), asked("sa", "sb"))
    aws.logs("filter_log_events", found((2, "sb", "2")), asked("sa", "sb", nextToken="t"))
    assert [line.text for line in tail.read()] == ["1", "2"]


def test_a_job_that_ended_a_while_ago_is_not_asked_about() -> None:
    aws = Stubbed()
    tail = aws.client.tail([job_with(aws, "id", "s", status="SUCCEEDED")])
    aws.logs("filter_log_events", found((1, "s", "end")))
    assert [line.text for line in tail.read()] == ["end"]
    aws.clock.now += 61
    assert tail.read() == []
    aws.all_was_asked()
