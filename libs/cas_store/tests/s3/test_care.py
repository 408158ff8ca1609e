"""Care of a store in S3, on a real server."""

from __future__ import annotations

import random
from datetime import timedelta

from cas_store import ContentStore, MemoryBackend, S3Backend, sync
from cas_store.renewing import renew
from stepwell_testing.s3 import S3Server

NOISE = random.Random(0).randbytes(9 * 1024 * 1024)


def test_a_store_in_s3_is_checked_counted_swept_and_copied(server: S3Server) -> None:
    store = ContentStore(S3Backend(f"s3://{server.bucket}/care"))
    kept = [store.put(b"kept"), store.put_buffer(NOISE), store.put(NOISE, plain=True)]
    store.put(NOISE[:-1])
    assert store.usage().objects == 4
    assert store.fsck().ok
    assert store.collect_garbage(kept).condemned == 0  # all of it is young
    rehearsed = store.collect_garbage(kept, grace=timedelta(0), dry_run=True)
    assert store.collect_garbage(kept, grace=timedelta(0)).deleted == rehearsed.deleted > 2
    copy = ContentStore(MemoryBackend())
    sync(store, copy)
    assert set(copy) == set(store)
    assert copy.fsck().ok
    assert list(store.backend.names("sweep/")) == []


def test_a_large_plain_file_is_renewed_in_parts(server: S3Server) -> None:
    store = ContentStore(S3Backend(f"s3://{server.bucket}/renewed"))
    digest = store.put(NOISE, plain=True)
    before = store.backend.stat(store.location(digest))
    renew(store.backend, digest)
    assert store.get(digest) == NOISE
    assert store.backend.stat(store.location(digest)).size_bytes == before.size_bytes


def test_an_upload_that_was_interrupted_is_a_leftover_of_its_own_store(server: S3Server) -> None:
    stores = [ContentStore(S3Backend(f"s3://{server.bucket}/{name}")) for name in ("one", "other")]
    begun = server.client().create_multipart_upload(Bucket=server.bucket, Key="one/v1/sha256-file/00/x")
    (leftover,) = stores[0].fsck().leftovers
    assert leftover == f"v1/sha256-file/00/x?uploadId={begun['UploadId']}"
    assert stores[1].fsck().leftovers == ()
    assert stores[0].fsck(remove_leftovers=timedelta(days=1)).removed == ()
    assert stores[0].fsck(remove_leftovers=timedelta(0)).removed == (leftover,)
    assert stores[0].fsck().leftovers == ()
    stores[0].backend.remove_leftover(leftover)  # gone already
