"""Hypothesis strategies for flow graphs, for the tests of this package and of whoever runs graphs. Needs hypothesis.

- `graphs()`: well-formed graphs, with splits, foreaches, switches and recursive switches nested in each other.
- `decisions()`: what the tasks of a run decide: `Decisions`, a function of step, path and iteration.
- `broken_graphs()`: `(graph, slugs)`, a graph with one mistake, of which `check` must find one of `slugs`.
- `broken_sources()`: `(source, slug)`, a class with one mistake in what a step does with artifacts.
- `source_of(graph)`: the source of a class that means the same; `builder_of(graph)`: a builder that does.
"""

from __future__ import annotations

from flow_graph.testing.forms import builder_of, source_of
from flow_graph.testing.graphs import graphs
from flow_graph.testing.mistakes import broken_graphs, broken_sources
from flow_graph.testing.runs import Decisions, decisions

__all__ = ["Decisions", "broken_graphs", "broken_sources", "builder_of", "decisions", "graphs", "source_of"]
