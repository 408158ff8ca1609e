"""Read a flow's graph from the source of its class."""

from __future__ import annotations

from flow_graph.arguments import require, text
from flow_graph.graph import FlowGraph


def read_class(cls: type, step: str = "step", transition: str = "next") -> FlowGraph:
    """The graph of a class whose steps are the methods decorated with `@step` and end with `self.next(...)`.

    Nothing is executed. Steps are found by the decorator's name in the source (`@step`, `@module.step`, `@step(...)`);
    `step` and `transition` rename the two. Inherited steps are read from their own class's file, and are overridden as
    Python does it. The class that defines `transition`, and its bases, are the framework's: what they do with `self` is
    none of the flow's artifacts. The graph is not checked: see `check`. Raises SourceUnavailable.
    """
    require(type, "The class", cls, "a class; of an instance it is type(instance)")
    text("step", step)
    text("transition", transition)
    from flow_graph.classes import read  # Python's own parser comes with it: only whom reads classes waits for that

    return read(cls, step, transition)
