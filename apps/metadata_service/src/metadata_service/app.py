"""The Flask application: routes, the answers to errors, and what every answer carries."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge
from werkzeug.routing import BaseConverter

from metadata_service import answers, operations, routes
from metadata_service.errors import MetadataServiceError
from metadata_service.metrics import Metrics
from metadata_service.observing import Observed
from metadata_service.pool import Pool, connect
from metadata_service.settings import Settings
from metadata_service.statements import Statements
from metadata_service.storage import Storage
from metadata_service.tokens import Tokens

logger = logging.getLogger("metadata_service")

_VERSION_HEADER = "METADATA_SERVICE_VERSION"


class _Segment(BaseConverter):
    """One segment of the undecoded path, so that an id may hold an encoded slash; nothing has a name that is no text."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        if "%" not in value:
            return value
        try:
            text = unquote_to_bytes(value).decode()
        except UnicodeDecodeError as error:
            raise NotFound from error
        if "\0" in text:
            raise NotFound
        return text


class _RoutedByRawPath:
    """Hands Flask the path as it was sent; WSGI servers decode it, and an encoded slash becomes a slash."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        raw = environ.get("RAW_URI", "")
        path = raw.partition("?")[0] if raw.startswith("/") else quote(environ.get("PATH_INFO", "").encode("latin-1"))
        environ["PATH_INFO"] = path
        return self._inner(environ, start_response)


def create_app(settings: Settings) -> Flask:
    """The service for one database. Connections are opened by the first request, so the app may be made before a fork."""
    app = Flask("metadata_service", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.config["HEARTBEAT_INTERVAL_S"] = settings.heartbeat_interval_s
    statements, metrics = Statements(_pool(settings)), Metrics()
    app.extensions["metadata_service"] = Storage(statements, run_inactive_s=settings.run_inactive_s)
    app.extensions["metadata_service.metrics"] = metrics
    app.wsgi_app = _RoutedByRawPath(  # type: ignore[method-assign]
        Observed(app.wsgi_app, metrics, lambda: [(_VERSION_HEADER, answers.wire_version(statements.known_version))])
    )
    app.url_map.converters["segment"] = _Segment
    app.url_map.merge_slashes = False
    if settings.tokens_file:
        app.before_request(partial(_admitted, Tokens(settings.tokens_file)))
    for blueprint in (routes.blueprint, operations.blueprint):
        app.register_blueprint(blueprint, url_prefix=settings.prefix or None)
    _forget_head(app)
    app.register_error_handler(MetadataServiceError, _refused)
    app.register_error_handler(HTTPException, _not_routed)
    app.register_error_handler(Exception, _defect)
    app.after_request(_validated)
    return app


def _pool(settings: Settings) -> Pool:
    return Pool(
        lambda: connect(settings.database_url, statement_timeout_s=settings.statement_timeout_s),
        size=settings.pool_size,
        wait_s=settings.pool_wait_s,
        lifetime_s=settings.connection_lifetime_s,
    )


def _admitted(tokens: Tokens) -> None:
    if request.endpoint not in operations.PROBES:
        headers = request.headers
        tokens.check(headers.get("Authorization", ""), headers.get("x-api-key"), writing=request.method != "GET")


def _forget_head(app: Flask) -> None:
    """The API has no HEAD and no OPTIONS; both answer 405."""
    for rule in app.url_map.iter_rules():
        rule.methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}


def _validated(response: Response) -> Response:
    if (
        response.status_code == 200
        and request.method == "GET"
        and request.blueprint == "wire"
        and not response.is_streamed
    ):
        return answers.revalidated(response, request)
    return response


def _refused(error: MetadataServiceError) -> Response:
    if error.status >= 500:
        logger.warning("%s %s: %s", request.method, request.path, error)
    return answers.to_error(error)


def _not_routed(error: HTTPException) -> Response:
    if isinstance(error, RequestEntityTooLarge):
        limit = current_app.config["MAX_CONTENT_LENGTH"]
        return answers.json_value({"message": f"the body is larger than {limit} bytes: send it in parts"}, status=413)
    response = answers.text(f"{error.code}: {error.name}", status=error.code or 500)
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ",".join(sorted(error.valid_methods))
    return response


def _defect(error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.path, exc_info=error)
    return answers.json_value({"message": "internal error, see the service's log"}, status=500)
