"""Run one task in a fresh interpreter: `python -m stepwell.execution.worker FLOW_FILE DATASTORE_ROOT < spec`."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Load the flow, read the spec from standard input, run it; gives the exit status."""
    from stepwell.api.definition import read_flow
    from stepwell.api.loading import load_flow
    from stepwell.api.options import read_options
    from stepwell.config import load_settings
    from stepwell.execution.spec import TaskSpec
    from stepwell.execution.stores import stores_at
    from stepwell.execution.task import run

    path, root = Path(arguments[0]), arguments[1]
    spec = TaskSpec.from_json(sys.stdin.read())
    flow = read_flow(load_flow(path), path, read_options(os.environ))
    stores = stores_at(root, load_settings().get("STEPWELL_S3_ENDPOINT_URL"))
    return run(spec, stores, flow).exit_code


if __name__ == "__main__":
    from stepwell.terminal import guarded

    sys.exit(guarded(lambda: main(sys.argv[1:])))
