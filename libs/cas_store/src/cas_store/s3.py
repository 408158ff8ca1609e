"""A backend on S3 or on anything that speaks its protocol, conditional writes included. botocore is imported on first use."""

from __future__ import annotations

import base64
import copy
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timezone
from typing import Any, TypeVar

from cas_store.backend import Backend, Bytes, Stat, check_name
from cas_store.errors import BadName, MissingObject
from cas_store.parallel import in_order
from cas_store.retrying import Retrying, RetryPolicy
from cas_store.s3_client import ClientOwner, S3Client
from cas_store.s3_errors import Exists, Truncated, is_expired, is_passing, needing, translated

R = TypeVar("R")
PART_BYTES = 8 * 1024 * 1024
DELETE_AT_ONCE = 1000


class S3Backend(Backend):
    """Named bytes below ``s3://bucket/prefix``. Constructing one sends nothing.

    ``create`` is one PUT with ``If-None-Match: *``, so of any number of writers exactly one makes a name. ``client`` is a boto3
    client of the caller's, with its session, proxies and retries; else one is made from the environment, with ``endpoint_url``.
    ``put_options`` are added to every write (``ServerSideEncryption``, ``SSEKMSKeyId``, ``StorageClass``, ``Tagging``).
    ``parallel`` is how many requests go out at once.
    """

    ask_first_bytes = 128 * 1024
    """A HEAD is cheaper than sending this much to learn that it is there; below, the conditional PUT is the question."""

    def __init__(
        self,
        url: str,
        *,
        endpoint_url: str | None = None,
        client: S3Client | None = None,
        put_options: Mapping[str, str] | None = None,
        retry: RetryPolicy | None = None,
        parallel: int = 16,
    ) -> None:
        scheme, _, rest = str(url).partition("://")
        bucket, _, prefix = rest.partition("/")
        if scheme != "s3" or not bucket:
            raise BadName(url, "the URL of a bucket", "s3://bucket or s3://bucket/prefix")
        self.bucket = bucket
        self.prefix = check_name(prefix.strip("/")) + "/" if prefix.strip("/") else ""
        self.parallel = parallel
        self._options: dict[str, Any] = dict(put_options or {})
        self._retrying = Retrying(retry or RetryPolicy())
        self._clients = ClientOwner(client, endpoint_url, parallel)

    def __repr__(self) -> str:
        return f"S3Backend('s3://{self.bucket}/{self.prefix}')"

    def below(self, prefix: str) -> S3Backend:
        """The same bucket below a longer prefix, through the same client: making one takes a tenth of a second."""
        other = copy.copy(self)
        other.prefix = self.prefix + check_name(prefix) + "/"
        return other

    def create(self, name: str, data: Bytes) -> bool:
        """Store if the name is free: one conditional PUT."""
        try:
            self._put(name, data, IfNoneMatch="*")
        except Exists:
            return False
        return True

    def replace(self, name: str, data: Bytes) -> None:
        """Store, whatever was there: one PUT."""
        self._put(name, data)

    def create_parts(self, name: str, parts: Iterable[Bytes], size: int) -> bool:
        """As ``create``: above 8 MiB a multipart upload whose completion is conditional; a few parts are held at a time."""
        if size <= PART_BYTES:
            return self.create(name, b"".join(parts))
        from cas_store.s3_multipart import upload

        return upload(self, name, parts, size, IfNoneMatch="*")

    def replace_parts(self, name: str, parts: Iterable[Bytes], size: int) -> None:
        """As ``replace``: above 8 MiB a multipart upload; a few parts are held at a time."""
        if size <= PART_BYTES:
            self.replace(name, b"".join(parts))
            return
        from cas_store.s3_multipart import upload

        upload(self, name, parts, size)

    def read(self, name: str) -> bytes:
        """All bytes: one GET."""
        return self.call(name, lambda s3, where: _body(s3.get_object(**where)))

    def read_range(self, name: str, offset: int, size: int) -> bytes:
        """Some of the bytes: one ranged GET."""
        if size <= 0:
            return b""
        wanted = f"bytes={offset}-{offset + size - 1}"
        return self.call(name, lambda s3, where: _range_body(s3, where, wanted))

    def exists(self, name: str) -> bool:
        """Whether the name is taken: one HEAD."""
        try:
            self.stat(name)
        except MissingObject:
            return False
        return True

    def stat(self, name: str) -> Stat:
        """Size and time: one HEAD."""
        found = self.call(name, lambda s3, where: s3.head_object(**where))
        return Stat(found["ContentLength"], found["LastModified"].astimezone(timezone.utc))

    def delete(self, name: str) -> None:
        """Remove: one DELETE."""
        try:
            self.call(name, lambda s3, where: s3.delete_object(**where))
        except MissingObject:
            return

    def delete_many(self, names: Iterable[str]) -> None:
        """Remove, a thousand names a request."""
        waiting = list(names)
        for at in range(0, len(waiting), DELETE_AT_ONCE):
            keys = [{"Key": self.prefix + check_name(name)} for name in waiting[at : at + DELETE_AT_ONCE]]
            wanted: Any = {"Objects": keys, "Quiet": True}
            answer = self.call(None, lambda s3, _: s3.delete_objects(Bucket=self.bucket, Delete=wanted))  # noqa: B023
            for failed in answer.get("Errors", ()):
                self.delete(str(failed["Key"])[len(self.prefix) :])  # alone: retried, or an error that says why

    def names(self, prefix: str = "") -> Iterator[str]:
        """Sorted names, a thousand a request."""
        return (name for name, _ in self.stats(prefix))

    def stats(self, prefix: str = "") -> Iterator[tuple[str, Stat]]:
        """Names with size and time, as a listing has them."""
        where = {"Bucket": self.bucket, "Prefix": self.prefix + prefix}
        while True:
            page = self.call(None, lambda s3, _: needing("IsTruncated", s3.list_objects_v2(**where)))
            for entry in page.get("Contents", ()):
                modified = entry["LastModified"].astimezone(timezone.utc)
                yield entry["Key"][len(self.prefix) :], Stat(entry["Size"], modified)
            if not page.get("IsTruncated"):
                return
            where["ContinuationToken"] = page["NextContinuationToken"]

    def leftovers(self) -> Iterator[tuple[str, Stat]]:
        """Uploads that were begun and not completed, or are at work right now: mind their age. S3 does not tell their size."""
        from cas_store.s3_multipart import unfinished

        return unfinished(self)

    def remove_leftover(self, name: str) -> None:
        """Abort an upload."""
        from cas_store.s3_multipart import abort

        abort(self, name)

    def call(self, name: str | None, act: Callable[[S3Client, dict[str, Any]], R]) -> R:
        """One request with retries; whatever goes wrong comes out as an error of this package (or `Exists`)."""
        where = {"Bucket": self.bucket, "Key": self.prefix + check_name(name)} if name is not None else {}
        client = self._clients.client()
        try:
            return self._retrying.call(lambda: act(client, where), is_passing)
        except Exception as error:
            if isinstance(error, Exists):
                raise
            failure = error
        if is_expired(failure) and self._clients.renew(client):
            return self.call(name, act)
        raise translated(failure, name, self.bucket) from failure

    def _put(self, name: str, data: Bytes, **condition: str) -> None:
        checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()

        def put(s3: S3Client, where: dict[str, Any]) -> None:
            body = data if isinstance(data, (bytes, bytearray)) else MemoryReader(memoryview(data))
            s3.put_object(**where, **self._options, **condition, Body=body, ChecksumSHA256=checksum)

        self.call(name, put)

    @property
    def options(self) -> dict[str, Any]:
        """What every write adds."""
        return self._options

    def warm_up(self) -> None:
        """Make the client, which opens no connection: forks of this process then begin with it."""
        self._clients.warm_up()

    def in_order(self, act: Callable[[Any], R], items: Iterable[Any]) -> Iterator[R]:
        """Several requests at once, few enough that what they hold stays small."""
        return in_order(min(self.parallel, 8), act, items, ahead=8)


class MemoryReader:
    """A buffer as the file that botocore wants, without a copy."""

    def __init__(self, view: memoryview) -> None:
        self._view = view.cast("B") if view.nbytes else memoryview(b"")
        self._at = 0

    def __len__(self) -> int:
        return self._view.nbytes

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes."""
        end = self._view.nbytes if size is None or size < 0 else self._at + size
        part = self._view[self._at : end].tobytes()
        self._at += len(part)
        return part

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go somewhere, as when a request is sent again."""
        self._at = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._view.nbytes}[whence] + offset
        return self._at

    def tell(self) -> int:
        """The position."""
        return self._at


def _body(answer: Any) -> bytes:
    """A whole body; a shorter one than announced is an error, never a result."""
    data: bytes = answer["Body"].read()
    if len(data) != answer["ContentLength"]:
        raise Truncated(f"the body ended after {len(data)} of {answer['ContentLength']} bytes")
    return data


def _range_body(s3: Any, where: dict[str, Any], wanted: str) -> bytes:
    from botocore.exceptions import ClientError

    try:
        return _body(s3.get_object(**where, Range=wanted))
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 416:  # starts at or behind the end
            return b""
        raise
