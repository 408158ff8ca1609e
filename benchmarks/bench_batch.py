"""A foreach on AWS Batch, on the rig of `testing/`: the calls it takes, the client's CPU, S3 requests, and time beside bare jobs.

python benchmarks/bench_batch.py [wide] [requests] [containers] [WIDTH]     some of them; WIDTH of the wide foreach, default 1000
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench_local import WIDE
from compute_batch import BatchClient, JobSpec, Pace
from harness import Command, heading, timed
from stepwell_testing.aws_rig import Rig, podman_available
from stepwell_testing.faulty_proxy import Proxy
from stepwell_testing.s3 import S3Server

FLOW = WIDE.replace("import FlowSpec, step", "import FlowSpec, batch, step").replace(
    "    @step\n    def each", "    @batch(memory=128)\n    @step\n    def each"
)
# Runs the flow, and says what its own process took: the local tasks are children of it.
OWN = """
import resource, runpy, sys
sys.argv.pop(0)
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print("OWN", used.ru_utime + used.ru_stime, flush=True)
"""
PACKAGES = ("boto3",)
ROOT = Path(__file__).parents[1]


def settings(rig: Rig, s3: S3Server, scratch: Path, s3_url: str = "", aws_url: str = "") -> dict[str, str]:
    """What the client is told; the URLs may be those of proxies."""
    return {
        **rig.aws_env(),
        "STEPWELL_USER": "bench",
        "STEPWELL_CONFIG_DIR": str(scratch / "config"),
        "STEPWELL_DATASTORE": "s3",
        "STEPWELL_DATASTORE_ROOT": f"s3://{s3.bucket}/{scratch.name}",
        "STEPWELL_S3_ENDPOINT_URL": s3_url or s3.url,
        "STEPWELL_AWS_ENDPOINT_URL": aws_url or rig.url,
        "STEPWELL_BATCH_QUEUE": rig.queue,
        "STEPWELL_BATCH_IMAGE": rig.image,
    }


def run(scratch: Path, width: int, environment: Mapping[str, str]) -> Command:
    """The flow on Batch."""
    return Command(
        "stepwell",
        (sys.executable, "own.py", "flow.py", "run", "--max-num-splits", str(width)),
        scratch / "flow",
        {"flow.py": FLOW.replace("WIDTH", str(width)), "own.py": OWN},
        environment,
    )


def finish_beforehand(s3: S3Server, prefix: str, width: int) -> None:
    """The records of all tasks of `each`, as the no-ops that the cluster runs leave none."""
    from stepwell.api.transitions import Transition
    from stepwell.execution.records import TaskRecord, done_name, encode
    from stepwell.execution.stores import stores_at

    objects = stores_at(str(tempfile.mkdtemp())).objects
    client = s3.client(max_pool_connections=16)

    def put(index: int) -> None:
        record = TaskRecord(
            flow="WideFlow", run_id="1", step="each", task_id=f"t{index}", attempt=0, token="bench", started=1.0, ended=2.0,
            transition=Transition(targets=("join",)), artifacts={"result": objects.save(index + 1)},
            inputs=(("start", "t0"),), depth=1,
        )  # fmt: skip
        name = done_name("WideFlow", "1", "each", f"t{index}")
        client.put_object(Bucket=s3.bucket, Key=f"{prefix}/{name}", Body=encode(record))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(put, range(width)))


def wide(width: int) -> None:
    """Calls and CPU of the client, where each job is a process that does nothing."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        nothing = shutil.which("true") or "/bin/true"
        with S3Server() as s3, Rig(job_environment=s3.environment, python=nothing) as rig, Proxy(rig.url) as proxy:
            finish_beforehand(s3, scratch.name, width)
            command = run(scratch, width, settings(rig, s3, scratch, aws_url=proxy.url))
            taken = timed(command)
            own = float((command.directory / "output.log").read_text().rsplit("OWN", 1)[1])
            calls = Counter(request.path.rsplit("/", 1)[-1] or "logs" for request in proxy.requests)
        heading(f"foreach of {width:,} on Batch, every job a process that does nothing (engine `process`)")
        print(f"the client's CPU   {own:6.2f} s   (goal: 10 s for 1,000; with the local tasks {taken.cpu:.2f} s)")
        for name, goal in (("registerjobdefinition", "1"), ("submitjob", "2"), ("describejobs", ""), ("logs", "")):
            print(f"{name:24} {calls[name]:5}   {f'(goal: {goal})' if goal else ''}")
        print(f"wall               {taken.wall:6.2f} s   (what the rig takes for {width:,} processes is in it)")


