from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

TIMED = [HealthCheck.too_slow]
settings.register_profile("cas_store", deadline=None, suppress_health_check=TIMED)  # timings never gate a test


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("cas_store")
