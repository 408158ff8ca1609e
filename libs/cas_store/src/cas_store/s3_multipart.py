"""Large objects to S3 in parts; a condition such as that the name is free is checked when the upload completes."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from collections.abc import Iterable, Iterator
from datetime import timezone
from typing import TYPE_CHECKING, Any

from cas_store.backend import Bytes, Stat
from cas_store.errors import CasStoreError, MissingObject
from cas_store.s3_errors import Exists, is_unknown_upload, needing

if TYPE_CHECKING:
    from cas_store.s3 import S3Backend

SMALLEST_PART_BYTES = 8 * 1024 * 1024
MAX_PARTS = 10_000


def upload(backend: S3Backend, name: str, parts: Iterable[Bytes], size: int, **condition: str) -> bool:
    """Whether the condition of completion held. An upload that does not complete is aborted, so that it costs nothing."""
    started = backend.call(
        name, lambda s3, where: needing("UploadId", s3.create_multipart_upload(**where, **backend.options))
    )
    upload_id = started["UploadId"]

    def send(numbered: tuple[int, bytes]) -> dict[str, Any]:
        number, data = numbered
        sent: dict[str, Any] = {"PartNumber": number, "Body": data, "ContentMD5": _md5(data)}
        answer = backend.call(name, lambda s3, where: s3.upload_part(**where, UploadId=upload_id, **sent))
        return {"PartNumber": number, "ETag": answer["ETag"]}

    try:
        done: Any = {"Parts": list(backend.in_order(send, enumerate(_regrouped(parts, part_bytes(size)), 1)))}
        backend.call(
            name,
            lambda s3, where: s3.complete_multipart_upload(
                **where, UploadId=upload_id, MultipartUpload=done, **condition
            ),
        )
    except BaseException as error:
        with contextlib.suppress(Exception):
            backend.call(name, lambda s3, where: s3.abort_multipart_upload(**where, UploadId=upload_id))
        if isinstance(error, Exists):
            return False
        if is_unknown_upload(error) and _is_complete(backend, name, size):
            return True
        raise
    return True


_UPLOAD = "?uploadId="


def unfinished(backend: S3Backend) -> Iterator[tuple[str, Stat]]:
    """The uploads below the prefix that are neither completed nor aborted, and when each was begun."""
    where = {"Bucket": backend.bucket, "Prefix": backend.prefix}
    while True:
        page = backend.call(None, lambda s3, _: s3.list_multipart_uploads(**where))  # noqa: B023
        for upload in page.get("Uploads", ()):
            begun = upload["Initiated"].astimezone(timezone.utc)
            yield f"{upload['Key'][len(backend.prefix) :]}{_UPLOAD}{upload['UploadId']}", Stat(0, begun)
        if not page.get("IsTruncated"):
            return
        where |= {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}


def abort(backend: S3Backend, leftover: str) -> None:
    """Abort what ``unfinished`` named; nothing happens if it is completed or aborted by now."""
    name, _, upload_id = leftover.rpartition(_UPLOAD)
    try:
        backend.call(name, lambda s3, where: s3.abort_multipart_upload(**where, UploadId=upload_id))
    except CasStoreError as error:
        if not is_unknown_upload(error):
            raise


def part_bytes(size: int) -> int:
    """Length of the parts: as S3 allows 10,000 of them, longer for longer objects."""
    return max(SMALLEST_PART_BYTES, -(-size // MAX_PARTS))


def _md5(data: bytes) -> str:
    """For S3 to check what arrived; no matter of identity."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def _is_complete(backend: S3Backend, name: str, size: int) -> bool:
    """Whether the object is there: its upload was completed, but the answer was lost, and the next one was about nothing."""
    try:
        return backend.stat(name).size_bytes == size
    except MissingObject:
        return False


def _regrouped(parts: Iterable[Bytes], length: int) -> Iterator[bytes]:
    held = bytearray()
    for part in parts:
        held += part
        while len(held) >= length:
            yield bytes(held[:length])
            del held[:length]
    if held:
        yield bytes(held)
