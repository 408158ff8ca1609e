"""Why the task of a job failed, where the job is to blame: what its image lacks, what kept it from beginning."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from stepwell.execution.failures import describe_failure
from stepwell.execution.records import FailureRecord, encode, find_failure, task_directory
from stepwell.execution.stores import Stores

if TYPE_CHECKING:
    from stepwell.deploying.job import JobTask

IMAGE = "STEPWELL_JOB_IMAGE"


def keep_failure(error: Exception, task: JobTask, stores: Stores, file: Path) -> None:
    """Leave the record of a failure before the step began."""
    failure = describe_failure(error, task.step, str(file))
    print(failure.traceback, file=sys.stderr, flush=True)
    missing = next((one for one in _chain(error) if isinstance(one, ModuleNotFoundError)), None)
    if missing:
        failure = _with_remedy(failure, missing.name or "")
    _keep(failure, task, stores)


def explain_missing_import(task: JobTask, stores: Stores) -> None:
    """Add to a failure in the step's body what to do about a package that the image lacks, if it was that."""
    failure = find_failure(stores.records, task.flow, task.run_id, task.step, task.task_id, task.attempt)
    if failure is None:
        return
    if failure.type == "UnknownServiceError":
        _keep(_with_remedy(failure, "boto3", "but one that knows only what stepwell itself asks of AWS"), task, stores)
    if failure.type == "ModuleNotFoundError":
        named = re.search(r"No module named '([^']+)'", failure.message)
        _keep(_with_remedy(failure, named.group(1) if named else ""), task, stores)


def _with_remedy(failure: FailureRecord, module: str, but: str = "") -> FailureRecord:
    package = module.partition(".")[0]
    remedy = (
        f"The image {os.environ.get(IMAGE, 'of the job')} has no '{package}'{f', {but}' if but else ''}. "
        "Use one that has it (@batch(image=...), "
        "STEPWELL_BATCH_IMAGE), or name it in a requirements.txt beside the flow and set STEPWELL_BATCH_PIP_INDEX_URL; "
        "if it is a file of yours, see what is packaged: package list"
    )
    print(remedy, file=sys.stderr, flush=True)
    return attrs.evolve(failure, message=f"{failure.message}\n{remedy}")


def _keep(failure: FailureRecord, task: JobTask, stores: Stores) -> None:
    directory = task_directory(task.flow, task.run_id, task.step, task.task_id)
    stores.records.replace(f"{directory}/{task.attempt}.failed.json", encode(failure))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those that led to it, also where it was raised `from None`."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
