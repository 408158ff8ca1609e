"""How the client registers artifacts, metadata and batches on a service: each row once, whatever happens to requests."""

import itertools

import pytest
from http_servers import Reply, serving
from meta_client import (
    Artifact,
    MetaClientError,
    Metadatum,
    ServiceError,
    ServiceStore,
    ServiceUnavailable,
    Step,
    Task,
)
from original import OriginalService
from request_faults import done_but_not_answered, done_but_refused, failed, not_even_done

pytestmark = pytest.mark.usefixtures("clock")


class Faulty:
    """A service before which things happen: ``faults`` are taken one by one for requests of a path's end."""

    def __init__(self, inner):
        self.inner, self.requests, self.faults = inner, [], []
        self.path_end = "/metadata"

    def reply_to(self, request):
        self.requests.append(request)
        if request.method == "POST" and request.path.endswith(self.path_end) and self.faults:
            return self.faults.pop(0)(self.inner, request)
        return self.inner.reply_to(request)

    def posted(self, path_end):
        return [each for each in self.requests if each.method == "POST" and each.path.endswith(path_end)]


@pytest.fixture
def faulty():
    return Faulty(OriginalService())


@pytest.fixture
def store(faulty):
    with serving(faulty) as url, ServiceStore(url, retry_for=120) as store:
        yield store


@pytest.fixture
def run(store):
    return store.create_run("F", user="ann")


@pytest.fixture
def task(store, run):
    store.create_step("F", run.run_id, "train")
    return store.create_task("F", run.run_id, "train", "t0")


def metadata(count):
    return [Metadatum(field_name="f", value=str(number // 2), type="f") for number in range(count)]


def values(store, task):
    return sorted(each.value for each in store.list_metadata(task))


@pytest.mark.parametrize("fault", [done_but_not_answered, not_even_done, done_but_refused])
def test_metadata_are_added_once_though_an_answer_is_missing(faulty, store, task, fault):
    faulty.faults = [fault]
    store.register_metadata(task, metadata(6))
    assert values(store, task) == ["0", "0", "1", "1", "2", "2"]


def test_metadata_are_added_once_though_the_call_failed_and_is_made_again(faulty, store, task):
    faulty.faults = [done_but_not_answered, not_even_done, done_but_not_answered]
    given = metadata(6)
    for _ in range(3):
        try:
            store.register_metadata(task, given)
            break
        except ServiceUnavailable as error:
            assert error.maybe_done  # noqa: PT017  # which call fails depends on what the service had
    assert values(store, task) == ["0", "0", "1", "1", "2", "2"]


def test_metadata_that_are_added_later_are_not_taken_for_those_in_doubt(faulty, store, task):
    faulty.faults = [done_but_not_answered]
    store.register_metadata(task, metadata(2))
    store.register_metadata(task, metadata(2))
    assert values(store, task) == ["0"] * 4


@pytest.mark.parametrize("fault", [failed, done_but_not_answered, not_even_done])
def test_a_batch_that_broke_off_is_registered_again_without_doubling(faulty, store, run, fault):
    batch = [Step(flow_id="F", run_id=run.run_id, step_name="train")]
    for number in range(8):
        path = {"flow_id": "F", "run_id": run.run_id, "step_name": "train", "task_id": f"t{number}"}
        batch += [Task(**path), Artifact(name="x", **path)]
        batch += [Metadatum(field_name="f", value=str(value), **path) for value in (1, 1, 2)]
    faulty.faults = [lambda inner, request: inner.reply_to(request)] * 3 + [fault] * 8
    for _ in range(20):
        try:
            store.register_many(batch)
            break
        except MetaClientError:
            continue
    tasks = store.list_tasks("F", run.run_id, "train")
    assert {task.task_id: values(store, task) for task in tasks} == {
        f"t{number}": ["1", "1", "2"] for number in range(8)
    }


def test_a_batch_takes_one_request_per_task_and_kind(faulty, store, run):
    batch = [Step(flow_id="F", run_id=run.run_id, step_name="train")]
    for task, number in itertools.product(range(10), range(5)):
        path = {"flow_id": "F", "run_id": run.run_id, "step_name": "train", "task_id": f"t{task}"}
        batch += [Artifact(name=f"x{number}", **path), Metadatum(field_name="f", value="v", **path)]
    batch += [Task(flow_id="F", run_id=run.run_id, step_name="train", task_id=f"t{task}") for task in range(10)]
    faulty.requests.clear()
    store.register_many(batch)
    assert len(faulty.requests) == 1 + 1 + 10 * 3  # the first asks for requests of many tasks, which are not offered


def test_after_the_first_failure_no_more_is_sent(faulty, store, run):
    faulty.path_end, faulty.faults = "/task", [failed] * 100
    batch = [Step(flow_id="F", run_id=run.run_id, step_name="train")]
    batch += [Task(flow_id="F", run_id=run.run_id, step_name="train", task_id=f"t{task}") for task in range(100)]
    with pytest.raises(ServiceError, match="disk full"):
        store.register_many(batch)
    assert len(faulty.posted("/task")) < 50


def test_bodies_stay_small_and_hold_everything(faulty, store, task):
    store.register_metadata(task, [Metadatum(field_name="f", value=str(n) * 100_000) for n in range(10)])
    sizes = [int(request.headers["Content-Length"]) for request in faulty.posted("/metadata")]
    assert len(sizes) > 1
    assert max(sizes) < 512 * 1024
    assert len(store.list_metadata(task)) == 10


def too_large_above(limit):
    return lambda inner, request: Reply(413, raw=b"<html>") if len(request.body) > limit else inner.reply_to(request)


def test_a_body_that_a_proxy_refuses_is_sent_in_parts(faulty, store, task):
    faulty.faults = [too_large_above(3)] * 100
    store.register_metadata(task, metadata(10))
    assert len(store.list_metadata(task)) == 10
    assert max(len(request.body) for request in faulty.posted("/metadata")[1:]) <= 5


def test_a_row_that_a_proxy_refuses_is_told(faulty, store, task):
    faulty.faults = [too_large_above(0)] * 100
    with pytest.raises(ServiceError, match="too large"):
        store.register_metadata(task, metadata(2))


def test_metadata_that_the_service_drops_are_told(faulty, store, task):
    faulty.faults = [lambda inner, request: Reply(body={"metadata_created": 1})]
    with pytest.raises(ServiceError, match="1 of 2 metadata"):
        store.register_metadata(task, metadata(2))
