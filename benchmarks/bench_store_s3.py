"""The content store on S3 beside boto3's own transfer manager, against the same server: SeaweedFS on this machine."""

from __future__ import annotations

import io
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

from cas_store import ContentStore, Digest, S3Backend
from harness import heading
from stepwell_testing.s3 import S3Server
from store_worker import MIB

SIZE = 64 * MIB
RUNS = 5


def timed(act: Callable[[], Any]) -> tuple[Any, float, float]:
    """What it gives, and its seconds of wall and of this process's CPU."""
    started, used = time.perf_counter(), time.process_time()
    result = act()
    return result, time.perf_counter() - started, time.process_time() - used


def main() -> None:
    """Both, in turn."""
    heading(f"S3: {SIZE // MIB} MiB up and down, MiB/s (goal: >= 0.8 x of boto3's transfer manager)")
    taken: dict[str, list[tuple[float, float]]] = {"up ours": [], "up boto3": [], "down ours": [], "down boto3": []}
    with S3Server() as server:
        client = server.client(max_pool_connections=16)
        for run in range(RUNS + 1):
            content = os.urandom(SIZE)
            store = ContentStore(S3Backend(f"s3://{server.bucket}/run-{run}", client=client))
            digest, *up_ours = timed(lambda: store.put_buffer(content))  # noqa: B023
            _, *up_boto = timed(lambda: client.upload_fileobj(io.BytesIO(content), server.bucket, f"boto-{run}"))  # noqa: B023
            loaded, *down_ours = timed(lambda: store.load(digest))  # noqa: B023
            sink = io.BytesIO()
            _, *down_boto = timed(lambda: client.download_fileobj(server.bucket, f"boto-{run}", sink))  # noqa: B023
            assert isinstance(digest, Digest)
            assert loaded == content == sink.getvalue()
            client.delete_object(Bucket=server.bucket, Key=f"boto-{run}")
            store.backend.delete_many(list(store.backend.names()))
            if run:  # the first is to warm up
                for rows, took in zip(taken.values(), (up_ours, up_boto, down_ours, down_boto), strict=True):
                    rows.append((took[0], took[1]))
    for way in ("up", "down"):
        for place, unit in enumerate(("wall", "cpu")):
            ours, boto = (
                SIZE / MIB / statistics.median(row[place] for row in taken[f"{way} {who}"]) for who in ("ours", "boto3")
            )
            print(f"{way:5} {unit:5} cas_store {ours:8.1f}   boto3 {boto:8.1f}   {ours / boto:6.2f} x")


if __name__ == "__main__":
    main()
