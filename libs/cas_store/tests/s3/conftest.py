"""One real S3 server for all of these tests; the environment leads to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from stepwell_testing.s3 import S3Server


@pytest.fixture(scope="session")
def server() -> Iterator[S3Server]:
    with S3Server() as running, pytest.MonkeyPatch.context() as patch:
        for name, value in running.environment.items():
            patch.setenv(name, value)
        yield running
