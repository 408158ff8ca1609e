"""Submit once, also where the answer is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compute_batch import payloads
from compute_batch.errors import ServiceError

if TYPE_CHECKING:
    from compute_batch.aws import Aws
    from compute_batch.definitions import Definitions
    from compute_batch.spec import JobSpec


def submit(aws: Aws, definitions: Definitions, spec: JobSpec, queue: str, **more: Any) -> str:
    """The id of the new job; `more` is as `payloads.submit_request` takes it. Raises ServiceError."""
    request = payloads.submit_request(spec, queue, definitions.arn_of(spec), **more)
    try:
        return _send(aws, request)
    except ServiceError as error:
        if not _is_about_definition(error) or not definitions.forget(spec):
            raise
    return _send(aws, {**request, "jobDefinition": definitions.arn_of(spec)})


def _send(aws: Aws, request: dict[str, Any]) -> str:
    action = f"submit job {request['jobName']!r} to queue {request['jobQueue']}"
    return str(aws.batch("submit_job", action, **request)["jobId"])


def _is_about_definition(error: ServiceError) -> bool:
    return error.code == "ClientException" and "definition" in str(error).lower()
