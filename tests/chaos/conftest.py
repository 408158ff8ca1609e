"""The whole system, in a directory that the database's own user may enter."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from system import System, whole_system

FLOWS = Path(__file__).parent / "flows"


@pytest.fixture
def system(request: pytest.FixtureRequest) -> Iterator[System]:
    """What a failed test leaves stays there, to be looked at."""
    failed = request.session.testsfailed
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.chmod(0o755)
    for flow in FLOWS.glob("*.py"):
        shutil.copy(flow, folder)
    with whole_system(folder) as running:
        yield running
    if request.session.testsfailed == failed:
        shutil.rmtree(folder, ignore_errors=True)
