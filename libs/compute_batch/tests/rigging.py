"""What tests that run jobs share."""

from __future__ import annotations

from collections import Counter
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


class Counting:
    """A boto3 client that counts its calls by method."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        def call(**arguments: Any) -> Any:
            self.calls[name] += 1
            return getattr(self._client, name)(**arguments)

        return call
