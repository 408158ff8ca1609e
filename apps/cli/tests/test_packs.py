"""Records of many tasks in one object, and a record that is too long for its name: what is read back is what was stored."""

from __future__ import annotations

import gzip
import json
from typing import Any

import attrs
import pytest
from cas_store import Backend, ContentStore, MemoryBackend, MissingObject, ObjectStore
from hypothesis import given
from hypothesis import strategies as st
from stepwell.api.transitions import Transition
from stepwell.caring.walking import held, held_by, read_tasks, stored_runs
from stepwell.errors import RecordError
from stepwell.execution.packs import CLONES, INDEX, PackWriter, read_pack
from stepwell.execution.records import MOST_BYTES, TaskRecord, encode, find_task, publish_task, task_directory
from stepwell.execution.step_records import StepRecords, pack_inputs
from stepwell.execution.step_records import read_tasks as read_inputs


def record(index: int, values: dict[str, Any] | None = None, run_id: str = "1") -> TaskRecord:
    objects = ObjectStore(ContentStore(MemoryBackend()))
    return TaskRecord(
        flow="F",
        run_id=run_id,
        step="each",
        task_id=f"t{index}",
        attempt=0,
        token="ab12",
        started=1.0,
        ended=2.0,
        transition=Transition(),
        artifacts={name: objects.save(value) for name, value in (values or {"x": index}).items()},
        depth=1,
    )


def pack(records: Backend, name: str, tasks: list[TaskRecord], run_id: str = "1") -> None:
    writer = PackWriter()
    for one in tasks:
        writer.add(one.task_id, encode(one))
    records.replace(f"flows/F/runs/{run_id}/each/{name}", writer.content())


class Counting(MemoryBackend):
    """Counts reads; each is a round trip, as on S3."""

    has_files = False

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[str] = []

    def read(self, name: str) -> bytes:
        self.reads.append(name)
        return super().read(name)


@given(st.dictionaries(st.from_regex(r"t[0-9]{1,4}(-r[0-9])?", fullmatch=True), st.binary(max_size=50), max_size=30))
def test_a_pack_gives_back_what_was_put_in(given: dict[str, bytes]) -> None:
    records = MemoryBackend()
    lines = {task: json.dumps(list(data)).encode() for task, data in given.items()}
    writer = PackWriter()
    for task, line in lines.items():
        writer.add(task, line)
    records.replace("a.pack", writer.content())
    assert list(read_pack(records, "a.pack").items()) == list(lines.items())
    assert writer.count == len(lines)


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"no pack", "damaged"), (gzip.compress(b"{}\n")[:-3], "damaged"), (gzip.compress(b'{"format": 9}\n'), "upgrade")],
    ids=["no pack", "cut short", "of a later format"],
)
def test_a_pack_that_cannot_be_read_is_named(data: bytes, says: str) -> None:
    records = MemoryBackend()
    records.replace("flows/F/runs/1/each/index.pack", data)
    with pytest.raises(RecordError, match=rf"(?s)flows/F/runs/1/each/index.pack.*(?i:{says})"):
        read_pack(records, "flows/F/runs/1/each/index.pack")


def test_what_is_missing_in_an_index_is_found_all_the_same() -> None:
    records = Counting()
    done = [record(index) for index in range(40)]
    for one in done:
        publish_task(records, one)
    pack(records, INDEX, done[:30])
    shelf = StepRecords(records, "F", "1", "each")
    assert [shelf.find(one.task_id) for one in done] == done
    assert shelf.find("t40") is None
    assert len(records.reads) == 1 + 1 + 10, "the index, the clones that are not there, and what is in neither"


def test_many_inputs_are_read_in_few_reads_and_one_that_is_not_done_is_named() -> None:
    records = Counting()
    done = [record(index) for index in range(40)]
    pack(records, INDEX, done)
    assert read_inputs(records, "F", "1", [("each", f"t{index}") for index in range(40)]) == done
    assert len(records.reads) == 2
    with pytest.raises(MissingObject, match="t40"):
        read_inputs(records, "F", "1", [("each", f"t{index}") for index in range(41)])


def test_a_join_packs_what_no_scheduler_packed() -> None:
    records = Counting()
    done = [record(index) for index in range(20)]
    for one in done:
        publish_task(records, one)
    pack_inputs(records, done[:10])
    assert not records.exists("flows/F/runs/1/each/index.pack"), "it is not worth it"
    pack_inputs(records, done)
    records.reads.clear()
    assert read_inputs(records, "F", "1", [("each", one.task_id) for one in done]) == done
    assert len(records.reads) == 2


def test_a_clone_says_where_it_comes_from_also_when_it_is_taken_over_again() -> None:
    records = MemoryBackend()
    pack(records, CLONES, [record(0)], run_id="2")
    found = find_task(records, "F", "2", "each", "t0")
    assert found == attrs.evolve(record(0), run_id="2", origin="F/1/each/t0")
    shelf = StepRecords(records, "F", "2", "each")
    assert shelf.find("t0") == found
    assert shelf.whole("t0") == encode(record(0))
    assert find_task(records, "F", "2", "each", "t1") is None


def test_care_knows_packs() -> None:
    records = MemoryBackend()
    big = [record(index, {"big": bytes([index]) * 5000}) for index in range(3)]
    publish_task(records, big[0])
    publish_task(records, big[1])
    pack(records, INDEX, big[:1])
    pack(records, CLONES, big, run_id="2")
    assert [one.where for one in held(records)] == [
        "F/1/each/t0", "F/1/each/t1", "F/1/each/t0", "F/1/each/t1", "F/1/each/t2"
    ]  # fmt: skip
    assert {digest for one in held(records) for _, digest in one.digests()} == {
        digest for one in big for reference in one.artifacts.values() for digest in reference.digests()
    }
    first, second = stored_runs(records)
    assert [one.task_id for one in read_tasks(records, first)] == ["t0", "t1"]
    assert next((one.run_id, one.origin) for one in read_tasks(records, second)) == ("2", "F/1/each/t0")
    with pytest.raises(RecordError, match="no record"):
        held_by(records, "flows/F/runs/1/each/other.pack")


def test_what_a_record_has_no_room_for_is_kept_beside_it() -> None:
    records = MemoryBackend()
    values = {f"artifact_{index}": "text" * 30 for index in range(700)}
    long = record(0, values)
    assert len(encode(long)) > MOST_BYTES
    assert publish_task(records, long) == encode(long)
    directory = task_directory("F", "1", "each", "t0")
    assert len(records.read(f"{directory}/done.json")) < 2000
    assert find_task(records, "F", "1", "each", "t0") == long
    assert [sorted(one.values) for one in held(records)] == [sorted(values)]
    assert publish_task(records, attrs.evolve(long, token="cd34")) == b"", "another attempt was first"
    assert list(records.names(f"{directory}/")) == [f"{directory}/ab12.artifacts.json", f"{directory}/done.json"]
    assert publish_task(records, long) == b"", "the same write, again"
    assert find_task(records, "F", "1", "each", "t0") == long
    records.delete(f"{directory}/ab12.artifacts.json")
    with pytest.raises(RecordError, match=r"ab12.artifacts.json.*is not there"):
        list(held(records))
