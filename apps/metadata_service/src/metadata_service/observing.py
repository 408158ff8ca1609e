"""What happens around every request: its id, its line in the log, its place in the figures."""

from __future__ import annotations

import logging
import re
import time
import uuid

from flask import Flask, Response, g, request

from metadata_service import logs
from metadata_service.metrics import Metrics

logger = logging.getLogger("metadata_service.requests")

HEADER = "X-Request-Id"
_USABLE_ID = re.compile(r"[\w.:+/=@-]{1,128}", re.ASCII)
_QUIET = ("/ping", "/healthz", "/readyz", "/healthcheck", "/metrics")  # asked all day by probes


def observe(app: Flask) -> Metrics:
    """Observe the requests of an application."""
    metrics = Metrics()

    def begin() -> None:
        g.began = time.perf_counter()
        logs.request_id.set(_id())

    def end(response: Response) -> Response:
        seconds = time.perf_counter() - g.began
        response.headers[HEADER] = logs.request_id.get() or ""
        route = str(request.url_rule) if request.url_rule else "none"
        metrics.note(request.method, route, response.status_code, seconds)
        level = logging.DEBUG if request.path.endswith(_QUIET) else logging.INFO
        if logger.isEnabledFor(level):
            logger.log(level, "%s %s", request.method, request.path, extra={"fields": _fields(response, seconds)})
        return response

    app.before_request(begin)
    app.after_request(end)
    return metrics


def _id() -> str:
    """The id that the client or a proxy gave, if it is fit for a log, else a new one."""
    given = request.headers.get(HEADER, "")
    return given if _USABLE_ID.fullmatch(given) else uuid.uuid4().hex


def _fields(response: Response, seconds: float) -> dict[str, object]:
    return {
        "status": response.status_code,
        "milliseconds": round(seconds * 1000, 2),
        "bytes": response.content_length,
        "client": request.remote_addr,
    }
