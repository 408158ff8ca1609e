"""Routes for those who run the service: is the process alive, is it ready, what are its figures."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from flask import Blueprint, Response, current_app

from metadata_service import answers, openapi
from metadata_service.errors import MIGRATE_COMMAND, MetadataServiceError, SchemaTooOld
from metadata_service.metrics import CONTENT_TYPE, Metrics
from metadata_service.storage import Storage

blueprint = Blueprint("operations", __name__)

# What load balancers and clients ask before anything else, and what tells nothing: no token is needed.
PROBES = frozenset({"operations.healthz", "operations.readyz", "wire.ping", "wire.version", "wire.healthcheck"})


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process answers; the database is not asked."""
    return answers.json_value({"status": "up", "version": version("stepwell-metadata-service")})


@blueprint.get("/readyz")
def readyz() -> Response:
    """Whether the database answers and has a schema that can be served."""
    storage: Storage = current_app.extensions["metadata_service"]
    try:
        state = storage.statements.state()
    except MetadataServiceError as error:
        return _not_ready(str(error))
    if state.version == 0:
        too_old = SchemaTooOld("every route", have=0, need=state.pending[0].version)
        return _not_ready(str(too_old), have=too_old.have, need=too_old.need, command=too_old.command)
    known: dict[str, Any] = {"status": "ready", "schema": state.version}
    if state.pending:
        known |= {"latest": state.pending[-1].version, "command": MIGRATE_COMMAND}
    return answers.json_value(known)


def _not_ready(message: str, **more: Any) -> Response:
    return answers.json_value({"status": "not ready", "message": message, **more}, status=503)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Counts and times of requests, in Prometheus's text format."""
    figures: Metrics = current_app.extensions["metadata_service.metrics"]
    return Response(figures.exposition(), content_type=CONTENT_TYPE)


@blueprint.get("/openapi.json")
def document() -> Response:
    """This API as an OpenAPI document."""
    return answers.json_value(openapi.document(current_app, answers.WIRE_VERSION))
