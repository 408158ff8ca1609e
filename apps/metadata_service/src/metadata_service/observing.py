"""What happens around every request: its id, its line in the log, its place in the figures."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from flask import request

from metadata_service import logs
from metadata_service.metrics import Metrics

logger = logging.getLogger("metadata_service.requests")

HEADER = "X-Request-Id"
_USABLE_ID = re.compile(r"[\w.:+/=@-]{1,128}", re.ASCII)
_QUIET = ("/ping", "/healthz", "/readyz", "/healthcheck", "/metrics")  # asked all day by probes

Headers = list[tuple[str, str]]


class Observed:
    """A Flask application's WSGI side, observed. It adds what every answer carries: the request's id, and ``more()``."""

    def __init__(self, inner: Callable[..., Iterable[bytes]], metrics: Metrics, more: Callable[[], Headers]) -> None:
        self._inner, self._metrics, self._more = inner, metrics, more

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        began = time.perf_counter()
        request_id = _usable(environ.get("HTTP_X_REQUEST_ID", ""))
        logs.request_id.set(request_id)

        def start(status: str, headers: Headers, *error: Any) -> Any:
            self._note(environ, int(status[:3]), headers, time.perf_counter() - began)
            return start_response(status, [*headers, (HEADER, request_id), *self._more()], *error)

        return self._inner(environ, start)

    def _note(self, environ: dict[str, Any], status: int, headers: Headers, seconds: float) -> None:
        method, path, rule = environ["REQUEST_METHOD"], environ["PATH_INFO"], request.url_rule
        self._metrics.note(method, rule.rule if rule else "none", status, seconds)
        level = logging.DEBUG if path.endswith(_QUIET) else logging.INFO
        if logger.isEnabledFor(level):
            fields = {
                "status": status,
                "milliseconds": round(seconds * 1000, 2),
                "bytes": _length(headers),
                "client": environ.get("REMOTE_ADDR"),
            }
            logger.log(level, "%s %s", method, path, extra={"fields": fields})


def _usable(given: str) -> str:
    """The id that the client or a proxy gave, if it is fit for a log, else a new one."""
    return given if _USABLE_ID.fullmatch(given) else uuid.uuid4().hex


def _length(headers: Headers) -> int | None:
    return next((int(value) for name, value in headers if name == "Content-Length"), None)
