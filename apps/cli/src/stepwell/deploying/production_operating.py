"""Runs of a deployed flow: listed, described, ended, continued; and the ends of those that could not tell of it themselves."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator

import attrs
from cas_store import MissingObject
from sched_sfn import Deployment, Execution

from stepwell.api.definition import FlowDefinition
from stepwell.config import Settings
from stepwell.deploying.job import production_run_id
from stepwell.deploying.production import find_deployment, require_own, shared_stores
from stepwell.deploying.production_run import console_url
from stepwell.errors import NotFound
from stepwell.execution.claims import end_run
from stepwell.execution.records import EndRecord, find_end, read_run, run_directory
from stepwell.execution.stores import Stores

STATUSES = ("running", "succeeded", "failed", "timed-out", "aborted")


@attrs.frozen
class ProductionRun:
    """A run of a deployed flow: its execution at AWS, and how it ended as its records say.

    `status` is one of `STATUSES`; `failed_task` is `step/task`, `reason` why it failed, where that is known.
    """

    run_id: str
    status: str
    execution_arn: str
    started: dt.datetime | None
    ended: dt.datetime | None
    redrives: int = 0
    failed_task: str | None = None
    reason: str | None = None

    @property
    def url(self) -> str:
        """Where the AWS console shows the execution."""
        return console_url(self.execution_arn)


def list_runs(flow: FlowDefinition, settings: Settings, status: str | None = None) -> Iterator[ProductionRun]:
    """The runs of the flow's deployment, the latest first; of one status, if it is given."""
    wanted = status.upper().replace("-", "_") if status else None
    for execution in find_deployment(flow, settings).executions(wanted):
        yield _shown(execution, None)


def describe_run(flow: FlowDefinition, settings: Settings, run_id: str) -> ProductionRun:
    """A run with all that is known of it. One that failed without a word gets its end record now. Raises `NotFound`."""
    execution = _execution(find_deployment(flow, settings), run_id)
    return _shown(execution, complete(flow.name, execution, shared_stores(settings)))


def terminate_run(flow: FlowDefinition, settings: Settings, run_id: str, authorize: str | None = None) -> ProductionRun:
    """End a run, with the jobs that it waits for."""
    deployment = find_deployment(flow, settings)
    require_own(deployment, settings, authorize)
    execution = _execution(deployment, run_id).stop("terminated by the user")
    return _shown(execution, complete(flow.name, execution, shared_stores(settings)))


def redrive_run(flow: FlowDefinition, settings: Settings, run_id: str, authorize: str | None = None) -> ProductionRun:
    """Continue a failed run in place: what was done is not done again. Raises `sched_sfn.NotRedrivable`."""
    deployment, stores = find_deployment(flow, settings), shared_stores(settings)
    require_own(deployment, settings, authorize)
    execution = _execution(deployment, run_id).redrive()
    stores.records.delete(f"{run_directory(flow.name, run_id)}/ended.json")
    return _shown(execution, None)


def complete(flow: str, execution: Execution, stores: Stores) -> EndRecord | None:
    """How a run ended. Where its execution did and no record says so, none of its jobs could tell: the record is written now."""
    run_id = production_run_id(execution.name)
    end = find_end(stores.records, flow, run_id)
    if end is None and execution.status not in ("RUNNING", "PENDING_REDRIVE", "SUCCEEDED"):
        with contextlib.suppress(MissingObject):  # nobody claimed it: its first job never ran
            claimed = read_run(stores.records, flow, run_id)
            end_run(stores, claimed, successful=False, reason=_why(execution))
            end = find_end(stores.records, flow, run_id)
    return end


def _execution(deployment: Deployment, run_id: str) -> Execution:
    from sched_sfn import ServiceError

    if not run_id.startswith(production_run_id("")):
        raise NotFound(f"'{run_id}' is no run of {deployment.name}: those are called {production_run_id('NAME')}")
    try:
        return deployment.execution(run_id.removeprefix(production_run_id("")))
    except ServiceError as error:
        if error.code != "ExecutionDoesNotExist":
            raise
        raise NotFound(
            f"{deployment.name} has no run '{run_id}'; step-functions list-runs lists what there is"
        ) from error


def _shown(execution: Execution, end: EndRecord | None) -> ProductionRun:
    status = execution.status.lower().replace("_", "-")
    failed = end is not None and not end.successful
    return ProductionRun(
        run_id=production_run_id(execution.name),
        status="running" if execution.running else status,
        execution_arn=execution.arn,
        started=execution.started,
        ended=execution.ended,
        redrives=execution.redrives,
        failed_task=f"{end.failed_step}/{end.failed_task}" if end and failed and end.failed_step else None,
        reason=(end.reason if end and failed else None) or (_why(execution) if execution.error else None),
    )


def _why(execution: Execution) -> str:
    said = ": ".join(part for part in (execution.error, (execution.cause or "")[:1000]) if part)
    return said or f"The execution ended as {execution.status}"
