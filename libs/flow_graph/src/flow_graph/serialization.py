"""A graph as JSON: `{"format": 1, "name": ..., "steps": [{"name": ..., "transition": {"kind": ...}, ...}]}`.

What has its default value is left out. A reader accepts every format released so far.
"""

from __future__ import annotations

from typing import Any

import attrs

from flow_graph.errors import UnreadableGraph
from flow_graph.graph import FlowGraph
from flow_graph.nodes import Case, End, Foreach, Invalid, Join, Linear, Node, Split, Switch, Transition

FORMAT = 1

KINDS: dict[str, Any] = {kind.kind: kind for kind in (Linear, Join, Split, Foreach, Switch, End, Invalid)}
STEP_FIELDS = ("arguments", "starts", "ends", "doc", "file", "line", "transition_line")
GRAPH_FIELDS = ("doc", "file", "line")


def graph_to_json(graph: FlowGraph) -> str:
    """The graph as JSON text."""
    import json

    return json.dumps(graph_to_data(graph))


def graph_from_json(text: str | bytes) -> FlowGraph:
    """The graph that `graph_to_json` gave. Raises UnreadableGraph."""
    import json

    try:
        data = json.loads(text)
    except ValueError as error:
        raise UnreadableGraph(f"This is no graph: not JSON ({error}).") from error
    return graph_from_data(data)


def graph_to_data(graph: FlowGraph) -> dict[str, Any]:
    """The graph as plain data."""
    steps = [
        {"name": node.name, "transition": transition_to_data(node.transition), **changed(node, STEP_FIELDS)}
        for node in graph.nodes.values()
    ]
    return {"format": FORMAT, "name": graph.name, **changed(graph, GRAPH_FIELDS), "steps": steps}


def changed(value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The fields that differ from their defaults."""
    defaults = {field.name: field.default for field in attrs.fields(type(value))}
    return {name: getattr(value, name) for name in names if getattr(value, name) != defaults[name]}


def transition_to_data(transition: Transition) -> dict[str, Any]:
    """A transition as plain data."""
    return {"kind": transition.kind, **attrs.asdict(transition)}


def graph_from_data(data: Any) -> FlowGraph:
    """The graph that `graph_to_data` gave. Raises UnreadableGraph."""
    version = data.get("format") if isinstance(data, dict) else None
    if not isinstance(version, int):
        raise UnreadableGraph("This is no graph: it names no format version.")
    if version > FORMAT:
        raise UnreadableGraph(
            f"This graph has format {version}, and this version of flow_graph reads up to {FORMAT}. "
            "Install a later stepwell-flow-graph.",
            version,
        )
    try:
        nodes = [node_from_data(step) for step in data["steps"]]
        return FlowGraph(data["name"], nodes, **{name: data[name] for name in GRAPH_FIELDS if name in data})
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableGraph(f"This graph is damaged: {error!r}.", version) from error


def node_from_data(data: dict[str, Any]) -> Node:
    """The node that a step's data stand for."""
    fields = {name: data[name] for name in STEP_FIELDS if name in data}
    return Node(data["name"], transition_from_data(data["transition"]), **fields)


def transition_from_data(data: dict[str, Any]) -> Transition:
    """The transition that its data stand for."""
    fields = {name: value for name, value in data.items() if name != "kind"}
    if "cases" in fields:
        fields["cases"] = tuple(Case(**case) for case in fields["cases"])
    if "targets" in fields:
        fields["targets"] = tuple(fields["targets"])
    transition: Transition = KINDS[data["kind"]](**fields)
    return transition
