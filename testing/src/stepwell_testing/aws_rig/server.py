"""The server process: moto, repaired, and whatever runs the jobs. It ends when its standard input is closed.

So nothing is left running when a test session dies, however it dies.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from .batch_jobs import JobRunner
from .engines import podman_engines, process_engines
from .podman import Podman
from .settings import VARIABLE, Settings


def main() -> None:
    """Serve on a free port of 127.0.0.1; print the port on a line of its own once requests are answered."""
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    settings = Settings.from_json(os.environ[VARIABLE])
    podman, engines = None, None
    if settings.engine == "podman":
        podman = Podman(Path(settings.storage))
        podman.remove_orphans()
        _, address = podman.serve(Path(settings.scratch))
        engines = podman_engines(address)
    else:
        engines = process_engines(settings.python, Path(settings.scratch))

    # the socket first: what the jobs are told, and what moto tells itself, needs the port
    server = _bind()
    port = server.port
    os.environ["MOTO_PORT"] = str(port)
    variables = {**settings.job_environment}
    variables.setdefault("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    runner = JobRunner(engines, settings.parallel, variables, settings.timeout_speed)
    _repair(runner, variables)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(port, flush=True)

    def stop(*_: Any) -> None:
        runner.kill_all()
        if podman is not None:
            podman.remove_containers(os.getpid())
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    sys.stdin.read()
    stop()


def _bind() -> Any:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    WSGIRequestHandler.protocol_version = "HTTP/1.1"  # keep connections alive
    return make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)


def _repair(runner: JobRunner, variables: dict[str, str]) -> None:
    import moto.stepfunctions.parser.models  # noqa: F401  (the interpreter must be loaded before it can be repaired)

    from .batch_api import repair_batch
    from .states_checks import repair_checks
    from .states_jsonata import repair_jsonata
    from .states_maps import repair_maps
    from .states_redrive import repair_redrive
    from .states_services import repair_services

    repair_batch(runner)
    repair_services(variables)
    repair_jsonata()
    repair_maps()
    repair_redrive()
    repair_checks()


if __name__ == "__main__":
    main()
