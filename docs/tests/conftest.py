"""What takes longest begins first, so that two workers end at about the same time."""

from __future__ import annotations

import pytest

LONGEST = ("test_site", "shared-mode", "backup", "cleaning-up", "parameters", "failures", "quickstart")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests, the same in every process."""
    items.sort(
        key=lambda item: next((place for place, name in enumerate(LONGEST) if name in item.nodeid), len(LONGEST))
    )
