"""`@trigger` and `@trigger_on_finish`: the events that start a deployed flow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from stepwell.api.decorators.flows import FlowDecorator, _usable

_ONE = "EventBridge starts a flow for one event, it does not wait for several"


def _event(given: Any) -> dict[str, Any] | None:
    """An event as a name, or as `{"name": ..., "parameters": {parameter: field of the event}}`."""
    if given is None:
        return None
    found = {"name": given} if isinstance(given, str) else dict(given)
    if set(found) - {"name", "parameters"} or not isinstance(found.get("name"), str) or not found["name"]:
        raise ValueError(f"an event is a name, or a dict with name and parameters, not {given!r}")
    return {"name": found["name"], "parameters": _mapping(found.get("parameters", {}))}


def _mapping(given: Any) -> dict[str, str]:
    if isinstance(given, Mapping):
        pairs = list(given.items())
    else:
        pairs = [(one, one) if isinstance(one, str) else tuple(one) for one in given]
    if not all(len(pair) == 2 and all(isinstance(one, str) for one in pair) for pair in pairs):
        raise ValueError(f"parameters maps names of parameters to fields of the event, not {given!r}")
    return dict(pairs)


def _only(given: Any) -> Any:
    if len(given) > 1:
        raise ValueError(f"{_ONE}: name one")
    return given[0] if given else None


@attrs.frozen
class Trigger(FlowDecorator):
    """Start the deployed flow for each event of this name (EventBridge's `detail-type`).

    `event` is the name, or `{"name": "new_data", "parameters": {"table": "name"}}`: the parameter `table` has the value of the
    event's field `name`, the others their defaults. `events` is a list of one.
    """

    name: ClassVar[str] = "trigger"
    event: dict[str, Any] | None = attrs.field(default=None, converter=_event)
    events: Any = attrs.field(default=(), converter=tuple)
    options: dict[str, Any] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if (self.event is None) == (not self.events):
            raise ValueError("it needs event=, the name of an event")
        if self.event is None:
            object.__setattr__(self, "event", _event(_only(self.events)))


@attrs.frozen
class TriggerOnFinish(FlowDecorator):
    """Start the deployed flow when a run of another deployed flow has succeeded.

    `flow` is its name (with `@project` on both, of the same project and branch), or `project.branch.Flow`; `flows` a list of one.
    """

    name: ClassVar[str] = "trigger_on_finish"
    flow: Any = attrs.field(default=None)
    flows: Any = attrs.field(default=(), converter=tuple)
    options: dict[str, Any] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if (self.flow is None) == (not self.flows):
            raise ValueError("it needs flow=, the name of a flow")
        flow = self.flow if self.flow is not None else _only(self.flows)
        if isinstance(flow, Mapping):
            flow = ".".join(str(flow[key]) for key in ("project", "project_branch", "name") if flow.get(key))
        if not isinstance(flow, str) or not flow:
            raise ValueError(f"flow is the name of a flow, not {flow!r}")
        object.__setattr__(self, "flow", flow)


trigger = _usable(Trigger)
trigger_on_finish = _usable(TriggerOnFinish)
