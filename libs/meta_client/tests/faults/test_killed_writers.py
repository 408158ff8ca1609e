"""A writer of the embedded store that is killed loses nothing that was acknowledged, and leaves nothing by halves."""

import random
import time

import pytest
from meta_client import EmbeddedStore
from processes import python

WRITER = """
import sys
from meta_client import Artifact, EmbeddedStore, Metadatum, Task
path, name = sys.argv[1:]
with EmbeddedStore(path) as store:
    number = 0
    while True:
        records = []
        for part in range(20):
            place = dict(flow_id="F", run_id="1", step_name="train", task_id=f"{name}-{number}-{part}")
            records += [Task(**place), Artifact(name="x", **place), Metadatum(field_name="f", value="v", **place)]
        store.register_many(records)
        print(number, flush=True)
        number += 1
"""


def kill_after(writer, seconds):
    """The last number that the writer acknowledged before it was killed."""
    with writer:
        acknowledged = [writer.stdout.readline()]
        time.sleep(seconds)
        writer.kill()
        acknowledged += writer.stdout.readlines()
    whole = [int(line) for line in acknowledged]
    assert whole == list(range(len(whole)))
    return whole[-1]


@pytest.mark.parametrize("seed", range(4))
def test_what_was_acknowledged_is_there_and_whole(tmp_path, seed):
    path, chance = tmp_path / "metadata.db", random.Random(seed)
    with EmbeddedStore(path) as store:
        run = store.create_run("F")
        store.create_step("F", run.run_id, "train")
    for round_ in range(3):
        names = [f"{round_}{letter}" for letter in "ab"]
        writers = [python(WRITER, path, name) for name in names]
        acknowledged = [kill_after(writer, chance.uniform(0, 0.2)) for writer in writers]
        with EmbeddedStore(path, create=False) as store:
            tasks = store.list_tasks("F", 1, "train")
            for name, last in zip(names, acknowledged, strict=True):
                batches = [
                    str(task.task_id).split("-")[1] for task in tasks if str(task.task_id).startswith(f"{name}-")
                ]
                counts = {int(batch): batches.count(batch) for batch in batches}
                assert set(counts.values()) == {20}
                assert set(counts) in ({*range(last + 1)}, {*range(last + 2)})
            assert len(store.list_metadata(run)) == len(tasks)
            assert all(len(store.list_artifacts(task)) == 1 for task in chance.sample(tasks, 10))
            store.create_run("G")
