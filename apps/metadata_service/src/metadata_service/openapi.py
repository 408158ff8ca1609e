"""The HTTP API as an OpenAPI document: paths, methods and summaries come from the routes, shapes from the tables here."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import attrs
from flask import Flask
from werkzeug.routing import Rule

from metadata_service.filters import RUN_FIELDS, TASK_FIELDS

Schema = dict[str, Any]

_ARGUMENT = re.compile(r"<[^:<>]+:([^<>]+)>")  # as Flask writes one: <converter:name>

_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "integer"}
_ID: Schema = {"type": ["integer", "string"]}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_NUMBER_OR_NULL: Schema = {"type": ["integer", "null"]}
_TAGS: Schema = {"type": ["array", "null"], "items": _TEXT}

_COMMON = {"user_name": _TEXT_OR_NULL, "ts_epoch": _NUMBER, "tags": _TAGS, "system_tags": _TAGS}
_OF_STEP = {"flow_id": _TEXT, "run_number": _ID, "step_name": _TEXT}
_OF_TASK = {**_OF_STEP, "task_id": _ID}
_NEW = {"user_name": _TEXT_OR_NULL, "tags": _TAGS, "system_tags": _TAGS}
_POINTER = dict.fromkeys(("location", "ds_type", "sha", "type", "content_type"), _TEXT_OR_NULL)
_NEW_ARTIFACT = {"name": _TEXT, **_POINTER, "attempt_id": _NUMBER, "user_name": _TEXT_OR_NULL}
_NEW_METADATUM = {"field_name": _TEXT, "value": {}, "type": _TEXT, **_NEW}
_ROW_OF = {"step_name": _TEXT, "task_id": _ID}


def _object(properties: Mapping[str, Schema], *optional: str) -> Schema:
    """An object that always has these keys, but for the optional ones; there may be more."""
    return {"type": "object", "properties": dict(properties), "required": sorted(set(properties) - set(optional))}


def _body(properties: Mapping[str, Schema]) -> Schema:
    return _object(properties, *properties)


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


_SCHEMAS: dict[str, Schema] = {
    "Flow": _object({"flow_id": _TEXT, **_COMMON}),
    "Run": _object(
        {
            "flow_id": _TEXT,
            "run_number": _ID,
            **_COMMON,
            "last_heartbeat_ts": _NUMBER_OR_NULL,
            "user": _TEXT,
            "status": {"enum": ["running", "completed", "failed"]},
        },
        "user",
        "status",
    ),
    "Step": _object({**_OF_STEP, "run_number": _TEXT, **_COMMON}),
    "Task": _object({**_OF_TASK, **_COMMON, "last_heartbeat_ts": _NUMBER_OR_NULL}),
    "Artifact": _object({**_OF_TASK, "name": _TEXT, **_POINTER, "attempt_id": _NUMBER, **_COMMON}),
    "Metadatum": _object({**_OF_TASK, "id": _NUMBER, "field_name": _TEXT, "value": _TEXT, "type": _TEXT, **_COMMON}),
}


@attrs.frozen
class _Operation:
    """What a route answers with status 200 (None: plain text), what it reads, and which parameters it knows.

    ``in_parts``: it may do a part of it, answer with status 202, and want to be asked again.
    """

    answer: Schema | None
    body: Schema | None = None
    query: tuple[str, ...] = ()
    in_parts: bool = False


def _one(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _counts(*kinds: str, done: str = "created") -> Schema:
    return _object({f"{kind}_{done}": _NUMBER for kind in kinds})


_PAGE = ("_limit", "_cursor")
_TAG_FILTERS = ("_tags", "_tags:all", "_tags:any", "_tags:likeall", "_tags:likeany")
_DECODED_TWICE: Schema = {"type": "string", "contentMediaType": "application/json"}

# By the name of the function that answers.
_OPERATIONS: dict[str, _Operation] = {
    "ping": _Operation(None),
    "version": _Operation(None),
    "healthcheck": _Operation(_DECODED_TWICE),
    "healthz": _Operation(_object({"status": _TEXT, "version": _TEXT})),
    "readyz": _Operation(_object({"status": _TEXT, "schema": _NUMBER})),
    "metrics": _Operation(None),
    "document": _Operation({"type": "object"}),
    "list_flows": _Operation(_list(_one("Flow")), query=_PAGE),
    "get_flow": _Operation(_one("Flow")),
    "create_flow": _Operation(_one("Flow"), _body(_NEW)),
    "list_runs": _Operation(_list(_one("Run")), query=(*_PAGE, *RUN_FIELDS, *_TAG_FILTERS)),
    "create_run": _Operation(_one("Run"), _body({**_NEW, "run_number": _TEXT_OR_NULL})),
    "get_run": _Operation(_one("Run")),
    "delete_run": _Operation(_counts("steps", "tasks", "artifacts", "metadata", done="deleted"), in_parts=True),
    "beat_run": _Operation(_DECODED_TWICE),
    "mutate_tags": _Operation(
        _object({"tags": _list(_TEXT)}), _body({"tags_to_add": _list(_TEXT), "tags_to_remove": _list(_TEXT)})
    ),
    "register": _Operation(
        _counts("steps", "tasks", "artifacts", "metadata"),
        _body(
            {
                "steps": _list(_object({"step_name": _TEXT, "user_name": _TEXT_OR_NULL}, "user_name")),
                "tasks": _list(_object({**_ROW_OF, "user_name": _TEXT_OR_NULL}, "user_name")),
                "artifacts": _list(_object({**_ROW_OF, **_NEW_ARTIFACT}, *_NEW_ARTIFACT)),
                "metadata": _list(_object({**_ROW_OF, **_NEW_METADATUM}, *_NEW_METADATUM)),
                "again": {"type": "boolean"},
            }
        ),
    ),
    "list_run_metadata": _Operation(_list(_one("Metadatum")), query=_PAGE),
    "list_run_artifacts": _Operation(_list(_one("Artifact")), query=_PAGE),
    "list_steps": _Operation(_list(_one("Step"))),
    "get_step": _Operation(_one("Step")),
    "create_step": _Operation(_one("Step"), _body(_NEW)),
    "list_tasks": _Operation(_list(_one("Task")), query=(*_PAGE, *TASK_FIELDS)),
    "filtered_tasks": _Operation(_list(_TEXT), query=("metadata_field_name", "pattern")),
    "list_step_artifacts": _Operation(_list(_one("Artifact")), query=_PAGE),
    "create_task": _Operation(_one("Task"), _body({**_NEW, "task_id": _TEXT_OR_NULL})),
    "get_task": _Operation(_one("Task")),
    "beat_task": _Operation(_DECODED_TWICE),
    "list_metadata": _Operation(_list(_one("Metadatum")), query=_PAGE),
    "add_metadata": _Operation(_counts("metadata"), _list(_body(_NEW_METADATUM))),
    "list_artifacts": _Operation(_list(_one("Artifact")), query=_PAGE),
    "add_artifacts": _Operation(_counts("artifacts"), _list(_body(_NEW_ARTIFACT))),
    "list_attempt": _Operation(_list(_one("Artifact"))),
    "get_artifact": _Operation(_one("Artifact")),
    "get_artifact_of_attempt": _Operation(_one("Artifact")),
}


# Where the service has a file of tokens, every request but a probe carries one.
_TOKENS: dict[str, Schema] = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}


def document(app: Flask, wire_version: str) -> dict[str, Any]:
    """The document of an application's routes."""
    paths: dict[str, dict[str, Any]] = {}
    for rule in app.url_map.iter_rules():
        method = min(rule.methods or ()).lower()
        paths.setdefault(_ARGUMENT.sub(r"{\1}", rule.rule), {})[method] = _operation(app, rule)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Metadata service",
            "version": version("stepwell-metadata-service"),
            "description": f"The wire API {wire_version} of workflow clients, and what this service has beyond it.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": _SCHEMAS, "securitySchemes": _TOKENS},
        "security": [{}, *({name: list[str]()} for name in _TOKENS)],
    }


