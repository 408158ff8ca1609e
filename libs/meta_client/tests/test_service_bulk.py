"""How the client registers batches where the service takes many records in one request, and how it finds out whether it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bulk import BulkService
from http_servers import Reply, Request, serving
from meta_client import Artifact, MetaClientError, Metadatum, NotFound, ServiceError, ServiceStore, Step, Task
from meta_client.testing.registering import Registering
from original import OriginalService
from request_faults import done_but_not_answered, done_but_refused, failed, not_even_done

Fault = Callable[[Any, Request], Reply]


class Watched:
    """A service before which things happen to requests of many records: the faults are taken one by one."""

    def __init__(self, inner: OriginalService) -> None:
        self.inner, self.requests = inner, []
        self.faults: list[Fault] = []

    def reply_to(self, request: Request) -> Reply:
        self.requests.append(request)
        if request.path.endswith("/bulk") and self.faults:
            return self.faults.pop(0)(self.inner, request)
        return self.inner.reply_to(request)

    @property
    def kinds(self) -> list[str]:
        """The last word of each path that was posted to."""
        return [request.path.rpartition("/")[2] for request in self.requests if request.method == "POST"]

    @property
    def bulks(self) -> list[Request]:
        return [request for request in self.requests if request.path.endswith("/bulk")]


@pytest.fixture
def watched():
    return Watched(BulkService())


@pytest.fixture
def store(watched):
    with serving(watched) as url, ServiceStore(url, retry_for=120) as store:
        yield store


@pytest.fixture
def run(store, watched):
    run = store.create_run("F", user="ann")
    watched.requests.clear()
    return run


def batch(run, tasks=10, value="v"):
    """A step, tasks, and of each one artifact and three metadata, two of them equal."""
    records = [Step(flow_id="F", run_id=run.run_id, step_name="train")]
    for number in range(tasks):
        path = {"flow_id": "F", "run_id": run.run_id, "step_name": "train", "task_id": f"t{number}"}
        records += [Task(**path), Artifact(name="x", **path)]
        records += [Metadatum(field_name="f", value=text, **path) for text in (value, value, "last")]
    return records


def values(store, run):
    """What metadata each task has, in the order in which they were added."""
    tasks = store.list_tasks("F", run.run_id, "train")
    return {task.task_id: [one.value for one in reversed(store.list_metadata(task))] for task in tasks}


def whole(tasks=10, value="v"):
    return {f"t{number}": [value, value, "last"] for number in range(tasks)}


class TestRegistering(Registering):
    """The contract's part of it."""

    @pytest.fixture
    def opener(self):
        with serving(BulkService()) as url:
            yield lambda: ServiceStore(url)


def test_a_batch_is_one_request(watched, store, run):
    store.register_many(batch(run, 30))
    assert watched.kinds == ["bulk"]
    assert values(store, run) == whole(30)


def test_records_of_several_runs_go_to_each(watched, store, run):
    other = store.create_run("F")
    watched.requests.clear()
    store.register_many([*batch(run), *batch(other)])
    assert [each.path for each in watched.requests] == ["/flows/F/runs/1/bulk", "/flows/F/runs/2/bulk"]
    assert values(store, run) == values(store, other) == whole()


# whether the service has it


@pytest.mark.parametrize(
    "answer",
    [
        Reply(404, raw=b"404: Not Found"),
        Reply(405, raw=b"405: Method Not Allowed"),
        Reply(404, body={"message": "no Route matched with those values"}),
        Reply(405, body={"error": "method"}),
        Reply(404, body={}),
        Reply(404, raw=b"<html><h1>404 Not Found</h1></html>"),
    ],
    ids=repr,
)
def test_a_service_without_it_is_asked_once(watched, store, run, answer):
    watched.faults = [lambda inner, request: answer]
    store.register_many(batch(run, 4))
    store.register_many(batch(run, 2, "w"))
    assert len(watched.bulks) == 1
    assert watched.kinds.count("task") == 6
    assert values(store, run) == {
        t: [*kept, *(["w", "w", "last"] if t in ("t0", "t1") else [])] for t, kept in whole(4).items()
    }


def test_a_missing_run_does_not_mean_that_the_service_lacks_it(watched, store, run):
    with pytest.raises(NotFound, match="nosuchrun"):
        store.register_many([Step(flow_id="F", run_id="nosuchrun", step_name="train")])
    store.register_many(batch(run))
    assert watched.kinds == ["bulk", "bulk"]


