"""The one place that knows boto3: its client, and its errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sched_sfn.errors import InvalidArgument, MissingExtra, SchedSfnError, ServiceError

PASSING = frozenset(
    {
        "InternalFailure",
        "InternalServerError",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "StateMachineDeleting",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Error codes that say: not now."""
DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredTokenException",
        "InvalidSignatureException",
        "UnrecognizedClientException",
    }
)
"""Error codes that say: not you."""

Client = Any
"""boto3 makes its clients' methods at run time: there is no class to name."""


def make_client(endpoint_url: str | None, service: str = "stepfunctions") -> Client:
    """A client of a service from the environment. Raises MissingExtra, ServiceError (no region, a malformed URL)."""
    try:
        import boto3
    except ImportError as error:
        raise MissingExtra from error
    with calling(f"make a client of {service}"):
        return boto3.client(service, endpoint_url=endpoint_url)  # type: ignore[call-overload]


def given_client(client: Client, service: str = "stepfunctions") -> Client:
    """A client of the caller's. Raises InvalidArgument where it is none."""
    if not hasattr(client, "meta"):
        raise InvalidArgument("The client", client, f'a client of boto3, as boto3.client("{service}")')
    return client


@contextmanager
def calling(action: str, **known: SchedSfnError) -> Iterator[None]:
    """Turn errors of boto3 into ours: those whose code is in `known` into the error given there, others into ServiceError."""
    from botocore import exceptions as boto

    try:
        yield
    except boto.ClientError as error:
        code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
        if code in known:
            raise known[code] from error
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        passing = code in PASSING or status >= 500
        advice = " Check the credentials and their policies." if code in DENIED else ""
        raise ServiceError(action, f"{code}: {message}{advice}", code, retryable=passing) from error
    except (boto.ConnectionError, boto.HTTPClientError) as error:
        raise ServiceError(action, f"{error}.", retryable=True) from error
    except (boto.BotoCoreError, ValueError) as error:
        raise ServiceError(action, f"{str(error).rstrip('.')}.{_advice_on(error)}") from error


def _advice_on(error: Exception) -> str:
    """What to do about an error that came up before anything was sent."""
    from botocore import exceptions as boto

    if isinstance(error, boto.NoRegionError):
        return " Set AWS_DEFAULT_REGION, or give client=."
    if isinstance(error, (boto.NoCredentialsError, boto.PartialCredentialsError)):
        return " Log in to AWS, set AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    return ""