def _operation(app: Flask, rule: Rule) -> dict[str, Any]:
    name = rule.endpoint.rpartition(".")[2]
    shape = _OPERATIONS[name]
    in_path = [_parameter(each, "path", required=True) for each in sorted(rule.arguments)]
    in_query = [_parameter(each, "query", required=False) for each in shape.query]
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": inspect.getdoc(app.view_functions[rule.endpoint]),
        "parameters": in_path + in_query,
        "responses": _responses(shape),
    }
    if shape.body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": shape.body}}}
    return operation


def _parameter(name: str, place: str, *, required: bool) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": _TEXT}


def _responses(shape: _Operation) -> dict[str, Any]:
    kind, schema = ("text/plain", _TEXT) if shape.answer is None else ("application/json", shape.answer)
    done: dict[str, Any] = {"description": "Done.", "content": {kind: {"schema": schema}}}
    if "_limit" in shape.query:
        done["headers"] = _OF_A_PAGE
    rest = {"202": {**done, "description": "A part is done: send it again for the rest."}} if shape.in_parts else {}
    return {"200": done, **rest, "default": {"description": "An error; its body says which."}}


_OF_A_PAGE: Schema = {
    "X-Limit": {"description": "How many a page has at most.", "schema": _TEXT},
    "X-Next-Cursor": {"description": "Where the next page begins; absent on the last one.", "schema": _TEXT},
}
