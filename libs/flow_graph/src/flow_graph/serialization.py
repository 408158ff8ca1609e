"""A graph as JSON: `{"format": 1, "name": ..., "steps": [{"name": ..., "transition": {"kind": ...}, ...}]}`.

What has its default value is left out. A reader accepts every format released so far, and refuses what it does not
know: a damaged graph is not guessed at.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import cattrs
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.strategies import configure_tagged_union, configure_union_passthrough

from flow_graph.errors import UnreadableGraph
from flow_graph.graph import FlowGraph
from flow_graph.nodes import Key, Node, Transition

FORMAT = 1

T = TypeVar("T")


def graph_to_json(graph: FlowGraph) -> str:
    """The graph as JSON text."""
    return json.dumps(graph_to_data(graph))


def graph_from_json(text: str | bytes) -> FlowGraph:
    """The graph that `graph_to_json` gave. Raises UnreadableGraph."""
    try:
        data = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise UnreadableGraph(f"This is no graph: not JSON ({error}).") from error
    return graph_from_data(data)


def graph_to_data(graph: FlowGraph) -> dict[str, Any]:
    """The graph as plain data."""
    data = CONVERTER.unstructure(graph)
    steps = data.pop("steps")
    return {"format": FORMAT, **data, "steps": steps}


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
        return CONVERTER.structure({name: value for name, value in data.items() if name != "format"}, FlowGraph)
    except (cattrs.BaseValidationError, AttributeError, TypeError, ValueError) as error:
        reasons = "; ".join(cattrs.transform_error(error, "graph"))
        raise UnreadableGraph(f"This graph is damaged: {reasons}.", version) from error


def make_converter() -> cattrs.Converter:
    """What turns graphs into data and back."""
    converter = cattrs.Converter(omit_if_default=True, forbid_extra_keys=True)
    for kind in (str, int, bool):
        converter.register_structure_hook(kind, exactly(kind))
    converter.register_structure_hook_func(lambda wanted: wanted == tuple[str, ...], as_names)
    configure_union_passthrough(Key, converter)
    configure_tagged_union(Transition, converter, tag_name="kind", tag_generator=kind_of)
    steps = override(
        rename="steps",
        unstruct_hook=lambda nodes: [converter.unstructure(node) for node in nodes.values()],
        struct_hook=lambda steps, _: converter.structure(steps, list[Node]),
    )
    left_out = override(omit=True)
    converter.register_unstructure_hook(
        FlowGraph,
        make_dict_unstructure_fn(FlowGraph, converter, _cattrs_omit_if_default=True, nodes=steps, findings=left_out),
    )
    converter.register_structure_hook(
        FlowGraph,
        make_dict_structure_fn(FlowGraph, converter, _cattrs_forbid_extra_keys=True, nodes=steps, findings=left_out),
    )
    return converter


def kind_of(transition: Any) -> str:
    """What a kind of transition is called."""
    return str(transition.kind)


def exactly(kind: type[T]) -> Callable[[Any, Any], T]:
    """What accepts values of one type as they are, and turns no other into it."""

    def structure(value: Any, _: Any) -> T:
        if type(value) is not kind:
            raise TypeError(f"{value!r} is no {kind.__name__}")
        return value

    return structure


def as_names(value: Any, _: Any) -> tuple[str, ...]:
    """A list of names: a single text is none."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise TypeError(f"{value!r} is no list of names")
    return tuple(value)


CONVERTER = make_converter()
