"""Job definitions, found again by their content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compute_batch import payloads

if TYPE_CHECKING:
    from compute_batch.aws import Aws
    from compute_batch.spec import JobSpec


class Definitions:
    """The definitions whose names begin with `prefix`. Each is looked up at most once, and registered only if missing.

    Two clients that meet for the first time at one shape may both register it: two revisions of equal content, of which
    either serves.
    """

    def __init__(self, aws: Aws, prefix: str) -> None:
        self._aws = aws
        self._prefix = prefix
        self._known: dict[str, str] = {}

    def name_of(self, spec: JobSpec) -> str:
        """The name of the definition of the job's shape."""
        return payloads.definition_name(spec, self._prefix)

    def arn_of(self, spec: JobSpec) -> str:
        """The ARN, revision included, of the definition of the job's shape."""
        name = self.name_of(spec)
        if name not in self._known:
            self._known[name] = self._find(name) or self._register(spec)
        return self._known[name]

    def forget(self, spec: JobSpec) -> None:
        """Look it up anew next time, as somebody may have deregistered it."""
        self._known.pop(self.name_of(spec), None)

    def _find(self, name: str) -> str | None:
        found = self._aws.pages(
            "describe_job_definitions", f"look for the job definition {name}", "jobDefinitions",
            jobDefinitionName=name, status="ACTIVE",
        )  # fmt: skip
        newest = max(found, key=lambda definition: definition["revision"], default=None)
        return str(newest["jobDefinitionArn"]) if newest else None

    def _register(self, spec: JobSpec) -> str:
        request = payloads.register_request(spec, self._prefix)
        action = f"register the job definition {request['jobDefinitionName']}"
        return str(self._aws.batch("register_job_definition", action, **request)["jobDefinitionArn"])
