"""The one place where what botocore raises becomes ours."""

from __future__ import annotations

import os
from typing import Any

from cas_store.errors import (
    AccessDenied,
    ArchivedObject,
    BackendError,
    BackendUnavailable,
    CasStoreError,
    MissingObject,
    StoreFull,
)


class Exists(Exception):
    """A conditional write met a name that is taken. Never leaves this package."""


class Truncated(Exception):
    """A body ended early."""


def needing(key: str, answer: Any) -> Any:
    """The answer, if it has the key that every whole one has: botocore reads a body that was cut at once as an empty answer."""
    if key not in answer:
        raise Truncated(f"the answer ended before its {key}")
    return answer


_PASSING_CODES = {
    "SlowDown",
    "InternalError",
    "ServiceUnavailable",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "ConditionalRequestConflict",
    "OperationAborted",
    "BadDigest",
    "XAmzContentChecksumMismatch",
    "IncompleteBody",
}
_PASSING_STATUS = (408, 429)
_DENIED_CODES = {
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "AllAccessDisabled",
    "Forbidden",
    "403",
}
_EXPIRED_LOGINS = {"SSOTokenLoadError", "UnauthorizedSSOTokenError", "TokenRetrievalError", "CredentialRetrievalError"}
_EXPIRED_CODES = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_MISSING_CODES = {"NoSuchKey", "404", "NotFound"}
_TAKEN_CODES = {"PreconditionFailed", "412"}
_FULL_CODES = {"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "507"}


def is_passing(error: Exception) -> bool:
    """Whether trying again may help; a name that is taken comes out as `Exists`."""
    code, status = _code(error)
    if code in _TAKEN_CODES or status == 412:
        raise Exists from error
    if code:
        return (
            code in _PASSING_CODES
            or (status is not None and status >= 500 and code not in _FULL_CODES)
            or status in _PASSING_STATUS
        )
    return isinstance(error, Truncated) or _is_connection_trouble(error)


def translated(error: Exception, name: str | None, bucket: str) -> CasStoreError:
    """The error of this package that says what happened."""
    code, status = _code(error)
    what = f"{name or 'a listing'} in bucket {bucket}"
    if isinstance(error, CasStoreError):
        return error
    if code in _MISSING_CODES and name is not None:
        return MissingObject(name)
    if code == "InvalidObjectState":
        return ArchivedObject(name or "", _storage_class(error))
    if is_expired(error):
        return AccessDenied(
            f"S3 refused {_action(error)} of {what}: the credentials of {_owner()} have expired "
            f"({code or type(error).__name__}): log in again",
            name,
        )
    if code in _DENIED_CODES or status in (401, 403):
        return AccessDenied(
            f"S3 refused {_action(error)} of {what} to {_owner()} ({code or status}): "
            "check credentials, region and the bucket's policy",
            name,
        )
    if code in _FULL_CODES or status == 507:
        return StoreFull(f"S3 has no room for {what} ({code}): make room and try again", name)
    if code == "NoSuchBucket":
        return BackendError(f"there is no bucket {bucket}: create it, or correct the store's URL", name)
    if type(error).__name__ in ("NoCredentialsError", "PartialCredentialsError", "NoRegionError"):
        return AccessDenied(f"S3 was not asked for {what}: {error}: configure AWS credentials and a region", name)
    if code == "" and not isinstance(error, Truncated) and not _is_connection_trouble(error):
        return BackendError(f"S3 request for {what} failed: {type(error).__name__}: {error}", name)
    if code and not (code in _PASSING_CODES or status in _PASSING_STATUS or (status or 0) >= 500):
        return BackendError(f"S3 refused {what}: {error}", name)
    return BackendUnavailable(f"S3 did not serve {what} within the retry budget: {error}: try again later", name)


def is_expired(error: Exception) -> bool:
    """Whether the credentials were good once: others may be there by now."""
    kinds = {type(error).__name__, type(error.__cause__).__name__}
    return _code(error)[0] in _EXPIRED_CODES or not kinds.isdisjoint(_EXPIRED_LOGINS)


def _action(error: Exception) -> str:
    """What was asked for, as policies call it, where botocore says it."""
    return str(getattr(error, "operation_name", None) or "a request")


def _owner() -> str:
    """Whose credentials they are, as far as the environment tells."""
    if profile := os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE"):
        return f"profile '{profile}'"
    return "AWS_ACCESS_KEY_ID" if os.environ.get("AWS_ACCESS_KEY_ID") else "profile 'default' or the machine's role"


def is_unknown_upload(error: BaseException) -> bool:
    """Whether S3 does not know the multipart upload: as after one that was completed while its answer was lost."""
    cause = error.__cause__
    return isinstance(cause, Exception) and _code(cause)[0] == "NoSuchUpload"


def _code(error: Exception) -> tuple[str, int | None]:
    response: Any = getattr(error, "response", None)
    if not isinstance(response, dict):
        return "", None
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return str(response.get("Error", {}).get("Code", status)), status


def _storage_class(error: Exception) -> str:
    response: Any = getattr(error, "response", {})
    return str(response.get("Error", {}).get("StorageClass", "archive storage class"))


def _is_connection_trouble(error: Exception) -> bool:
    from botocore import exceptions as botocore_errors

    kinds = (
        botocore_errors.HTTPClientError,  # connections, timeouts, proxies, TLS
        botocore_errors.IncompleteReadError,
        botocore_errors.ResponseStreamingError,
        botocore_errors.ConnectionError,
    )
    return isinstance(error, (*kinds, OSError)) or type(error).__module__.startswith("urllib3.")
