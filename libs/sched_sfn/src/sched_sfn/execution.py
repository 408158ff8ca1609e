"""One execution of a deployed machine."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import attrs

from sched_sfn.arguments import instance, optional
from sched_sfn.aws import Client, calling
from sched_sfn.errors import ExecutionFailed, NotRedrivable, ServiceError, WaitTimedOut

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds


@attrs.define
class Execution:
    """One execution of a deployed machine, as it was when it was last looked at; `refresh` looks again.

    `status` is RUNNING, PENDING_REDRIVE, SUCCEEDED, FAILED, TIMED_OUT or ABORTED; `error` and `cause` say why it failed;
    `input` and `output` are what went in and came out (None while there is none); `redrives` counts how often it was redriven.
    """

    arn: str
    client: Client = attrs.field(repr=False)
    status: str = "RUNNING"
    input: Any = attrs.field(default=None, repr=False)
    output: Any = attrs.field(default=None, repr=False)
    error: str | None = None
    cause: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    redrives: int = 0

    @property
    def name(self) -> str:
        """The execution's name, unique within its machine."""
        return self.arn.rpartition(":")[2]

    @property
    def running(self) -> bool:
        """Whether it had not ended when it was last looked at."""
        return self.status in ("RUNNING", "PENDING_REDRIVE")

    def refresh(self) -> Execution:
        """Look how it stands; gives itself. Raises ServiceError."""
        with calling(f"look at the execution {self.arn}"):
            found = self.client.describe_execution(executionArn=self.arn)
        self.status = found["status"]
        self.input, self.output = parsed(found.get("input")), parsed(found.get("output"))
        self.error, self.cause = found.get("error"), found.get("cause")
        self.started, self.ended = found.get("startDate"), found.get("stopDate")
        self.redrives = found.get("redriveCount", 0)
        return self

    def wait(self, timeout: float | None = None, *, check: bool = False) -> Execution:
        """Wait until it has ended, `timeout` seconds at most; gives itself.

        Raises WaitTimedOut, ServiceError (calls that may be tried again are), and with `check` ExecutionFailed.
        """
        optional(instance(int, float, must="a number of seconds"))("wait's timeout", timeout)
        deadline = time.monotonic() + timeout if timeout is not None else float("inf")
        pause = FIRST_PAUSE
        while True:
            self._refresh_patiently(deadline)
            if not self.running:
                break
            if time.monotonic() >= deadline:
                raise WaitTimedOut(self.arn, timeout or 0)
            time.sleep(max(min(pause, deadline - time.monotonic()), 0))
            pause = min(2 * pause, LONGEST_PAUSE)
        if check and self.status != "SUCCEEDED":
            raise ExecutionFailed(self.arn, self.status, self.error, self.cause)
        return self

    def _refresh_patiently(self, deadline: float) -> None:
        try:
            self.refresh()
        except ServiceError as error:
            if not error.retryable or time.monotonic() >= deadline:
                raise

    def stop(self, reason: str = "stopped by the user") -> Execution:
        """End it, with the jobs that it waits for; gives itself, refreshed. Nothing happens if it has ended already."""
        with calling(f"stop the execution {self.arn}"):
            self.client.stop_execution(executionArn=self.arn, error="Stopped", cause=reason)
        return self.refresh()

    def redrive(self) -> Execution:
        """Continue it, under its name and with its input, from the states that did not succeed; gives itself, refreshed.

        States that succeeded are not run again; an array job is submitted anew, whole. AWS does this up to 14 days after the
        end, and for executions of the machine's definition at that time. Raises NotRedrivable, ServiceError.
        """
        with calling(f"redrive the execution {self.arn}", ExecutionNotRedrivable=NotRedrivable(self.arn, self.status)):
            self.client.redrive_execution(executionArn=self.arn)
        return self.refresh()

    def events(self) -> Iterator[dict[str, Any]]:
        """Its history as AWS gives it, the oldest event first; read in pages. Raises ServiceError."""
        with calling(f"read the history of the execution {self.arn}"):
            for page in self.client.get_paginator("get_execution_history").paginate(executionArn=self.arn):
                yield from page["events"]


def parsed(text: str | None) -> Any:
    """The value of JSON text, None where there is none."""
    return json.loads(text) if text else None
