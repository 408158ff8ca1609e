"""What the client does when the service is away, slow, overloaded or cut off; and what it never sends twice."""

import contextlib
import datetime as dt
import email.utils
import threading

import pytest
import requests
import wire
from http_servers import HANG_UP, Reply, Script, port_of_nobody, serving
from meta_client import (
    BackgroundWriter,
    Conflict,
    InvalidAnswer,
    MetaClientError,
    Metadatum,
    ServiceStore,
    ServiceUnavailable,
    Step,
    Task,
)
from meta_client.retrying import pause_s
from original import OriginalService

pytestmark = pytest.mark.usefixtures("clock")

CREATE_RUN = "POST /flows/F/run"
CREATE_TASK = "POST /flows/F/runs/1/steps/train/task"
AWAY = [
    Reply(503, raw=b"<html>starting</html>"),
    Reply(429, body={"message": "slowly"}),
    Reply(502, raw=b""),
    Reply(504),
    HANG_UP,
]


@pytest.mark.parametrize("trouble", [*AWAY, Reply(body=wire.flow(), cut=20)], ids=repr)
def test_a_question_is_asked_again(script, service, trouble):
    script.on("GET /flows/F", trouble, trouble, Reply(body=wire.flow()))
    assert service.get_flow("F").flow_id == "F"
    assert len(script.requests) == 3


@pytest.mark.parametrize("trouble", AWAY, ids=repr)
def test_a_creation_with_an_id_is_sent_again(script, service, trouble):
    script.on(CREATE_TASK, trouble, Reply(body=wire.task()))
    assert service.create_task("F", 1, "train", "t0").task_id == "t0"


@pytest.mark.parametrize("refusal", [Reply(503), Reply(429)], ids=repr)
def test_a_creation_without_an_id_is_sent_again_where_the_service_says_that_it_did_nothing(script, service, refusal):
    script.on(CREATE_RUN, refusal, Reply(body=wire.run(7)))
    assert service.create_run("F").run_id == 7


@pytest.mark.parametrize("trouble", [HANG_UP, Reply(502), Reply(504), Reply(body=wire.run(7), cut=9)], ids=repr)
def test_a_creation_without_an_id_is_never_sent_twice_where_it_may_have_happened(script, service, trouble):
    script.on(CREATE_RUN, trouble, Reply(body=wire.run(8)))
    with pytest.raises((ServiceUnavailable, InvalidAnswer)) as caught:
        service.create_run("F")
    assert caught.value.retryable
    assert caught.value.maybe_done
    assert len(script.requests) == 1


def test_what_an_earlier_try_made_is_no_conflict(script, service):
    script.on(CREATE_TASK, HANG_UP, Reply(409, body='"{}"'))
    script.on("GET /flows/F/runs/1/steps/train/tasks/t0", Reply(body=wire.task()))
    assert service.create_task("F", 1, "train", "t0").task_id == "t0"


def test_what_others_made_is_a_conflict_also_after_a_refusal(script, service):
    script.on(CREATE_TASK, Reply(503), Reply(409, body='"{}"'))
    script.on("GET /flows/F/runs/1/steps/train/tasks/t0", Reply(body=wire.task(user_name="bob")))
    with pytest.raises(Conflict) as caught:
        service.create_task("F", 1, "train", "t0")
    assert caught.value.existing.user_name == "bob"


@pytest.mark.parametrize("status", [400, 404, 409, 418, 500, 501])
def test_other_failures_are_final(script, service, status):
    script.on("GET /flows/F", Reply(status, body={"message": "no"}))
    with pytest.raises(MetaClientError):
        service.get_flow("F")
    assert len(script.requests) == 1


@pytest.mark.parametrize("status", [503, 429])
def test_the_service_says_when_to_come_back(script, service, status, clock):
    script.on("GET /flows/F", Reply(status, headers={"Retry-After": "1"}), Reply(body=wire.flow()))
    service.get_flow("F")
    assert clock.paused >= 1


def test_nobody_waits_longer_than_was_agreed(script, open_service):
    script.on("GET /flows/F", Reply(503, body={"message": "migrating"}, headers={"Retry-After": "3600"}))
    with pytest.raises(ServiceUnavailable, match="503: migrating"):
        open_service(retry_for=5.0).get_flow("F")
    assert len(script.requests) == 1


def test_without_patience_there_is_one_try(script, open_service):
    script.on("GET /flows/F", Reply(503))
    with pytest.raises(ServiceUnavailable):
        open_service(retry_for=0).get_flow("F")
    assert len(script.requests) == 1


