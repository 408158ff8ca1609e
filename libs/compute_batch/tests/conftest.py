from __future__ import annotations

from collections.abc import Iterator

import pytest
from stepwell_testing.aws_rig import Rig, engines_here


@pytest.fixture(scope="session", params=engines_here())
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    with Rig(engine=request.param, timeout_speed=60) as running:
        yield running


@pytest.fixture(scope="session")
def process_rig() -> Iterator[Rig]:
    with Rig(engine="process", timeout_speed=60) as running:
        yield running