def test_a_service_that_loses_it_half_way_gets_the_rest_otherwise_and_nothing_twice(watched, store, run):
    watched.faults = [too_large_above(20), done, lambda inner, request: Reply(404, raw=b"404: Not Found")]
    store.register_many(batch(run))
    assert values(store, run) == whole()
    assert 0 < watched.kinds.count("task") < 10


# answers that do not come


def done(inner, request):
    return inner.reply_to(request)


@pytest.mark.parametrize("fault", [done_but_not_answered, not_even_done, done_but_refused])
def test_everything_is_added_once_though_an_answer_is_missing(watched, store, run, fault):
    watched.faults = [fault]
    store.register_many(batch(run))
    assert values(store, run) == whole()
    assert [request.body["again"] for request in watched.bulks] == [False, True]


@pytest.mark.parametrize("fault", [done_but_not_answered, not_even_done, failed])
def test_a_batch_that_failed_is_registered_again_without_doubling(watched, fault):
    with serving(watched) as url, ServiceStore(url, retry_for=0) as store:
        run = store.create_run("F")
        watched.faults = [fault] * 2
        with pytest.raises(MetaClientError):
            store.register_many(batch(run))
        watched.faults.clear()
        store.register_many([*batch(run), *batch(run, 12)[-10:]])
        assert values(store, run) == whole(12)
        store.register_many(batch(run, 1, "v")[-3:])  # later ones are not taken for those in doubt
        assert values(store, run)["t0"] == ["v", "v", "last"] * 2


def test_tasks_in_doubt_do_not_put_others_into_doubt(watched):
    with serving(watched) as url, ServiceStore(url, retry_for=0) as store:
        run = store.create_run("F")
        store.register_many(batch(run, 2))
        watched.faults = [done_but_not_answered] * 2
        with pytest.raises(MetaClientError):
            store.register_many(batch(run, 1, "w"))
        again = [record for record in batch(run, 2) if isinstance(record, Metadatum) and record.task_id == "t1"]
        store.register_many([*batch(run, 1, "w"), *again])
        assert values(store, run) == {"t0": ["v", "v", "last", "w", "w", "last"], "t1": ["v", "v", "last"] * 2}


# sizes


def too_large_above(limit):
    """A proxy that refuses requests of more rows."""

    def reply(inner, request):
        rows = sum(len(rows) for rows in request.body.values() if isinstance(rows, list))
        return Reply(413, raw=b"<html>") if rows > limit else inner.reply_to(request)

    return reply


def test_bodies_stay_below_half_a_mebibyte_and_hold_everything(watched, store, run):
    store.register_many(batch(run, 20, "é" * 10_000))
    sizes = [int(request.headers["Content-Length"]) for request in watched.requests]
    assert len(sizes) > 2
    assert max(sizes) < 512 * 1024
    assert set(watched.kinds) == {"bulk"}
    assert values(store, run) == whole(20, "é" * 10_000)


def test_what_a_proxy_refuses_as_too_large_is_sent_in_parts(watched, store, run):
    watched.faults = [too_large_above(12)] * 100
    store.register_many(batch(run))
    assert set(watched.kinds) == {"bulk"}
    assert values(store, run) == whole()


def test_a_task_that_is_too_large_for_one_request_takes_several(watched, store, run):
    big = [Metadatum(field_name="f", value=str(n) * 90_000, **first_task(run)) for n in range(10)]
    store.register_many([*batch(run, 3), *big])
    assert values(store, run) == {**whole(3), "t0": ["v", "v", "last", *(one.value for one in big)]}
    assert "metadata" in watched.kinds
    watched.faults = [too_large_above(1)] * 100
    store.register_many(batch(run, 2, "w"))
    assert values(store, run)["t1"] == ["v", "v", "last", "w", "w", "last"]


def test_a_step_that_a_proxy_refuses_is_told(watched, store, run):
    watched.faults = [too_large_above(0)] * 100
    with pytest.raises(ServiceError, match="too large"):
        store.register_many(batch(run, 0))


def first_task(run):
    return {"flow_id": "F", "run_id": run.run_id, "step_name": "train", "task_id": "t0"}
