"""Which versions a task ran with, where that is not what started it: in a job."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping

import stepwell

DEPENDENCIES = "STEPWELL_DEPENDENCIES"
"""What a job's first program found: the versions that the code package brought, or that they are the image's own."""


def ran_with() -> Mapping[str, str]:
    """The versions of a job, by the names of the metadata that say so; nothing where no job runs."""
    if DEPENDENCIES not in os.environ:
        return {}
    return {
        "python_version": platform.python_version(),
        "stepwell_version": stepwell.__version__,
        "dependencies": os.environ[DEPENDENCIES],
    }
