from __future__ import annotations

from collections.abc import Iterator

import pytest
from stepwell_testing.aws_rig import Rig


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-goldens", action="store_true", help="write the golden state machines anew")


@pytest.fixture(scope="session")
def rig() -> Iterator[Rig]:
    with Rig(engine="process", parallel=2, timeout_speed=60) as running:
        yield running
