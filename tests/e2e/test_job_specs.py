"""What a step's job on AWS Batch is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from compute_batch import EfsVolume, HostVolume, LogDriver, Swap, Tmpfs
from stepwell import FlowSpec, batch, environment, resources, step
from stepwell.api.definition import read_flow
from stepwell.config import load_settings
from stepwell.deploying.batch import job_spec, tags_of
from stepwell.errors import DecoratorError


class Sized(FlowSpec):
    @resources(cpu=2, memory=8000, disk=10_240, shared_memory=64)
    @step
    def start(self):
        self.next(self.more)

    @batch(shared_memory=256)
    @resources(shared_memory=64)
    @step
    def more(self):
        self.next(self.end)

    @resources(disk=10_240)
    @step
    def end(self):
        pass


@pytest.mark.parametrize(("name", "shared"), [("start", 64), ("more", 256), ("end", None)])
def test_shared_memory_is_the_most_that_was_asked_for_and_the_disk_is_the_hosts(name: str, shared: int | None) -> None:
    spec = job_spec(read_flow(Sized, Path(__file__)), name, load_settings({}), {})
    assert spec.shared_memory_mib == shared


class Special(FlowSpec):
    @environment(vars={"COLOUR": "red"})
    @batch(
        memory=4000,
        max_swap=512,
        swappiness=10,
        trainium=2,
        efa=1,
        host_volumes="/data",
        efs_volumes=["fs-1", "fs-2"],
        use_tmpfs=True,
        privileged=True,
        aws_batch_tags={"team": "a b"},
        log_driver="fluentd",
        log_options=["fluentd-address:localhost:24224"],
    )
    @step
    def start(self):
        self.next(self.end)

    @batch(use_tmpfs=True, tmpfs_tempdir=False, tmpfs_size=100, tmpfs_path="/fast")
    @step
    def end(self):
        pass


def test_a_job_has_the_storage_devices_and_logs_that_its_step_says() -> None:
    flow, settings = read_flow(Special, Path(__file__)), load_settings({})
    start, end = (job_spec(flow, name, settings, {}) for name in ("start", "end"))
    assert (start.swap, start.neuron_devices, start.efa_interfaces, start.privileged) == (Swap(512, 10), 2, 1, True)
    assert start.volumes == (
        HostVolume("/data", "/data"),
        EfsVolume("fs-1", "/mnt/fs-1"),
        EfsVolume("fs-2", "/mnt/fs-2"),
    )
    assert start.log_driver == LogDriver("fluentd", {"fluentd-address": "localhost:24224"})
    assert [spec.tmpfs for spec in (start, end)] == [(Tmpfs(2048, "/stepwell_temp"),), (Tmpfs(100, "/fast"),)]
    assert [spec.environment.get("TMPDIR") for spec in (start, end)] == ["/stepwell_temp", None]


def test_tags_of_a_step_are_of_its_jobs_beside_ours_and_no_part_of_their_definition() -> None:
    flow, settings = (
        read_flow(Special, Path(__file__)),
        load_settings({"STEPWELL_BATCH_TAGS": '{"team": "x", "cost": "y"}'}),
    )
    tags = tags_of(flow, "start", "ann", settings)
    assert (tags["team"], tags["cost"], tags["stepwell:step"]) == ("a b", "y", "start")
    assert job_spec(flow, "start", settings, {}).tags == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"swappiness": 10}, "goes with max_swap"),
        ({"inferentia": 1, "trainium": 1}, "chips of one kind"),
        ({"log_options": {"a": "b"}}, "goes with log_driver"),
        ({"log_driver": "fluentd", "log_options": ["a"]}, "takes 'name:value', not 'a'"),
        ({"host_volumes": [1]}, "host_volumes"),
        ({"aws_batch_tags": {"a": 1}}, "aws_batch_tags"),
        ({"use_tmpfs": "yes"}, "use_tmpfs"),
    ],
)
def test_what_makes_no_job_is_said_where_it_is_written(given: dict[str, Any], said: str) -> None:
    with pytest.raises(DecoratorError, match=f"@batch: .*{said}"):

        @batch(**given)
        @step
        def train(self):
            pass
