"""What the parent tells the server process, as one JSON value in its environment."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

REGION = "us-east-1"
ACCOUNT = "123456789012"
VARIABLE = "STEPWELL_AWS_RIG"
TEST_MARK = "rig-test"
"""In the user agent of what tests ask of the rig themselves."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """How the server runs jobs.

    ``engine`` is ``process`` or ``podman``; ``python`` the interpreter that ``python`` means in a process job;
    ``timeout_speed`` how many seconds of a job's timeout pass in one real second.
    """

    engine: str
    python: str
    parallel: int
    timeout_speed: float
    job_environment: Mapping[str, str]
    scratch: str
    storage: str

    def to_json(self) -> str:
        """One line, for the environment of the server process."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The inverse of :meth:`to_json`."""
        return cls(**json.loads(text))
