"""Submit a job once, also where the answer is lost: SubmitJob makes a second job of a repeated request.

Each submission carries a token in a variable of the container. Where AWS may have taken the request, the job with that token
is looked for before the request is sent again.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from compute_batch import limits, payloads
from compute_batch.aws import may_have_happened
from compute_batch.errors import ServiceError

if TYPE_CHECKING:
    from compute_batch.aws import Aws
    from compute_batch.definitions import Definitions
    from compute_batch.spec import JobSpec

TOKEN = "COMPUTE_BATCH_SUBMISSION"


def submit(
    aws: Aws, definitions: Definitions, spec: JobSpec, queue: str, *, size: int | None,
    depends_on: Sequence[Mapping[str, str]], variables: Mapping[str, str] | None,
) -> str:  # fmt: skip
    """The id of the new job; arguments are as `payloads.submit_request` takes them. Raises ServiceError."""
    token = uuid.uuid4().hex
    request = payloads.submit_request(
        spec, queue, definitions.arn_of(spec), size=size, depends_on=depends_on,
        variables={**(variables or {}), TOKEN: token},
    )  # fmt: skip
    try:
        return _send(aws, request, token)
    except ServiceError as error:
        if not _is_about_definition(error):
            raise
        definitions.forget(spec)
    return _send(aws, {**request, "jobDefinition": definitions.arn_of(spec)}, token)


def _send(aws: Aws, request: dict[str, Any], token: str) -> str:
    begun, failures = aws.clock(), 0
    action = f"submit job {request['jobName']!r} to queue {request['jobQueue']}"
    while True:
        try:
            return str(aws.once("batch", "submit_job", action, request)["jobId"])
        except ServiceError as error:
            failures += 1
            wait = aws.patience.wait(failures, aws.clock() - begun) if error.retryable else None
            if wait is None:
                raise
            is_unsure = may_have_happened(error)
        aws.sleep(wait)
        if is_unsure and (found := _find(aws, request, token)):
            return found


def _find(aws: Aws, request: dict[str, Any], token: str) -> str | None:
    """The job that was made of an earlier try; it is among the youngest of its name."""
    page = aws.batch(
        "list_jobs", f"look for job {request['jobName']!r}", jobQueue=request["jobQueue"],
        filters=[{"name": "JOB_NAME", "values": [request["jobName"]]}],
    )  # fmt: skip
    youngest = sorted(page["jobSummaryList"], key=lambda job: job["createdAt"], reverse=True)
    identifiers = [job["jobId"] for job in youngest[: limits.DESCRIBED_AT_ONCE]]
    if not identifiers:
        return None
    for job in aws.batch("describe_jobs", f"describe {len(identifiers)} jobs", jobs=identifiers)["jobs"]:
        variables = (job.get("container") or {}).get("environment") or ()
        if {"name": TOKEN, "value": token} in variables:
            return str(job["jobId"])
    return None


def _is_about_definition(error: ServiceError) -> bool:
    return error.code == "ClientException" and "definition" in str(error).lower()
