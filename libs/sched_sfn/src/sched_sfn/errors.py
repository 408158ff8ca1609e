"""What can go wrong.

    SchedSfnError
    ├── CompileError          a graph and a runner that make no machine
    │   └── QuotaExceeded     a machine or an input that AWS would refuse or break off
    ├── InvalidArgument       an argument that is of the wrong type, or out of bounds      (also a ValueError)
    ├── InvalidName           a name that no machine, state or execution may have      (also a ValueError)
    ├── DeploymentNotFound    no state machine of that name                            (also a KeyError)
    ├── ExecutionExists       another execution has that name already
    ├── ExecutionFailed       an execution that ended without success
    ├── NotRedrivable         an execution that cannot be continued: running, successful, or too old
    ├── WaitTimedOut          an execution that is still running                       (retryable)
    ├── ServiceError          AWS refused a call, or could not be reached              (retryable where AWS says so)
    └── MissingExtra          boto3 is not installed

A graph that is not well formed raises `flow_graph.GraphError`. Errors of boto3 never leak: they are the `__cause__`.
"""

from __future__ import annotations


class SchedSfnError(Exception):
    """The base of every error of this package."""

    retryable = False


class CompileError(SchedSfnError):
    """A graph and a runner that make no machine; `step` is where it shows, if it is about one step."""

    def __init__(self, message: str, step: str | None = None) -> None:
        self.step = step
        super().__init__(message)


class QuotaExceeded(CompileError):
    """Something beyond a quota of AWS: `quota` names it, `limit` and `actual` are in its unit."""

    def __init__(self, what: str, quota: str, limit: int, actual: int, advice: str, step: str | None = None) -> None:
        self.quota = quota
        self.limit = limit
        self.actual = actual
        super().__init__(
            f"{what} is beyond a quota of AWS: {quota}, {limit:,} at most, here {actual:,}. {advice}", step
        )


class InvalidArgument(SchedSfnError, ValueError):
    """An argument that is not what it should be; `argument` names it. Nothing was sent."""

    def __init__(self, argument: str, value: object, must: str) -> None:
        self.argument = argument
        shown = repr(value)
        super().__init__(f"{argument} is {shown if len(shown) <= 80 else f'{shown[:80]}…'}; it must be {must}.")


class InvalidName(SchedSfnError, ValueError):
    """A name that AWS would refuse."""

    def __init__(self, kind: str, name: str, reason: str) -> None:
        self.name = name
        super().__init__(f"{name!r} cannot be the name of {kind}: {reason}.")


class DeploymentNotFound(SchedSfnError, KeyError):
    """There is no state machine of that name in the account and region."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.message = (
            f"There is no state machine {name!r} in this account and region. Create it with Deployment.apply()."
        )
        super().__init__(self.message)

    def __str__(self) -> str:  # KeyError would show the repr
        return self.message


class ExecutionExists(SchedSfnError):
    """An execution of that name was started before, with another input or long ago."""

    def __init__(self, deployment: str, name: str) -> None:
        self.name = name
        super().__init__(
            f"The state machine {deployment!r} has an execution {name!r} already. Leave the name out, or choose another."
        )


class ExecutionFailed(SchedSfnError):
    """An execution that ended without success; `status` is FAILED, TIMED_OUT or ABORTED."""

    def __init__(self, arn: str, status: str, error: str | None, cause: str | None) -> None:
        self.arn = arn
        self.status = status
        self.error = error
        self.cause = cause
        why = ": ".join(part for part in (error, cause) if part) or "AWS gives no reason"
        super().__init__(f"The execution {arn} ended as {status}. {why}")


class NotRedrivable(SchedSfnError):
    """An execution that AWS does not continue: it runs, it succeeded, or it ended more than 14 days ago."""

    def __init__(self, arn: str, status: str) -> None:
        self.arn = arn
        self.status = status
        super().__init__(
            f"The execution {arn} cannot be redriven: it is {status}, or ended more than 14 days ago. Start a new one."
        )


class WaitTimedOut(SchedSfnError):
    """An execution that was still running after `seconds`; it goes on."""

    retryable = True

    def __init__(self, arn: str, seconds: float) -> None:
        self.arn = arn
        self.seconds = seconds
        super().__init__(f"The execution {arn} is still running after {seconds:g} s. Wait again, or stop() it.")


class ServiceError(SchedSfnError):
    """AWS refused a call or could not be reached; `code` is its error code, where there is one."""

    def __init__(self, action: str, reason: str, code: str | None = None, *, retryable: bool = False) -> None:
        self.code = code
        self.retryable = retryable
        advice = " Try again." if retryable else ""
        super().__init__(f"Could not {action}: {reason}{advice}")


class MissingExtra(SchedSfnError):
    """boto3 is not installed; compiling does not need it, deploying does."""

    def __init__(self) -> None:
        super().__init__("Deploying needs boto3. Install it with: pip install 'stepwell-sched-sfn[deploy]'")
