"""Arrays, dependencies and merged logs against the rig, with real processes and real containers."""

from __future__ import annotations

from pathlib import Path

import pytest
from compute_batch import FailureKind, Job, JobFailed, JobNotFound
from rigging import SECONDS, Counting, Gate, aws, client_of, shell
from stepwell_testing.aws_rig import Rig

SAY_INDEX = 'index=$((AWS_BATCH_JOB_ARRAY_INDEX + BATCH_ARRAY_OFFSET)); echo "child $index"'


def test_an_array_with_a_failed_child_fails_and_names_it(rig: Rig) -> None:
    array = client_of(rig).submit_array(shell(rig, f"{SAY_INDEX}; test $index != 1"), 3)
    with pytest.raises(
        JobFailed, match=r"1 of its 3 children failed; the first is 1: Its command ended with exit code 1"
    ):
        array.wait(SECONDS, check=True)
    assert [child.status for child in array.children] == ["SUCCEEDED", "FAILED", "SUCCEEDED"]
    assert array.failed == (array.children[1],)
    assert sorted((line.index, line.text) for line in array.logs()) == [(n, f"child {n}") for n in range(3)]


def test_logs_of_children_are_merged_while_they_run(rig: Rig, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    spec = shell(rig, f"{SAY_INDEX}; {gate.waiting}; echo end", volumes=[gate.volume])
    array = client_of(rig).submit_array(spec, 2)
    lines = array.logs(follow=True, timeout=SECONDS, settle=0.2)
    seen = [next(lines), next(lines)]
    assert sorted((line.index, line.text) for line in seen) == [(0, "child 0"), (1, "child 1")]
    assert not array.is_finished
    gate.open()
    assert sorted((line.index, line.text) for line in lines) == [(0, "end"), (1, "end")]
    assert array.is_finished


def test_an_array_of_one_is_a_single_job(process_rig: Rig) -> None:
    array = client_of(process_rig).submit_array(shell(process_rig, SAY_INDEX), 1)
    assert array.wait(SECONDS, check=True) == "SUCCEEDED"
    assert array.ids == (array.children[0].id,)
    assert [(line.index, line.text) for line in array.logs()] == [(0, "child 0")]


def test_slices_keep_to_so_many_at_once_and_count_on(process_rig: Rig) -> None:
    array = client_of(process_rig).submit_array(shell(process_rig, SAY_INDEX), 5, at_once=2)
    assert [len(part.children) for part in array.parts] == [2, 2, 1]
    assert array.wait(SECONDS, check=True) == "SUCCEEDED"
    assert sorted(line.text for line in array.logs()) == [f"child {n}" for n in range(5)]
    starts = [child.snapshot.started_at for child in array.children]
    ends = [child.snapshot.stopped_at for child in array.children]
    assert all(starts[n + 2] >= ends[n] for n in range(3))  # type: ignore[operator]


def test_one_at_once_is_one_array_in_order(process_rig: Rig) -> None:
    array = client_of(process_rig).submit_array(shell(process_rig, f"{SAY_INDEX}; test $index != 1"), 4, at_once=1)
    assert (len(array.parts), array.wait(SECONDS)) == (1, "FAILED")
    assert [child.failure and child.failure.kind for child in array.children] == [
        None, FailureKind.EXIT_CODE, FailureKind.DEPENDENCY, FailureKind.DEPENDENCY,
    ]  # fmt: skip


def test_a_job_waits_for_others_and_fails_with_them(rig: Rig) -> None:
    batch = client_of(rig)
    well, ill = batch.submit(shell(rig, "sleep 0.5")), batch.submit(shell(rig, "sleep 0.3; exit 1"))
    after_well, after_ill = (
        batch.submit(shell(rig, "true"), after=[well]),
        batch.submit(shell(rig, "true"), after=[well, ill.id]),
    )
    assert after_well.wait(SECONDS) == "SUCCEEDED"
    assert after_ill.wait(SECONDS) == "FAILED"
    assert after_ill.failure is not None
    assert after_ill.failure.kind is FailureKind.DEPENDENCY
    well.refresh()
    assert after_well.snapshot.started_at >= well.snapshot.stopped_at  # type: ignore[operator]


def test_a_child_waits_for_its_counterpart(process_rig: Rig) -> None:
    batch = client_of(process_rig)
    first = batch.submit_array(shell(process_rig, f"{SAY_INDEX}; test $index != 1"), 3)
    second = batch.submit_array(shell(process_rig, "true"), 3, each_after=first)
    second.wait(SECONDS)
    assert [child.status for child in second.children] == ["SUCCEEDED", "FAILED", "SUCCEEDED"]


def test_an_array_is_terminated_with_all_its_children(process_rig: Rig) -> None:
    array = client_of(process_rig).submit_array(shell(process_rig, "sleep 50"), 6)
    array.terminate("enough")
    assert array.wait(SECONDS) == "FAILED"
    assert {child.snapshot.status_reason for child in array.children} == {"enough"}


def test_an_array_of_someone_else_is_found_by_its_ids(process_rig: Rig) -> None:
    theirs = client_of(process_rig).submit_array(shell(process_rig, SAY_INDEX), 5, at_once=3)
    array = client_of(process_rig).array(*theirs.ids)
    assert array.wait(SECONDS) == "SUCCEEDED"
    assert [child.index for child in array.children] == [0, 1, 2, 3, 4]
    with pytest.raises(JobNotFound, match="nope"):
        client_of(process_rig).array("nope")


def test_a_look_at_a_hundred_and_ten_children_costs_two_calls_and_one_for_the_array(process_rig: Rig) -> None:
    counting = Counting(aws(process_rig, "batch"))
    array = client_of(process_rig, client=counting).submit_array(shell(process_rig, "exit 0"), 110)
    watcher = client_of(process_rig, client=counting).watcher([array])
    told: list[object] = []
    while watcher.unfinished:
        counting.calls.clear()
        told += watcher.poll()
        assert counting.calls["describe_jobs"] <= 3
    finished = [one for one in told if isinstance(one, Job) and one.status == "SUCCEEDED"]
    assert set(finished) >= set(array.children)
    assert array.is_finished


def test_the_jobs_of_a_queue_are_listed_by_state_and_name(process_rig: Rig) -> None:
    batch = client_of(process_rig)
    sleeping = batch.submit(shell(process_rig, "sleep 50", name="listed-one"))
    ended = batch.submit(shell(process_rig, "true", name="listed-two"))
    ended.wait(SECONDS)
    assert [job.id for job in batch.list_jobs(name="listed-*")] == [sleeping.id]
    assert [job.id for job in batch.list_jobs(["SUCCEEDED"], name="listed-*")] == [ended.id]
    assert sleeping.id in [job.id for job in batch.list_jobs()]
    batch.terminate([sleeping, ended], "over")
    assert (sleeping.wait(SECONDS), ended.refresh()) == ("FAILED", "SUCCEEDED")


def test_logs_of_several_jobs_are_followed_together(process_rig: Rig) -> None:
    batch = client_of(process_rig)
    jobs = [batch.submit(shell(process_rig, f"for n in 1 2 3; do echo {name}$n; sleep 0.2; done")) for name in "ab"]
    lines = list(batch.logs(jobs, timeout=SECONDS, settle=0.3))
    assert sorted(line.text for line in lines) == ["a1", "a2", "a3", "b1", "b2", "b3"]
    assert {line.job_id for line in lines} == {job.id for job in jobs}
