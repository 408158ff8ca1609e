from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, settings
from stepwell_testing.aws_rig import Rig, engines_here

TIMED = [HealthCheck.too_slow]
settings.register_profile(
    "compute_batch", deadline=None, max_examples=50, suppress_health_check=TIMED
)  # timings never gate a test


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("compute_batch")


@pytest.fixture(scope="session")
def rig_of() -> Iterator[Callable[[str], Rig]]:
    """The rig with an engine, started when first asked for, once per session."""
    with ExitStack() as stack:
        started: dict[str, Rig] = {}

        def start(engine: str) -> Rig:
            if engine not in started:
                started[engine] = stack.enter_context(Rig(engine=engine, timeout_speed=300))
            return started[engine]

        yield start


@pytest.fixture(params=engines_here())
def rig(request: pytest.FixtureRequest, rig_of: Callable[[str], Rig]) -> Rig:
    return rig_of(request.param)


@pytest.fixture
def process_rig(rig_of: Callable[[str], Rig]) -> Rig:
    return rig_of("process")
