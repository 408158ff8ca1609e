"""What a job learns from its environment."""

from __future__ import annotations

import pytest
from stepwell.deploying.job import read_environment

BASE = {"STEPWELL_FLOW": "F", "STEPWELL_STEP": "s", "STEPWELL_RUN_ID": "12"}


@pytest.mark.parametrize(
    ("more", "task_id", "attempt"),
    [
        ({}, "t0", 0),
        ({"STEPWELL_FOREACH_PATH": "3-1"}, "t3-1", 0),
        ({"AWS_BATCH_JOB_ARRAY_INDEX": "7"}, "t7", 0),
        ({"STEPWELL_FOREACH_PATH": "3", "AWS_BATCH_JOB_ARRAY_INDEX": "7"}, "t3-7", 0),
        ({"STEPWELL_ARRAY_OFFSET": "10000", "AWS_BATCH_JOB_ARRAY_INDEX": "7"}, "t10007", 0),
        ({"STEPWELL_ARRAY_INDICES": "4,8-9", "AWS_BATCH_JOB_ARRAY_INDEX": "2"}, "t9", 0),
        ({"STEPWELL_ARRAY_INDICES": "4,8-9", "STEPWELL_ARRAY_OFFSET": "2"}, "t9", 0),
        ({"STEPWELL_ITERATION": "2"}, "t0-r2", 0),
        ({"AWS_BATCH_JOB_ATTEMPT": "3"}, "t0", 2),
        ({"STEPWELL_ATTEMPT_BASE": "4", "AWS_BATCH_JOB_ATTEMPT": "1"}, "t0", 4),
    ],
)
def test_the_environment_names_the_task_and_the_attempt(more: dict[str, str], task_id: str, attempt: int) -> None:
    task = read_environment({**BASE, **more})
    assert (task.flow, task.run_id, task.step) == ("F", "12", "s")
    assert (task.task_id, task.attempt) == (task_id, attempt)


def test_the_run_of_an_execution_is_named_after_it() -> None:
    execution = {"STEPWELL_FLOW": "F", "STEPWELL_STEP": "s", "STEPWELL_EXECUTION": "abc"}
    assert read_environment(execution).run_id == "sfn-abc"
