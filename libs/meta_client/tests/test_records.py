"""The wire records: read and written key for key, and what is no record is named."""

import pytest
import wire
from hypothesis import given
from hypothesis import strategies as st
from meta_client import Artifact, Flow, InvalidRecord, Metadatum, Run, Step, Task

KINDS = [Flow, Run, Step, Task, Artifact, Metadatum]
text = st.text(max_size=20)
ids = st.integers(0, 2**63) | text
tags = st.none() | st.lists(text, max_size=4)
common = {"user_name": st.none() | text, "ts_epoch": st.integers(0, 2**53), "tags": tags, "system_tags": tags}
step_path = {"flow_id": text, "run_number": text, "step_name": text}
task_path = {"flow_id": text, "run_number": ids, "step_name": text, "task_id": ids}
beat = {"last_heartbeat_ts": st.none() | st.integers(0, 2**40)}
described = dict.fromkeys(("name", "location", "ds_type", "sha", "type", "content_type"), text)

WIRE = {
    Flow: st.fixed_dictionaries({"flow_id": text, **common}),
    Run: st.fixed_dictionaries(
        {"flow_id": text, "run_number": ids, **common, **beat},
        optional={"user": text, "status": st.sampled_from(["running", "completed", "failed"])},
    ),
    Step: st.fixed_dictionaries({**step_path, **common}),
    Task: st.fixed_dictionaries({**task_path, **common, **beat}),
    Artifact: st.fixed_dictionaries({**task_path, **described, "attempt_id": st.integers(0, 100), **common}),
    Metadatum: st.fixed_dictionaries(
        {"id": st.integers(0), **task_path, "field_name": text, "value": text, "type": text, **common}
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_record_is_written_as_it_was_read(kind, data):
    found = data.draw(WIRE[kind])
    record = kind.from_wire(found)
    assert record.to_wire() == found
    assert kind.from_wire(record.to_wire()) == record
    later = kind.from_wire({**found, "of_a_later_version": [1]})
    assert (later, hash(later)) == (record, hash(record))
    assert later.to_wire() == {**found, "of_a_later_version": [1]}


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_a_field_that_is_missing_or_wrong_is_named(kind, data):
    found = data.draw(WIRE[kind])
    nullable = {"user_name", "tags", "system_tags", "last_heartbeat_ts", "user", "status"}
    loose = {"location", "ds_type", "sha", "type", "content_type"}
    key = data.draw(st.sampled_from(sorted(set(found) - nullable - loose)))
    for broken in (
        {name: value for name, value in found.items() if name != key},
        {**found, key: {}},
        {**found, key: True},
    ):
        with pytest.raises(InvalidRecord, match=key) as caught:
            kind.from_wire(broken)
        assert caught.value.field == key


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", [None, [], "text", 3], ids=repr)
def test_what_is_no_object_is_no_record(kind, data):
    with pytest.raises(InvalidRecord, match="not an object"):
        kind.from_wire(data)


def test_a_step_always_has_its_run_as_text():
    assert Step.from_wire(wire.step()).run_id == "1"
    assert Step(flow_id="F", run_id=1, step_name="s").to_wire()["run_number"] == "1"


def test_what_an_artifact_does_not_say_of_its_value_is_empty():
    silent = {**wire.task(), "name": "x", "attempt_id": 0, "location": None}
    assert (Artifact.from_wire(silent).location, Artifact.from_wire(silent).sha) == ("", "")


def test_records_name_their_path():
    path = {"flow_id": "F", "run_id": 1, "step_name": "s", "task_id": "t0"}
    assert Flow(flow_id="F").pathspec == "F"
    assert Run(flow_id="F", run_id=1).pathspec == "F/1"
    assert Step(flow_id="F", run_id=1, step_name="s").pathspec == "F/1/s"
    assert Task(**path).pathspec == "F/1/s/t0"
    assert Artifact(name="x", **path).pathspec == "F/1/s/t0/x"


def test_records_are_values():
    assert Run(flow_id="F", run_id=1, tags=["a"]) == Run(flow_id="F", run_id=1, tags=("a",))
    assert len({Run(flow_id="F", run_id=1, tags=["a"]), Run(flow_id="F", run_id=1, tags=["a"])}) == 1
