"""Large objects to S3 in parts: the upload is completed under the condition that the name is still free."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from cas_store.backend import Bytes
from cas_store.s3_errors import Exists

if TYPE_CHECKING:
    from cas_store.s3 import S3Backend

SMALLEST_PART_BYTES = 8 * 1024 * 1024
MAX_PARTS = 10_000


def create_multipart(backend: S3Backend, name: str, parts: Iterable[Bytes], size: int) -> bool:
    """Whether this call made the name. An upload that does not complete is aborted, so that it costs nothing."""
    started = backend.call(name, lambda s3, where: s3.create_multipart_upload(**where, **backend.options))
    upload = started["UploadId"]

    def send(numbered: tuple[int, bytes]) -> dict[str, Any]:
        number, data = numbered
        answer = backend.call(
            name, lambda s3, where: s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=data)
        )
        return {"PartNumber": number, "ETag": answer["ETag"]}

    try:
        done: Any = {"Parts": list(backend.in_order(send, enumerate(_regrouped(parts, part_bytes(size)), 1)))}
        backend.call(
            name,
            lambda s3, where: s3.complete_multipart_upload(
                **where, UploadId=upload, MultipartUpload=done, IfNoneMatch="*"
            ),
        )
    except BaseException as error:
        with contextlib.suppress(Exception):
            backend.call(name, lambda s3, where: s3.abort_multipart_upload(**where, UploadId=upload))
        if isinstance(error, Exists):
            return False
        raise
    return True


def part_bytes(size: int) -> int:
    """Length of the parts: as S3 allows 10,000 of them, longer for longer objects."""
    return max(SMALLEST_PART_BYTES, -(-size // MAX_PARTS))


def _regrouped(parts: Iterable[Bytes], length: int) -> Iterator[bytes]:
    held = bytearray()
    for part in parts:
        held += part
        while len(held) >= length:
            yield bytes(held[:length])
            del held[:length]
    if held:
        yield bytes(held)
