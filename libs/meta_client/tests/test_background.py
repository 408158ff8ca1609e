"""Records that are registered in the background: all of them, in batches, whatever the store does meanwhile."""

import threading
import time

import pytest
from meta_client import (
    BackgroundWriter,
    Denied,
    EmbeddedStore,
    Metadatum,
    NotFound,
    ServiceError,
    ServiceUnavailable,
    Step,
    StorageFailure,
    Task,
    background,
)
from processes import wait_until

PATH = {"flow_id": "F", "run_id": 1, "step_name": "s"}


def records(count):
    return [Step(**PATH), *(Task(task_id=f"t{number}", **PATH) for number in range(count))]


class Moody:
    """A store that raises errors one by one, as long as there are any, and counts calls."""

    def __init__(self, store, *errors):
        self.store, self.errors, self.batches, self.beats = store, list(errors), [], 0

    def register_many(self, batch):
        if self.errors:
            raise self.errors.pop(0)
        self.batches.append(len(batch))
        self.store.register_many(batch)

    def heartbeat(self, target):
        self.beats += 1
        return self.store.heartbeat(target)


@pytest.fixture
def store(tmp_path):
    with EmbeddedStore(tmp_path / "metadata.db") as store:
        store.create_run("F")
        yield store


def tasks(store):
    return len(store.list_tasks("F", 1, "s"))


def test_whoever_adds_does_not_wait_and_everything_is_there_at_the_end(store):
    added = threading.Event()

    class Slow(Moody):
        def register_many(self, batch):
            added.wait()
            super().register_many(batch)

    slow = Slow(store)
    with BackgroundWriter(slow) as writer:
        for record in records(200):
            writer.add([record])
        added.set()
    assert tasks(store) == 200
    assert len(slow.batches) <= 2, "what came while one was written is another"


def test_a_slow_store_is_called_seldom_and_gets_more_at_a_time(store):
    class Slow(Moody):
        def register_many(self, batch):
            time.sleep(0.02)
            super().register_many(batch)

    slow, began = Slow(store), time.monotonic()
    with BackgroundWriter(slow) as writer:
        for record in records(100):
            writer.add([record])
            time.sleep(0.01)
        calls, took = len(slow.batches), time.monotonic() - began
    assert tasks(store) == 100
    assert calls <= took / (0.02 * background._GATHER_FOR_CALLS) + 2


def test_the_end_does_not_wait_for_more_to_come(store, monkeypatch):
    monkeypatch.setattr(background, "_GATHER_FOR_CALLS", 1_000_000)
    monkeypatch.setattr(background, "_MOST_GATHER_S", 1_000.0)
    moody = Moody(store)
    writer = BackgroundWriter(moody)
    writer.add(records(1))
    wait_until(lambda: moody.batches)
    writer.add(records(3)[1:])
    assert writer.close(timeout=240) == 0
    assert tasks(store) == 3


def test_while_the_store_is_away_the_records_wait_and_it_is_said_once(store):
    said = []
    away = [ServiceUnavailable("the store", "away") for _ in range(3)]
    writer = BackgroundWriter(Moody(store, *away), on_away=said.append)
    writer.add(records(5))
    assert writer.close(timeout=240) == 0
    assert said == away[:1]
    assert tasks(store) == 5


@pytest.mark.parametrize("error", [ServiceUnavailable("the store", "away"), Denied("the store", 403)], ids=repr)
def test_what_cannot_be_registered_by_the_end_is_counted(store, error):
    writer = BackgroundWriter(Moody(store, *[error] * 10_000))
    writer.add(records(5))
    writer.add_late(lambda: iter([records(3), records(3)]))
    assert writer.close(timeout=0.5) == 6 + 8


def test_a_file_that_cannot_be_written_is_not_waited_for_long(store, monkeypatch):
    monkeypatch.setattr(background, "_A_FILE_AT_THE_END_S", 0.5)
    moody = Moody(store, *[StorageFailure("metadata.db", "no room")] * 10_000)
    writer = BackgroundWriter(moody)
    writer.add(records(5))
    assert writer.close(timeout=1000) == 6
    assert len(moody.errors) > 9_900, "it was tried for much longer"


def test_what_a_call_that_never_returns_was_given_is_counted(store, monkeypatch):
    monkeypatch.setattr(background, "_LAST_CALL_S", 0.1)
    asked, over = threading.Event(), threading.Event()

    class Hanging(Moody):
        def register_many(self, batch):
            asked.set()
            over.wait()
            super().register_many(batch)

    writer = BackgroundWriter(Hanging(store))
    writer.add(records(5))
    asked.wait()
    assert writer.close(timeout=0) == 6
    over.set()
    wait_until(lambda: tasks(store) == 5)


def test_late_records_that_are_made_for_ever_are_counted_as_left(store, monkeypatch):
    monkeypatch.setattr(background, "_LAST_CALL_S", 0.1)
    asked, over = threading.Event(), threading.Event()

    def make():
        asked.set()
        over.wait()
        yield records(5)

    writer = BackgroundWriter(store)
    writer.add_late(make)
    asked.wait()
    assert writer.close(timeout=0) == 1
    over.set()
    wait_until(lambda: tasks(store) == 5)


def test_what_the_store_refuses_does_not_cost_the_others(store):
    class Small(Moody):
        """It refuses what holds a large value, as a proxy before it might."""

        def register_many(self, batch):
            if any(isinstance(one, Metadatum) and len(one.value) > 10 for one in batch):
                raise ServiceError("the store", 413, "too large")
            super().register_many(batch)

    refused = []
    bad = Metadatum(field_name="f", value="x" * 11, task_id="t1", **PATH)
    invalid = Metadatum(field_name="f", value="\0", task_id="t1", **PATH)
    with BackgroundWriter(Small(store), on_refused=lambda record, error: refused.append(record)) as writer:
        writer.add([*records(20), bad, invalid])
    assert refused == [bad, invalid]
    assert tasks(store) == 20


def test_what_belongs_to_nothing_does_not_cost_the_others(store):
    refused, away = [], []
    lost = Metadatum(field_name="f", value="x", task_id="never", **PATH)
    early = Metadatum(field_name="f", value="x", task_id="t19", **PATH)
    writer = BackgroundWriter(store, on_away=away.append, on_refused=lambda record, error: refused.append(record))
    writer.add([early, lost, *records(20)])
    assert writer.close() == 0
    assert (refused, away) == ([lost], [])
    assert tasks(store) == 20
    assert len(store.list_metadata(store.get_run("F", 1))) == 1


def test_a_run_that_is_gone_is_said_once(store):
    refused, away = [], []
    store.delete_run("F", 1)
    writer = BackgroundWriter(store, on_away=away.append, on_refused=lambda record, error: refused.append(record))
    writer.add(records(20))
    assert writer.close() == 21
    assert ([type(error) for error in away], refused) == ([NotFound], [])


def test_what_may_come_late_is_made_late(store):
    made_by = []

    def make():
        made_by.append(threading.current_thread().name)
        yield records(3)
        yield records(6)

    with BackgroundWriter(store) as writer:
        writer.add_late(make)
        assert made_by in ([], ["meta-client-writer"])
    assert tasks(store) == 6


def test_a_run_is_said_to_be_alive_meanwhile(store, monkeypatch):
    monkeypatch.setattr("meta_client.background._HEARTBEAT_S", 0.02)
    moody = Moody(store)
    with BackgroundWriter(moody, store.get_run("F", 1)):
        wait_until(lambda: moody.beats >= 3)
