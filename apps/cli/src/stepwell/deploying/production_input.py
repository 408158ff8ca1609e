"""The input of an execution: parameter values, by name, and beside them what cannot be one.

{"alpha": 0.5}                                         what a person or a program gives
{"alpha": 0.5, "@references": {"table": {...}}}        `trigger`: included files and long values lie in the datastore
{"@event": {...}}                                      a rule or a schedule: the event of EventBridge
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs
from cas_store import Reference

from stepwell.api.decorators.triggers import Trigger, TriggerOnFinish
from stepwell.api.definition import FlowDefinition
from stepwell.api.included import IncludeFile
from stepwell.api.trigger import EVENT, RUN, SCHEDULE
from stepwell.errors import ParameterError
from stepwell.execution.stores import Stores

REFERENCES, EVENT_KEY = "@references", "@event"
EVENT_INPUT = f'{{"{EVENT_KEY}": <aws.events.event.json>}}'
# Of an execution's end only what is read here: the event has that execution's input in it, and where one flow starts the next,
# each would be started with all inputs before its own, quoted once more, until they are too long for a job (see `LONGEST`).
FINISH_PATHS = {"id": "$.id", "time": "$.time", "name": "$.detail.name"}
FINISH_INPUT = (
    f'{{"{EVENT_KEY}": {{"source": "aws.states", "id": <id>, "time": <time>, "detail": {{"name": <name>}}}}}}'
)
SCHEDULE_INPUT = {
    EVENT_KEY: {
        "detail-type": "Scheduled Event",
        "id": "<aws.scheduler.execution-id>",
        "time": "<aws.scheduler.scheduled-time>",
    }
}
LONGEST = 4096
"""Bytes of parameter values that travel with an execution: Batch gives the first job 8 KiB for these and all else."""


@attrs.frozen
class Given:
    """What an execution was started with: values as JSON, references to values, and what triggered it (see `RunRecord`)."""

    values: Mapping[str, Any] = attrs.field(factory=dict)
    references: Mapping[str, Reference] = attrs.field(factory=dict)
    trigger: Mapping[str, Any] | None = None


def execution_input(flow: FlowDefinition, stores: Stores, values: Mapping[str, Any]) -> dict[str, Any]:
    """The input of an execution with these values; included files, and the longest values of too many, go to the datastore."""
    kept = {
        name: value
        for name, value in values.items()
        if isinstance(flow.parameters[name], IncludeFile) and value is not None
    }
    plain = {name: value for name, value in values.items() if name not in kept}
    by_length = sorted(plain, key=lambda name: len(json.dumps(plain[name])))
    while by_length and len(json.dumps(plain).encode()) > LONGEST:
        name = by_length.pop()
        kept[name] = plain.pop(name)
    references = {name: stores.objects.save(value).to_json() for name, value in kept.items()}
    return {**plain, **({REFERENCES: references} if references else {})}


def read_input(flow: FlowDefinition, text: str) -> Given:
    """What an execution's input says; raises `ParameterError` for one that is wrong."""
    given = json.loads(text)
    names = _attributes(flow)
    known = {*flow.parameters, *names, REFERENCES, EVENT_KEY}
    if not isinstance(given, dict) or not set(given) <= known:
        raise ParameterError(
            f"The execution's input must be an object of parameters; the flow has: {', '.join(flow.parameters) or 'none'}; "
            f"it is {text[:500]}"
        )
    event = given.pop(EVENT_KEY, None)
    references = {name: Reference.from_json(data) for name, data in given.pop(REFERENCES, {}).items()}
    values = {names.get(str(name), str(name)): value for name, value in given.items()}
    if event is None:
        return Given(values, references)
    return Given({**_values_of_event(flow, event), **values}, references, _trigger(flow, event))


def _attributes(flow: FlowDefinition) -> dict[str, str]:
    """The attributes of parameters by their names, which have dashes where the attributes have underscores."""
    return {str(parameter.name): attribute for attribute, parameter in flow.parameters.items()}


def _values_of_event(flow: FlowDefinition, event: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that `@trigger` reads from fields of the event; a field that is not there leaves the default."""
    declared = flow.flow_decorator(Trigger)
    if declared is None or declared.event is None or event.get("detail-type") != declared.event["name"]:
        return {}
    names = _attributes(flow)
    detail = event.get("detail") or {}
    wanted: dict[str, str] = declared.event["parameters"]
    return {names.get(name, name): detail[field] for name, field in wanted.items() if field in detail}


def _trigger(flow: FlowDefinition, event: Mapping[str, Any]) -> dict[str, Any]:
    """What a run's claim keeps of an event."""
    kind = event.get("detail-type", "")
    shared = {"id": event.get("id", ""), "time": event.get("time", "")}
    if kind == "Scheduled Event":
        return {**shared, "name": SCHEDULE, "type": SCHEDULE}
    upstream = flow.flow_decorator(TriggerOnFinish)
    if event.get("source") == "aws.states" and upstream:
        name = upstream.flow.rpartition(".")[2]
        return {**shared, "name": f"{name}.end", "type": RUN, "run": f"{name}/sfn-{event['detail']['name']}"}
    return {**shared, "name": kind, "type": EVENT}
