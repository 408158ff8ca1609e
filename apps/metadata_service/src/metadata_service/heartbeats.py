"""Which clients send heartbeats, so that a new run or task starts with one."""

from __future__ import annotations

import re
from collections.abc import Sequence

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def sends_heartbeats(system_tags: Sequence[str] | None) -> bool:
    """Whether the client that wrote these system tags sends heartbeats.

    Metaflow does from 2.2.12 (and on its 1.x line from 1.14.0), stepwell always. Without tags, or with a
    version that cannot be read, the client is taken to be a current one.
    """
    if system_tags is None:
        return True
    for tag in system_tags:
        name, _, version = tag.partition(":")
        if name == "stepwell_version":
            return True
        if name == "metaflow_version":
            return _recent_enough(version)
    return False


def _recent_enough(version: str) -> bool:
    found = _VERSION.match(version)
    if found is None:
        return True
    major, minor, patch = (int(part) for part in found.groups())
    return (major, minor, patch) >= (2, 2, 12) or (1, 14, 0) <= (major, minor, patch) < (2, 0, 0)
