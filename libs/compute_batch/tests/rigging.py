"""What tests that run jobs share."""

from __future__ import annotations

from typing import Any

from compute_batch import BatchClient, JobSpec, Pace
from stepwell_testing.aws_rig import Rig

SECONDS = 60
"""How long a test waits for what ends by itself in a second or two."""


def client_of(rig: Rig, **more: Any) -> BatchClient:
    pace = Pace(least_seconds=0.05, most_seconds=0.3, seconds_per_call=0)
    return BatchClient(
        rig.queue, **{"client": rig.client("batch"), "logs_client": rig.client("logs"), "pace": pace, **more}
    )


def shell(rig: Rig, script: str, **more: Any) -> JobSpec:
    return JobSpec(**{"name": "test", "image": rig.image, "memory_mib": 128, "command": ["sh", "-c", script], **more})
