"""The one place that knows boto3: its clients, its errors as ours, and calls tried again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from compute_batch.errors import ComputeBatchError, ServiceError, Throttled
from compute_batch.pacing import Patience

THROTTLING = frozenset(
    {
        "LimitExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
    }
)
DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredTokenException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
    }
)

Client = Any
"""boto3 makes its clients' methods at run time: there is no class to name."""


class Aws:
    """Calls of Batch and CloudWatch Logs. Clients are made at the first call; those given are used as they are."""

    def __init__(
        self, batch: Client | None, logs: Client | None, endpoint_url: str | None, region: str | None, patience: Patience,
        *, sleep: Callable[[float], None] = time.sleep, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.patience = patience
        self.sleep = sleep
        self.clock = clock
        self._endpoint_url = endpoint_url
        self._region = region
        self._clients = {name: client for name, client in (("batch", batch), ("logs", logs)) if client is not None}
        self._lock = threading.Lock()

    def batch(self, method: str, action: str, *, patience: Patience | None = None, **arguments: Any) -> dict[str, Any]:
        """Call a method of Batch that may be repeated; `action` is what it does, in words. Raises ServiceError."""
        return self._patiently("batch", method, action, arguments, patience or self.patience)

    def logs(self, method: str, action: str, *, patience: Patience | None = None, **arguments: Any) -> dict[str, Any]:
        """Call a method of CloudWatch Logs that may be repeated. Raises ServiceError."""
        return self._patiently("logs", method, action, arguments, patience or self.patience)

    def pages(self, method: str, action: str, key: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """What is listed below `key` in all pages of an answer of Batch."""
        token: dict[str, Any] = {}
        while True:
            page = self.batch(method, action, **arguments, **token)
            yield from page.get(key, ())
            if not page.get("nextToken"):
                return
            token = {"nextToken": page["nextToken"]}

    def _patiently(
        self, service: str, method: str, action: str, arguments: dict[str, Any], patience: Patience
    ) -> dict[str, Any]:
        begun, failures = self.clock(), 0
        while True:
            try:
                return self.once(service, method, action, arguments)
            except ServiceError as error:
                failures += 1
                wait = patience.wait(failures, self.clock() - begun) if error.retryable else None
                if wait is None:
                    raise
            self.sleep(wait)

    def once(self, service: str, method: str, action: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """One call, never repeated here."""
        try:
            answer: dict[str, Any] = getattr(self._client(service), method)(**arguments)
        except Exception as error:
            raise translated(error, action) from error
        return answer

    def _client(self, service: str) -> Client:
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make_client(service)
            return self._clients[service]

    def _make_client(self, service: str) -> Client:
        import boto3
        from botocore.config import Config

        # tried again here, with a budget, and a submission only where that makes no second job: so not in boto3, too
        config = Config(retries={"total_max_attempts": 1, "mode": "standard"}, connect_timeout=10, read_timeout=30)
        session = boto3.session.Session(region_name=self._region)
        return session.client(service, endpoint_url=self._endpoint_url, config=config)  # type: ignore[call-overload]


def translated(error: Exception, action: str) -> ComputeBatchError:
    """The error of this package that says what happened; one that is none of boto3's comes back as it went in."""
    from botocore import exceptions as boto

    if isinstance(error, boto.ClientError):
        return _refused(error, action)
    if isinstance(error, (boto.ConnectionError, boto.HTTPClientError)):
        return ServiceError(action, f"AWS was not reached: {error}.", retryable=True)
    if isinstance(error, (boto.BotoCoreError, ValueError)):
        return ServiceError(action, f"{str(error).rstrip('.')}.{_advice_on(error)}")
    raise error


def _advice_on(error: Exception) -> str:
    """What to do about an error that came up before anything was sent."""
    from botocore import exceptions as boto

    if isinstance(error, boto.NoRegionError):
        return " Set AWS_DEFAULT_REGION, or give region=."
    if isinstance(error, (boto.NoCredentialsError, boto.PartialCredentialsError)):
        return " Log in to AWS, set AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
    return ""


def may_have_happened(error: ServiceError) -> bool:
    """Whether AWS may have done what it was asked, as the answer was lost or was a failure of its own."""
    from botocore import exceptions as boto

    cause = error.__cause__
    if isinstance(cause, boto.ClientError):
        return _status(cause) >= 500
    never_sent = (boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ProxyConnectionError, boto.SSLError)
    return error.retryable and not isinstance(cause, never_sent)


def _refused(error: Any, action: str) -> ServiceError:
    code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    reason = f"{code}: {message}"
    if code in THROTTLING or _status(error) == 429:
        return Throttled(action, reason, code)
    if code in DENIED:
        return ServiceError(action, f"{reason} Check the credentials and their policies.", code)
    return ServiceError(action, reason, code, retryable=_status(error) >= 500)


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
