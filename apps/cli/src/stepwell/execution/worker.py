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
    from stepwell.config import load_settings, s3_encryption
    from stepwell.execution.kept import configs_of_run
    from stepwell.execution.logs import print_as_logs_are_kept
    from stepwell.execution.spec import TaskSpec
    from stepwell.execution.stores import stores_at
    from stepwell.execution.task import attempt

    print_as_logs_are_kept()
    path, root = Path(arguments[0]), arguments[1]
    spec = TaskSpec.from_json(sys.stdin.read())
    settings, cls = load_settings(), load_flow(path)
    stores = stores_at(root, settings.get("STEPWELL_S3_ENDPOINT_URL"), encryption=s3_encryption(settings))
    flow = read_flow(cls, path, read_options(os.environ), configs_of_run(cls, spec.run_id, stores))
    return attempt(spec, stores, flow).exit_code


if __name__ == "__main__":
    from stepwell.execution.leaving import leave
    from stepwell.terminal import guarded

    try:
        status = guarded(lambda: main(sys.argv[1:]))
    except SystemExit as end:
        status = int(end.code or 0)
    leave(status)
