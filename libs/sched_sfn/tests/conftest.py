from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from stepwell_testing.aws_rig import Rig

TIMED = [HealthCheck.too_slow]
settings.register_profile("sched_sfn", deadline=None, suppress_health_check=TIMED)  # timings never gate a test


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-goldens", action="store_true", help="write the golden state machines anew")


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("sched_sfn")


@pytest.fixture(scope="session")
def rig() -> Iterator[Rig]:
    with Rig(engine="process", parallel=2, timeout_speed=60) as running:
        yield running