def test_a_service_that_stays_away_is_given_up(script, open_service):
    script.on("GET /flows/F", Reply(503, body={"message": "no database"}))
    with pytest.raises(ServiceUnavailable, match="no database") as caught:
        open_service(retry_for=0.5).get_flow("F")
    assert caught.value.retryable
    assert len(script.requests) >= 2


def test_where_nobody_listens_nothing_was_done():
    with port_of_nobody() as port, ServiceStore(f"http://127.0.0.1:{port}", retry_for=0.3) as store:
        with pytest.raises(ServiceUnavailable, match="refused") as caught:
            store.create_run("F")
        assert not caught.value.maybe_done
        assert isinstance(caught.value.__cause__, requests.ConnectionError)


def test_a_service_that_is_away_for_half_a_minute_is_waited_for(clock):
    """Nobody listens meanwhile; only the pauses between the tries are not waited out."""
    script = Script()
    script.on(CREATE_RUN, Reply(body=wire.run(7)))
    with contextlib.ExitStack() as later:
        port = later.enter_context(port_of_nobody())
        store = later.enter_context(ServiceStore(f"http://127.0.0.1:{port}", retry_for=60))
        clock.at(30, lambda: later.enter_context(serving(script, port)))
        assert store.create_run("F").run_id == 7
    assert 30 <= clock.paused < 34
    assert len(script.requests) == 1


def test_records_wait_for_a_service_that_is_away_for_half_a_minute(clock, monkeypatch):
    """A run's records, while the client's own patience is over again and again: all are there in the end, once."""
    monkeypatch.setattr("meta_client.background._RETRY_S", 0.01)
    original, path = OriginalService(), {"flow_id": "F", "run_id": 1, "step_name": "s"}
    original.add_flow("F", {})
    original.add_run("F", {})
    back, said = threading.Event(), []
    with contextlib.ExitStack() as later:
        port = later.enter_context(port_of_nobody())
        store = later.enter_context(ServiceStore(f"http://127.0.0.1:{port}", retry_for=10))

        def come_back():
            later.enter_context(serving(original, port))
            back.set()

        clock.at(30, come_back)
        writer = BackgroundWriter(store, on_away=said.append)
        writer.add([Step(**path), *(Task(task_id=f"t{number}", **path) for number in range(20))])
        writer.add([Metadatum(field_name="n", value=str(number), task_id=f"t{number}", **path) for number in range(20)])
        assert back.wait(240)
        assert writer.close(timeout=240) == 0
        assert {task.task_id for task in store.list_tasks("F", 1, "s")} == {f"t{number}" for number in range(20)}
        noted = store.list_metadata(store.get_run("F", 1))
    assert sorted(int(one.value) for one in noted) == list(range(20))
    assert [type(error) for error in said] == [ServiceUnavailable]


def test_an_answer_that_does_not_come_is_not_waited_for(script, open_service):
    over = threading.Event()
    script.on("GET /flows/F", Reply(body=wire.flow(), after=over))
    with pytest.raises(ServiceUnavailable, match="no answer in time") as caught:
        open_service(timeout=0.2, retry_for=0).get_flow("F")
    over.set()
    assert caught.value.maybe_done


def test_an_answer_that_is_always_cut_off_is_none(script, open_service):
    script.on("GET /flows/F", Reply(body=wire.flow(), cut=20))
    with pytest.raises(InvalidAnswer, match="cut off") as caught:
        open_service(retry_for=0.3).get_flow("F")
    assert caught.value.retryable


def test_pauses_grow_are_bounded_and_differ():
    for tries, longest in [(1, 0.1), (2, 0.2), (5, 1.6), (6, 3.0), (10_000, 3.0)]:
        pauses = {pause_s(tries, {}) for _ in range(50)}
        assert len(pauses) > 1
        assert all(longest / 2 <= pause <= longest for pause in pauses)


def test_a_pause_is_as_long_as_the_service_asks_in_seconds_or_by_date():
    later = dt.datetime.now(dt.timezone.utc) + dt.timedelta(hours=1)
    assert pause_s(1, {"Retry-After": "7"}) == 7
    assert 3000 < pause_s(1, {"Retry-After": email.utils.format_datetime(later)}) <= 3600
    for nonsense in ("", "soon", "-5", "Mon, 99 Jan 2024", "1.5"):
        assert pause_s(1, {"Retry-After": nonsense}) <= 0.1
