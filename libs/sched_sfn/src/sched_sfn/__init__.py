"""Turn a flow graph into an Amazon States Language machine and operate it."""

from __future__ import annotations

from sched_sfn.batch import BatchJob, BatchRunner
from sched_sfn.compiling import compile_machine
from sched_sfn.costs import Cost
from sched_sfn.deployment import Deployment
from sched_sfn.errors import (
    CompileError,
    DeploymentNotFound,
    ExecutionExists,
    ExecutionFailed,
    InvalidArgument,
    InvalidName,
    MissingExtra,
    NotRedrivable,
    QuotaExceeded,
    SchedSfnError,
    ServiceError,
    WaitTimedOut,
)
from sched_sfn.execution import Execution
from sched_sfn.fan_outs import FanOut
from sched_sfn.machine import StateMachine
from sched_sfn.running import InResult, S3Record, SharingRunner, StepRunner, StepTask
from sched_sfn.starters import Cron, EventRule, Starters
from sched_sfn.values import Jsonata, Template

__all__ = [
    "BatchJob",
    "BatchRunner",
    "CompileError",
    "Cost",
    "Cron",
    "Deployment",
    "DeploymentNotFound",
    "EventRule",
    "Execution",
    "ExecutionExists",
    "ExecutionFailed",
    "FanOut",
    "InResult",
    "InvalidArgument",
    "InvalidName",
    "Jsonata",
    "MissingExtra",
    "NotRedrivable",
    "QuotaExceeded",
    "S3Record",
    "SchedSfnError",
    "ServiceError",
    "SharingRunner",
    "Starters",
    "StateMachine",
    "StepRunner",
    "StepTask",
    "Template",
    "WaitTimedOut",
    "compile_machine",
]
