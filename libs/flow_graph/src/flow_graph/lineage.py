"""The inputs of one task, from the records of the tasks before it: for whoever runs a task and has no scheduler to ask.

A task's parents are a function of the graph, of the cardinalities and of the choices that switches took. Of these only
what decides is read: a step with one way to it needs no record, one where the cases of a switch meet needs the choices
since the last step that all ways have in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from flow_graph.errors import InvalidArgument, InvalidTaskId
from flow_graph.graph import FlowGraph, meet, require_graph
from flow_graph.nodes import Foreach, Node
from flow_graph.outcomes import cardinality_of, choice_of
from flow_graph.scopes import Arm
from flow_graph.tasks import ForeachFrame, OutcomeOf, Path, TaskName, parse_task_id, task_id


def task_inputs(graph: FlowGraph, step: str, task: str, outcome_of: OutcomeOf) -> tuple[TaskName, ...]:
    """The parents of a task (`task` is its id); those of a join in item order, or in the declared order of the split.

    The graph is well formed. `outcome_of(step, task_id)` is asked for finished foreach and switch tasks only.
    Raises UnknownStep, InvalidTaskId, InvalidOutcome, and whatever `outcome_of` raises.
    """
    check_asked(graph, outcome_of)
    node = graph[step]
    path, iteration = parse_task_id(task, graph.foreach_depth(step))
    if iteration and not node.recursive:
        raise InvalidTaskId(task, f"step {step!r} is no recursive switch, so it has no iterations")
    if iteration:
        return (TaskName(step, task_id(path, iteration - 1)),)
    if node.takes_inputs:
        return join_inputs(graph, step, path, outcome_of)
    before = [name for name in graph.previous(step) if name != step]
    return (parent(graph, step, before, path, outcome_of),) if before else ()


def foreach_frames(graph: FlowGraph, step: str, task: str, outcome_of: OutcomeOf) -> tuple[ForeachFrame, ...]:
    """The foreaches that a task is inside of, outermost first. Asks and raises as `task_inputs` does."""
    check_asked(graph, outcome_of)
    path, _ = parse_task_id(task, graph.foreach_depth(step))
    frames = []
    for depth, name in enumerate(graph.foreaches(step)):
        transition = graph[name].transition
        assert isinstance(transition, Foreach)
        width = width_of(graph[name], path[:depth], outcome_of)
        if path[depth] >= width:
            raise InvalidTaskId(task, f"the foreach of step {name!r} has {width} items")
        frames.append(ForeachFrame(name, transition.variable, path[depth], width))
    return tuple(frames)


def check_asked(graph: object, outcome_of: object) -> None:
    """Raise InvalidArgument unless these are a graph and somebody who can be asked."""
    require_graph(graph)
    if not callable(outcome_of):
        raise InvalidArgument("outcome_of", outcome_of, "a function of step and task id that gives an Outcome")


def width_of(split: Node, path: Path, outcome_of: OutcomeOf) -> int:
    """How many items a finished foreach task has."""
    identity = task_id(path)
    return cardinality_of(split, identity, outcome_of(split.name, identity))


def last_choice(switch: Node, path: Path, outcome_of: OutcomeOf) -> tuple[int, str]:
    """The iteration in which a switch chose another step than itself, and that step."""
    iteration = 0
    while True:
        identity = task_id(path, iteration)
        choice = choice_of(switch, identity, outcome_of(switch.name, identity))
        if choice != switch.name:
            return iteration, choice
        iteration += 1


# ---- parents


def parent(graph: FlowGraph, step: str, before: Sequence[str], path: Path, outcome_of: OutcomeOf) -> TaskName:
    """The task that led to the one of `step` at `path`, which is one of the steps `before` it."""
    name = before[0] if len(before) == 1 else last_step(graph, step, before, path, outcome_of)
    node = graph[name]
    if node.kind == "foreach":
        return TaskName(name, task_id(path[:-1]))
    iteration = last_choice(node, path, outcome_of)[0] if node.recursive else 0
    return TaskName(name, task_id(path, iteration))


def last_step(graph: FlowGraph, step: str, before: Sequence[str], path: Path, outcome_of: OutcomeOf) -> str:
    """The one of the steps `before` that the way to `step` went through: followed from where all ways part."""
    name = common_step(graph, before)
    while True:
        following = next_step(graph, name, path, outcome_of)
        if following == step:
            return name
        name = following


def next_step(graph: FlowGraph, step: str, path: Path, outcome_of: OutcomeOf) -> str:
    """The step that follows within the same arm; after a split that is its join."""
    node = graph[step]
    if node.kind == "switch":
        return last_choice(node, path, outcome_of)[1]
    return graph.matching_join(step) if node.kind in ("split", "foreach") else node.next[0]


def common_step(graph: FlowGraph, steps: Sequence[str]) -> str:
    """The last step that is on all ways to all of `steps`, which are in one arm."""
    return reduce(lambda one, other: meet(one, other, graph.dominators, graph.number), steps)


# ---- joins


def join_inputs(graph: FlowGraph, join: str, path: Path, outcome_of: OutcomeOf) -> tuple[TaskName, ...]:
    """The last tasks of all arms of the split that a join closes, in order."""
    split = graph[graph.matching_split(join)]
    if split.kind == "foreach":
        before = in_arm(graph, join, Arm(split.name, 0))
        width = width_of(split, path, outcome_of)
        return tuple(parent(graph, join, before, (*path, item), outcome_of) for item in range(width))
    arms = [in_arm(graph, join, Arm(split.name, index)) for index in range(len(split.next))]
    return tuple(parent(graph, join, before, path, outcome_of) for before in arms)


def in_arm(graph: FlowGraph, join: str, arm: Arm) -> list[str]:
    """The steps that lead to a join from one arm."""
    return [name for name in graph.previous(join) if graph.arms(name)[-1] == arm]
