"""Runs that the file has lost get their numbers back, and no new run meets one of them."""

import pytest
from meta_client import Conflict, EmbeddedStore, InvalidRequest, Run, Step


@pytest.fixture
def store(tmp_path):
    with EmbeddedStore(tmp_path / "metadata.db") as store:
        yield store


def lost(run_id, flow="F"):
    return Run(
        flow_id=flow,
        run_id=run_id,
        user_name="ann",
        ts_epoch=1_700_000_000_000,
        tags=("good",),
        system_tags=("user:ann",),
    )


def test_a_run_comes_back_as_it_was_and_numbers_go_on_above_it(store):
    restored = store.restore_run(lost(7))
    assert (restored.run_id, restored.ts_epoch, restored.tags) == (7, 1_700_000_000_000, ("good",))
    assert restored.user_name == "ann"
    assert store.get_run("F", "7") == store.get_run("F", 7) == restored
    assert store.restore_run(lost(3)).run_id == 3
    assert store.create_run("F").run_id == 8
    assert [run.run_id for run in store.list_runs("F", tags=["good"])] == [7, 3]


def test_a_name_comes_back(store):
    assert store.restore_run(lost("mine")).run_id == "mine"
    assert store.create_run("F").run_id == 2


def test_a_number_that_another_flow_was_given_since_is_the_runs_all_the_same(store):
    assert store.create_run("Other").run_id == 1
    store.restore_run(lost(1))
    store.register_many([Step(flow_id="F", run_id=1, step_name="start")])
    assert [str(step.run_id) for step in store.list_steps("F", 1)] == ["1"]
    assert store.list_steps("Other", 1) == []
    assert store.create_run("F").run_id == 3
    assert str(store.get_step("F", "1", "start").run_id) == "1"


@pytest.mark.parametrize("run_id", [7, "7", "mine"])
def test_what_is_there_stays(store, run_id):
    first = store.restore_run(lost(run_id))
    with pytest.raises(Conflict) as caught:
        store.restore_run(lost(run_id))
    assert caught.value.existing == first


@pytest.mark.parametrize("run_id", ["\u00bd", 2**53, 0, "0", -1])
def test_what_no_store_gives_as_a_number_is_refused(store, run_id):
    with pytest.raises(InvalidRequest):
        store.restore_run(lost(run_id))
    assert store.list_flows() == []
