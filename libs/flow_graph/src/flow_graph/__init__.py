"""Model a workflow as a graph of steps, check it, walk it."""

from __future__ import annotations

from flow_graph.artifacts import Artifacts, Merge, Use
from flow_graph.building import GraphBuilder
from flow_graph.checking import check
from flow_graph.errors import (
    FlowGraphError,
    GraphError,
    InvalidArgument,
    InvalidOutcome,
    InvalidTaskId,
    MissingExtra,
    NoMatchingStep,
    SourceUnavailable,
    UnexpectedTask,
    UnknownStep,
    UnreadableGraph,
)
from flow_graph.findings import Finding
from flow_graph.graph import FlowGraph
from flow_graph.interpreting import interpret
from flow_graph.lineage import foreach_frames, task_inputs
from flow_graph.nodes import Case, End, Foreach, Invalid, Join, Linear, Node, Split, Switch, Transition
from flow_graph.positions import Span
from flow_graph.reading import read_class
from flow_graph.rendering import render
from flow_graph.rules import RULES, Rule
from flow_graph.scopes import Arm
from flow_graph.tasks import (
    ForeachFrame,
    Outcome,
    OutcomeOf,
    Path,
    PlannedTask,
    TaskName,
    parse_task_id,
    task_id,
)
from flow_graph.traversal import ForeachTasks, Traversal

__all__ = [
    "RULES",
    "Arm",
    "Artifacts",
    "Case",
    "End",
    "Finding",
    "FlowGraph",
    "FlowGraphError",
    "Foreach",
    "ForeachFrame",
    "ForeachTasks",
    "GraphBuilder",
    "GraphError",
    "Invalid",
    "InvalidArgument",
    "InvalidOutcome",
    "InvalidTaskId",
    "Join",
    "Linear",
    "Merge",
    "MissingExtra",
    "NoMatchingStep",
    "Node",
    "Outcome",
    "OutcomeOf",
    "Path",
    "PlannedTask",
    "Rule",
    "SourceUnavailable",
    "Span",
    "Split",
    "Switch",
    "TaskName",
    "Transition",
    "Traversal",
    "UnexpectedTask",
    "UnknownStep",
    "UnreadableGraph",
    "Use",
    "check",
    "foreach_frames",
    "interpret",
    "parse_task_id",
    "read_class",
    "render",
    "task_id",
    "task_inputs",
]
