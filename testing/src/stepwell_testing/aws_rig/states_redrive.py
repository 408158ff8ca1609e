"""RedriveExecution, which moto lacks.

Harsher than AWS: the machine runs again from its first state, where AWS goes on from the states that did not succeed. Whoever
survives this, whose finished work ends at once when it is asked for again, survives that.
"""

from __future__ import annotations

from typing import Any

from .moto_patching import asl, moto

UNSUCCESSFUL = ("FAILED", "TIMED_OUT", "ABORTED")


def repair_redrive() -> None:
    """Let failed executions be continued; their context says how often (``$states.context.Execution.RedriveCount``)."""
    responses = moto("stepfunctions.responses")
    core = moto("core.responses")

    def redrive_execution(self: Any) -> Any:
        execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
        if execution.status not in UNSUCCESSFUL:
            raise _not_redrivable(execution.execution_arn)
        execution.redrives = getattr(execution, "redrives", 0) + 1
        execution.error = execution.cause = execution.stop_date = execution.exec_worker = None
        execution.start()
        return core.ActionResult({"redriveDate": execution.start_date})

    describe = responses.StepFunctionResponse.describe_execution

    def describe_execution(self: Any) -> Any:
        found = describe(self)
        execution = self.stepfunction_backend.describe_execution(self._get_param("executionArn"))
        found.result["redriveCount"] = getattr(execution, "redrives", 0)
        return found

    responses.StepFunctionResponse.redrive_execution = redrive_execution
    responses.StepFunctionResponse.describe_execution = describe_execution
    _tell_the_context()


def _tell_the_context() -> None:
    execution_class = moto("stepfunctions.parser.backend.execution").Execution
    worker_of = execution_class._get_start_execution_worker
    worker_class = asl("eval.states").ContextObject
    construct = worker_class.__init__
    counts: dict[str, int] = {}

    def start_worker(self: Any) -> Any:
        if redrives := getattr(self, "redrives", 0):
            counts[self.exec_arn] = redrives
        return worker_of(self)

    def init(self: Any, context_object: Any) -> None:
        construct(self, context_object)
        execution = context_object["Execution"]
        if execution.get("Id") in counts:
            execution["RedriveCount"] = counts[execution["Id"]]

    execution_class._get_start_execution_worker = start_worker
    worker_class.__init__ = init


def _not_redrivable(arn: str) -> Exception:
    exceptions = moto("stepfunctions.exceptions")

    class ExecutionNotRedrivable(exceptions.AWSError):  # type: ignore[misc, name-defined]
        TYPE = "ExecutionNotRedrivable"

    error: Exception = ExecutionNotRedrivable(f"Execution cannot be redriven: {arn}")
    return error
