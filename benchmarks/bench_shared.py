"""What shared mode costs: a foreach of trivial tasks with the metadata service, and on S3, beside what cannot be had for less.

python benchmarks/bench_shared.py [WIDTH]        WIDTH of the foreach, default 1000

The service with its Postgres and the S3 server (SeaweedFS) run on this machine and take their share of its cores.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
from bench_local import WIDE, ours
from harness import Command, compare, heading, in_turn, timed
from stepwell_testing.faulty_proxy import Proxy
from stepwell_testing.s3 import S3Server

WORKERS = 2
OPTIONS = ("--max-workers", str(WORKERS), "--max-num-splits", "100000")


@contextlib.contextmanager
def metadata_service() -> Iterator[str]:
    """The URL of a service on its embedded Postgres."""
    with tempfile.TemporaryDirectory(prefix="meta-") as folder:
        Path(folder).chmod(0o755)  # as root, the database runs as another user
        process = subprocess.Popen(
            [sys.executable, "-m", "metadata_service", "serve", "--port", "0", "--data-dir", f"{folder}/data"],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert process.stderr is not None
        try:
            urls = (re.search(r"http://127\.0\.0\.1:\d+", line) for line in process.stderr)
            yield next(found.group() for found in urls if found)
        finally:
            process.terminate()
            process.communicate(timeout=60)


def with_service(command: Command, url: str) -> Command:
    """The command, recording into the service."""
    settings = {**command.environment, "STEPWELL_METADATA": "service", "STEPWELL_SERVICE_URL": url}
    return attrs.evolve(command, name="with the service", environment=settings)


def on_s3(command: Command, server: S3Server, url: str, root: str) -> Command:
    """The command with its datastore on S3, reached by `url`."""
    settings = {
        **command.environment,
        **server.environment,
        "STEPWELL_DATASTORE": "s3",
        "STEPWELL_DATASTORE_ROOT": f"s3://{server.bucket}/{root}",
        "STEPWELL_S3_ENDPOINT_URL": url,
    }
    return attrs.evolve(command, name="on S3", environment=settings)


def service_figure(width: int, scratch: Path) -> None:
    """Local datastore, with the service and without."""
    heading(f"foreach of {width:,} trivial tasks, {WORKERS} workers: with the service beside local mode, median of 5")
    local = attrs.evolve(ours(WIDE.replace("WIDTH", str(width)), scratch, *OPTIONS), name="local mode")
    with metadata_service() as url:
        pair = with_service(local, url), local
        compare(*pair, in_turn(pair, runs=5))
    print("goal: <= 1.10 x of the wall time")


@attrs.frozen
class Requests:
    """How many requests a task took, as a proxy before the server counted them."""

    puts: float
    gets: float
    others: float


def counted(width: int, scratch: Path, server: S3Server) -> Requests:
    """The difference between two widths, by task: what a run takes once is not counted."""
    found = []
    for size in (width, 2 * width):
        command = ours(WIDE.replace("WIDTH", str(size)), scratch, *OPTIONS)
        with Proxy(server.url) as proxy:
            timed(on_s3(command, server, proxy.url, f"counted-{size}"))
            found.append([proxy.count("PUT"), proxy.count("GET"), proxy.count("HEAD", "POST", "DELETE")])
    return Requests(*((more - less) / width for less, more in zip(*found, strict=True)))


def bare(server: S3Server, url: str, width: int, puts: int, gets: int) -> float:
    """Seconds in which as many processes as there are workers send the requests of `width` tasks, and nothing else."""
    with multiprocessing.get_context("spawn").Pool(
        WORKERS, _open_client, (url, server.bucket, server.environment)
    ) as pool:
        pool.map(_one_task, [(number, puts, gets) for number in range(WORKERS * 4)], chunksize=1)
        started = time.perf_counter()
        pool.map(_one_task, [(number, puts, gets) for number in range(width)], chunksize=1)
        return time.perf_counter() - started


_client: Any = None
_bucket = ""


def _open_client(url: str, bucket: str, environment: dict[str, str]) -> None:
    global _client, _bucket
    os.environ.update(environment)
    import boto3

    _client, _bucket = boto3.client("s3", endpoint_url=url), bucket
    _client.put_object(Bucket=bucket, Key="bare/input", Body=b"x" * 800)


def _one_task(work: tuple[int, int, int]) -> None:
    number, puts, gets = work
    for _ in range(gets):
        _client.get_object(Bucket=_bucket, Key="bare/input")["Body"].read()
    for place in range(puts):
        key = f"bare/{os.getpid()}-{number}-{place}-{time.monotonic_ns()}"
        _client.put_object(Bucket=_bucket, Key=key, Body=b"x" * 800, IfNoneMatch="*")


@contextlib.contextmanager
def away(server: S3Server, seconds: float) -> Iterator[str]:
    """The server's URL, each request taking so much longer, as in a region that is not next door."""
    if not seconds:
        yield server.url
        return
    with Proxy(server.url) as proxy:
        proxy.schedule = lambda _: time.sleep(seconds)
        yield proxy.url


def s3_figure(width: int, scratch: Path) -> None:
    """The requests of a task, and what a run takes beside them."""
    heading(f"foreach of {width:,} trivial tasks on S3, {WORKERS} workers: requests, and time beside them, median of 3")
    with S3Server() as server:
        each = counted(min(width, 100), scratch, server)
        print(f"a task takes {each.puts:.2f} PUT, {each.gets:.2f} GET, {each.others:.2f} others   (goal: <= 2, 1, 0)")
        for milliseconds in (0, 25):
            with away(server, milliseconds / 1000) as url:
                command = on_s3(ours(WIDE.replace("WIDTH", str(width)), scratch, *OPTIONS), server, url, "timed")
                runs, bares = [], []
                for _ in range(3):
                    runs.append(timed(command).wall)
                    bares.append(bare(server, url, width, round(each.puts), round(each.gets)))
            run, only = statistics.median(runs), statistics.median(bares)
            print(
                f"S3 {milliseconds} ms away: the run {run:.2f} s, its requests alone {only:.2f} s   "
                f"ratio {run / only:.2f} x   (goal: <= 1.2 x)"
            )


def main(width: int) -> None:
    """Print both figures."""
    with tempfile.TemporaryDirectory() as folder:
        service_figure(width, Path(folder))
        s3_figure(width, Path(folder))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