def requests_of_a_task() -> None:
    """What a small task asks of S3, counted at the endpoint while nothing but one job is at work."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        with S3Server() as s3, Proxy(s3.url) as proxy:
            with Rig(job_environment={**s3.environment, "AWS_ENDPOINT_URL_S3": proxy.url}) as rig:
                proxy.forget()
                direct = {**settings(rig, s3, scratch), "AWS_ENDPOINT_URL_S3": s3.url, "STEPWELL_S3_ENDPOINT_URL": ""}
                timed(run(scratch, 1, direct))
            heading("S3 requests of a small task, a child of a foreach, from the package to the log (goal: 6)")
            for request in proxy.requests:
                print(f"{request.method:5} {request.path.split('?')[0]}")
            print(f"{len(proxy.requests)} requests")


def wheels() -> list[str]:
    """Wheels of what runs in a job, in a folder that is named by what is in them, as an image of the rig is named by paths."""
    with tempfile.TemporaryDirectory() as folder:
        for source in (
            "libs/cas_store",
            "libs/flow_graph",
            "libs/meta_client",
            "libs/compute_batch",
            "libs/sched_sfn",
            "apps/cli",
        ):
            subprocess.run(["uv", "build", "-q", "--wheel", "-o", folder, str(ROOT / source)], check=True)
        made = sorted(Path(folder).glob("*.whl"))
        digest = hashlib.sha256(b"".join(wheel.read_bytes() for wheel in made)).hexdigest()[:16]
        kept = Path(tempfile.gettempdir(), f"stepwell-wheels-{digest}")
        kept.mkdir(exist_ok=True)
        return [shutil.copy(wheel, kept) for wheel in made]


def beside_bare_jobs(what: str, engine: str, packages: Sequence[str], width: int = 20, rounds: int = 3) -> None:
    """Wall time of a foreach beside as many jobs that only start Python, import boto3 and send one request."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        with (
            S3Server() as s3,
            Rig(engine=engine, packages=packages, job_environment=s3.environment, bucket=s3.bucket) as rig,
        ):
            client = BatchClient(
                rig.queue, client=rig.client("batch"), logs_client=rig.client("logs"), pace=Pace(least_seconds=0.5)
            )
            program = f"import boto3; boto3.client('s3').put_object(Bucket='{s3.bucket}', Key='bare', Body=b'1')"
            spec = JobSpec(name="bare", image=rig.image, memory_mib=128, command=["python3", "-c", program])
            bare, ours = [], []
            for _ in range(rounds):
                started = time.perf_counter()
                client.submit_array(spec, width).wait(timeout=600, check=True)
                bare.append(time.perf_counter() - started)
                ours.append(timed(run(scratch, width, settings(rig, s3, scratch))).wall)
        heading(f"foreach of {width} in {what}, beside as many bare jobs (Python, boto3, one PUT), best of {rounds}")
        print(
            f"stepwell {min(ours):6.1f} s   bare jobs {min(bare):6.1f} s   ratio {min(ours) / min(bare):.2f} (goal: 1.5)"
        )


def in_containers() -> None:
    """Both kinds of images; without podman, processes."""
    if podman_available() and os.geteuid() == 0:
        beside_bare_jobs("containers of an image without stepwell", "podman", PACKAGES)
        beside_bare_jobs("containers of an image with stepwell", "podman", ["boto3", *wheels()])
    else:
        beside_bare_jobs("processes", "process", PACKAGES)


def main(arguments: Sequence[str]) -> None:
    """Print the figures asked for, else all."""
    width = next((int(word) for word in arguments if word.isdigit()), 1000)
    parts = {"wide": lambda: wide(width), "requests": requests_of_a_task, "containers": in_containers}
    for name in [word for word in arguments if word in parts] or parts:
        parts[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
