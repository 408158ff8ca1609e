"""The profiles of the property tests: no deadline, as machines differ; `--hypothesis-profile thorough` takes its time."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]

settings.register_profile("flow_graph", deadline=None, max_examples=150, suppress_health_check=SLOW)
settings.register_profile("thorough", deadline=None, max_examples=2000, suppress_health_check=SLOW)


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("flow_graph")
