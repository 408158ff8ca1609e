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
    InvalidName,
    MissingExtra,
    QuotaExceeded,
    SchedSfnError,
    ServiceError,
    WaitTimedOut,
)
from sched_sfn.execution import Execution
from sched_sfn.fan_outs import FanOut
from sched_sfn.machine import StateMachine
from sched_sfn.running import InResult, S3Record, StepRunner, StepTask
from sched_sfn.values import Jsonata, Template

__all__ = [
    "BatchJob",
    "BatchRunner",
    "CompileError",
    "Cost",
    "Deployment",
    "DeploymentNotFound",
    "Execution",
    "ExecutionExists",
    "ExecutionFailed",
    "FanOut",
    "InResult",
    "InvalidName",
    "Jsonata",
    "MissingExtra",
    "QuotaExceeded",
    "S3Record",
    "SchedSfnError",
    "ServiceError",
    "StateMachine",
    "StepRunner",
    "StepTask",
    "Template",
    "WaitTimedOut",
    "compile_machine",
]
