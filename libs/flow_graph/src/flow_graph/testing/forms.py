"""Other forms of a graph: the source of a class, a builder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flow_graph.building import GraphBuilder
from flow_graph.graph import FlowGraph
from flow_graph.nodes import Foreach, Node, Split, Switch, Transition


def source_of(graph: FlowGraph, bodies: Mapping[str, str] | None = None, attributes: str = "config = None") -> str:
    """The source of a class with the steps of a graph; it needs a decorator `step`.

    `bodies` has the statement of a step before its transition; left out, it is such that `check` finds nothing: what
    the transition reads is assigned, and a join looks at its inputs. `attributes` stands first in the class.
    """
    lines = [f"class {graph.name}:", f"    {attributes}", ""]
    for node in graph.nodes.values():
        flags = [flag for flag, value in (("start=True", node.starts), ("end=True", node.ends)) if value]
        lines += [f"    @{mark}" for mark in node.decorators]
        lines.append(f"    @step({', '.join(flags)})" if flags else "    @step")
        lines.append(f"    def {node.name}({', '.join(['self', 'inputs', 'third'][: node.arguments])}):")
        body = (bodies or {}).get(node.name, body_of(node))
        lines += [f'        """{node.doc}"""', f"        {body}", f"        {call_of(node.transition)}", ""]
    return "\n".join(lines)


def body_of(node: Node) -> str:
    """A statement that does what the step's transition needs."""
    inputs = "list(inputs)" if node.takes_inputs else ""
    match node.transition:
        case Foreach(variable=variable, parallel=False):
            return f"self.{variable} = {inputs or '[1, 2]'}"
        case Switch(condition=condition):
            return f"self.{condition} = {inputs or repr('a')}"
    return inputs or "pass"


def call_of(transition: Transition) -> str:
    """The statement that makes a transition."""
    match transition:
        case Foreach(target, variable, parallel):
            option = f"num_parallel={variable}" if parallel else f"foreach={variable!r}"
            return f"self.next(self.{target}, {option})"
        case Switch(condition, cases):
            items = ", ".join(f"{c.key if c.expression else repr(c.key)}: self.{c.target}" for c in cases)
            return f"self.next({{{items}}}, condition={condition!r})"
        case _ if transition.targets:
            return f"self.next({', '.join(f'self.{target}' for target in transition.targets)})"
    return "pass"


def builder_of(graph: FlowGraph) -> GraphBuilder:
    """A builder with the steps of a graph; it knows no configuration values, so with these it comes out different."""
    builder = GraphBuilder(graph.name, graph.doc)
    for node in graph.nodes.values():
        how = builder_arguments(node.transition)
        marks: dict[str, Any] = {"start": node.starts, "end": node.ends, "decorators": node.decorators}
        builder.step(node.name, **how, **marks, join=node.takes_inputs, doc=node.doc)
    return builder


def builder_arguments(transition: Transition) -> dict[str, Any]:
    """The arguments of `GraphBuilder.step` that make a transition."""
    match transition:
        case Foreach(target, variable, parallel):
            return {"next": target, "num_parallel" if parallel else "foreach": variable}
        case Switch(condition, cases):
            return {"next": {case.key: case.target for case in cases}, "condition": condition}
        case Split(targets):
            return {"next": targets}
    return {"next": transition.targets[0]} if transition.targets else {}
