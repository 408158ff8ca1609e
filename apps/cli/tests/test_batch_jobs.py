"""What a step's job on AWS Batch is made of."""

from __future__ import annotations

from pathlib import Path

import pytest
from stepwell import FlowSpec, batch, resources, step
from stepwell.api.definition import read_flow
from stepwell.config import load_settings
from stepwell.deploying.batch import job_spec


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
