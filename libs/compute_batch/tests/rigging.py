"""What tests that run jobs share."""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
from compute_batch import BatchClient, HostVolume, JobSpec, Pace
from stepwell_testing.aws_rig import Rig

SECONDS = 60
"""How long a test waits for what ends by itself in a second or two."""


@functools.cache
def aws(rig: Rig, service: str) -> Any:
    """A boto3 client, one for all tests: making one takes a tenth of a second."""
    return rig.client(service)


def client_of(rig: Rig, **more: Any) -> BatchClient:
    pace = Pace(least_seconds=0.05, most_seconds=0.3, seconds_per_call=0)
    return BatchClient(
        rig.queue, **{"client": aws(rig, "batch"), "logs_client": aws(rig, "logs"), "pace": pace, **more}
    )


def shell(rig: Rig, script: str, **more: Any) -> JobSpec:
    return JobSpec(**{"name": "test", "image": rig.image, "memory_mib": 128, "command": ["sh", "-c", script], **more})


@attrs.frozen
class Gate:
    """What jobs wait at until it is opened: a file of a directory that containers see, too."""

    directory: Path

    @property
    def waiting(self) -> str:
        """The words of a script that wait."""
        return f"until test -e {self.directory}/open; do sleep 0.05; done"

    @property
    def volume(self) -> HostVolume:
        """The directory, for a spec."""
        return HostVolume(str(self.directory), str(self.directory))

    def open(self) -> None:
        """Let them go on."""
        (self.directory / "open").touch()


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
