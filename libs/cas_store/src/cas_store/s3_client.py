"""The client that backends on S3 share: made on first use, anew in a fork and where its credentials have expired."""

from __future__ import annotations

import os
import threading
import time
from typing import Any, TypeAlias

from cas_store.errors import BackendError, MissingExtra

S3Client: TypeAlias = Any
"""botocore makes its clients' methods at run time: there is no class to name."""
CONNECT_SECONDS, READ_SECONDS = 10, 60
USER_AGENT = "stepwell-cas-store"
"""Said once: botocore puts its own together anew for each request, a fifth of the time that a small one takes."""
RENEW_SECONDS = 5  # expired credentials are read anew no more often


class ClientOwner:
    """Holds a client: the caller's, which stays as it is, or one made from the environment."""

    def __init__(self, given: S3Client | None, endpoint_url: str | None, connections: int) -> None:
        self._given, self._endpoint_url, self._connections = given, endpoint_url, connections
        self._lock = threading.Lock()
        self._made: tuple[int | None, S3Client] | None = None  # the process that uses it; None: nobody yet
        self._renewed_at = -float(RENEW_SECONDS)

    def __reduce__(self) -> tuple[Any, ...]:
        """For other processes: they make a client of their own."""
        return type(self), (self._given, self._endpoint_url, self._connections)

    def client(self) -> S3Client:
        """The caller's client, or one of this process: connections are not shared across a fork."""
        if self._given is not None:
            return self._given
        process = os.getpid()
        with self._lock:
            if self._made is None or self._made[0] not in (process, None):
                self._made = process, self._make()
            elif self._made[0] is None:
                self._made = process, self._made[1]
            return self._made[1]

    def renew(self, expired: S3Client) -> bool:
        """Read credentials anew, which their owner may have renewed; whether there is another client than the expired one."""
        with self._lock:
            if self._given is not None or self._made is None:
                return False
            if self._made[1] is expired and time.monotonic() - self._renewed_at >= RENEW_SECONDS:
                self._made = os.getpid(), self._make()
                self._renewed_at = time.monotonic()
            return self._made[1] is not expired

    def warm_up(self) -> None:
        """Make the client, which opens no connection: forks of this process then begin with it."""
        if self._given is None and self._made is None:
            self._made = None, self._make()

    def _make(self) -> S3Client:
        return make_client(self._endpoint_url, self._connections)


def make_client(endpoint_url: str | None, connections: int) -> S3Client:
    """A client that leaves retries to this package, with timeouts and connections to match.

    It is botocore's own: boto3 would add methods that nobody calls here, and half as much again to the time it takes. Raises
    `MissingExtra`, `BackendError` where the environment names a profile that is not there, or a URL is none.
    """
    try:
        import botocore.session
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise MissingExtra("boto3", "s3") from error
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=connections,
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        user_agent=USER_AGENT,
    )
    try:
        return botocore.session.get_session().create_client("s3", endpoint_url=endpoint_url, config=config)
    except (BotoCoreError, ValueError) as error:
        raise BackendError(
            f"S3 cannot be asked: {str(error).rstrip('.')}: check the profile (AWS_PROFILE), the region and the endpoint's URL"
        ) from error
