"""What holds for every graph: drawn well-formed ones, and drawn ones with one mistake."""

from __future__ import annotations

import importlib.util
import itertools
import random
import tempfile
from collections import Counter
from pathlib import Path

import attrs
import networkx
import pytest
from flow_graph import (
    RULES,
    FlowGraph,
    GraphError,
    Outcome,
    PlannedTask,
    Span,
    Traversal,
    check,
    foreach_frames,
    interpret,
    parse_task_id,
    read_class,
    task_id,
    task_inputs,
)
from flow_graph.testing import Decisions, broken_graphs, broken_sources, builder_of, decisions, graphs, source_of
from hypothesis import given
from hypothesis import strategies as st

HEADER = "def step(f=None, **flags):\n    return f or (lambda f: f)\n\n\n"


def read_source(graph: FlowGraph) -> FlowGraph:
    """The graph as `read_class` sees it after it was written to a file."""
    return read_text(source_of(graph), graph.name)


def read_text(source: str, name: str) -> FlowGraph:
    """The graph of a class in a source."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "drawn_flow.py"
        file.write_text(HEADER + source)
        spec = importlib.util.spec_from_file_location("drawn_flow", file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return read_class(getattr(module, name))


def traverse(graph: FlowGraph, decided: Decisions, seed: int) -> list[PlannedTask]:
    """The tasks of a run in the order in which they finish, which is random."""
    chooser = random.Random(seed)
    traversal = Traversal(graph)
    waiting, finished = list(traversal.begin()), []
    while waiting:
        assert not traversal.complete
        assert traversal.running == len(waiting)
        task = waiting.pop(chooser.randrange(len(waiting)))
        finished.append(task)
        waiting += traversal.finish(task, decided.outcome(graph[task.step], task.path, task.iteration))
    assert traversal.complete
    assert traversal.running == 0
    return finished


def by_name(tasks: list[PlannedTask]) -> dict[tuple[str, str], PlannedTask]:
    """The tasks by name; each must be there once."""
    assert [name for name, times in Counter(task.name for task in tasks).items() if times > 1] == []
    return {task.name: task for task in tasks}


# ---- forms


@given(graphs())
def test_well_formed_graphs_have_no_findings(graph: FlowGraph) -> None:
    assert check(graph) == []


@given(graphs())
def test_json_gives_the_graph_back(graph: FlowGraph) -> None:
    graph = attrs.evolve(graph, file="flow.py", at=Span(3, 7, 12))
    again = FlowGraph.from_json(graph.to_json())
    assert again == graph
    assert hash(again) == hash(graph)
    assert again.to_json() == graph.to_json()
    assert FlowGraph.from_data(graph.to_data()) == graph


@given(graphs())
def test_the_reader_reads_what_the_source_says(graph: FlowGraph) -> None:
    read = read_source(graph)
    assert read == graph
    assert check(read) == []
    assert FlowGraph.from_json(read.to_json()).to_json() == read.to_json()


@given(graphs())
def test_the_builder_builds_what_the_reader_reads(graph: FlowGraph) -> None:
    plain = FlowGraph.from_json(graph.to_json().replace('"expression": true', '"expression": false'))
    built = builder_of(plain).build()
    assert built == plain
    if plain == graph:
        assert built == read_source(graph)


# ---- order, with networkx as the oracle


def simple(graph: FlowGraph) -> networkx.DiGraph:
    """The graph for networkx, without the edges of recursive switches to themselves."""
    oracle = graph.to_networkx()
    oracle.remove_edges_from([(node.name, node.name) for node in graph if node.recursive])
    return oracle


@given(graphs())
def test_steps_are_in_topological_order(graph: FlowGraph) -> None:
    oracle = simple(graph)
    assert networkx.is_directed_acyclic_graph(oracle)
    place = {name: position for position, name in enumerate(graph.steps)}
    assert place.keys() == graph.nodes.keys()
    assert graph.steps[0] == "start"
    assert all(place[one] < place[other] for one, other in oracle.edges)
    for name in graph.steps:
        assert set(graph.previous(name)) - {name} == set(oracle.predecessors(name))


@given(broken_graphs())
def test_cycles_and_unreachable_steps_are_those_of_networkx(broken: tuple[FlowGraph, set[str]]) -> None:
    graph, _ = broken
    known = {node.name for node in graph}
    oracle = simple(graph)
    found = check(graph)
    assert any(f.slug == "cycle" for f in found) == (not networkx.is_directed_acyclic_graph(oracle))
    for cycle in graph.order.cycles:
        assert cycle[0] == cycle[-1]
        assert all(oracle.has_edge(one, other) for one, other in itertools.pairwise(cycle))
    assert Counter(graph.steps) == Counter(known)
    unreachable = {f.step for f in found if f.slug == "unreachable"}
    if unreachable and oracle.number_of_nodes() == len(known):  # else a step is unknown, and guessed
        assert unreachable == known - networkx.descendants(oracle, graph.first) - {graph.first}


@given(graphs())
def test_dominators_and_matching_joins_are_those_of_networkx(graph: FlowGraph) -> None:
    oracle = simple(graph)
    dominators = networkx.immediate_dominators(oracle, "start")
    for name, dominator in graph.dominators.items():
        if not graph[name].takes_inputs:
            assert dominators[name] == dominator or graph[dominators[name]].kind in ("split", "foreach", "join")
    after = networkx.immediate_dominators(oracle.reverse(), "end")
    for node in graph:
        if node.kind in ("split", "foreach"):
            join = closing_join(graph, node.name, after)
            assert graph.matching_join(node.name) == join
            assert graph.matching_split(join) == node.name


def closing_join(graph: FlowGraph, split: str, after: dict[str, str]) -> str:
    """The join that closes `split`, like a bracket: on the steps that all ways from it have in common.

    A split's own join is the first of these, but a foreach has one arm only, and all of that may be common.
    """
    depth, name = 1, split
    while depth:
        name = after[name]
        depth += (graph[name].kind in ("split", "foreach")) - graph[name].takes_inputs
    return name


# ---- mistakes


@given(broken_graphs())
def test_every_mistake_is_found(broken: tuple[FlowGraph, set[str]]) -> None:
    graph, slugs = broken
    found = check(graph)
    assert slugs & {finding.slug for finding in found}
    assert all(finding.message and finding.help for finding in found)
    assert graph.to_text().count("\n") >= 1
    if all(finding.severity == "warning" for finding in found):
        Traversal(graph)
        return
    with pytest.raises(GraphError) as caught:
        Traversal(graph)
    assert caught.value.findings == tuple(found)


@given(broken_sources())
def test_every_mistake_about_artifacts_is_found(broken: tuple[str, str]) -> None:
    source, slug = broken
    found = check(read_text(source, "Drawn"))
    assert {finding.slug for finding in found} == {slug}
    assert {finding.severity for finding in found} == {RULES[slug].severity}


# ---- runs


@given(graphs(), decisions())
def test_the_interpreter_runs_each_task_once_and_after_its_parents(graph: FlowGraph, decided: Decisions) -> None:
    tasks = list(interpret(graph, *decided.arguments(graph)))
    by_name(tasks)
    seen = set()
    for task in tasks:
        assert set(task.parents) <= seen
        assert len(set(task.parents)) == len(task.parents)
        assert (not task.parents) == (task.step == "start" and not task.iteration)
        assert len(task.path) == graph.foreach_depth(task.step)
        seen.add(task.name)
    assert tasks[-1].step == "end"
    # Every task leads to another, each one's way to the end is whole.
    assert {parent for task in tasks for parent in task.parents} == seen - {tasks[-1].name}


@given(graphs(), decisions())
def test_joins_have_all_arms_in_order(graph: FlowGraph, decided: Decisions) -> None:
    tasks = list(interpret(graph, *decided.arguments(graph)))
    for task in tasks:
        if not graph[task.step].takes_inputs:
            continue
        split = graph[graph.matching_split(task.step)]
        paths = [parse_task_id(p.task_id, graph.foreach_depth(p.step))[0] for p in task.parents]
        if split.kind == "foreach":
            assert paths == [(*task.path, item) for item in range(decided.cardinality(split.name, task.path))]
        else:
            assert paths == [task.path] * len(split.next)
            assert [graph.arms(p.step)[-1].index for p in task.parents] == list(range(len(split.next)))


@given(graphs(), decisions(), st.integers())
def test_the_traversal_plans_what_the_interpreter_runs(graph: FlowGraph, decided: Decisions, seed: int) -> None:
    expected = list(interpret(graph, *decided.arguments(graph)))
    finished = traverse(graph, decided, seed)
    assert by_name(finished) == by_name(expected)
    seen = set()
    for task in finished:
        assert set(task.parents) <= seen
        seen.add(task.name)


@given(graphs(), decisions())
def test_inputs_from_records_are_those_of_the_interpreter(graph: FlowGraph, decided: Decisions) -> None:
    tasks = by_name(list(interpret(graph, *decided.arguments(graph))))
    outcome_of = decided.outcome_of(graph)

    def recorded(step: str, task: str) -> Outcome:
        assert (step, task) in tasks  # only what ran has a record
        assert graph[step].kind in ("foreach", "switch")  # only what decides is read
        return outcome_of(step, task)

    for task in tasks.values():
        assert task_inputs(graph, task.step, task.task_id, recorded) == task.parents


@given(graphs(), decisions())
def test_foreach_frames_say_where_a_task_is(graph: FlowGraph, decided: Decisions) -> None:
    outcome_of = decided.outcome_of(graph)
    traversal = Traversal(graph)
    waiting = list(traversal.begin())
    while waiting:
        task = waiting.pop()
        frames = foreach_frames(graph, task.step, task.task_id, outcome_of)
        assert frames == traversal.foreach_frames(task)
        assert tuple(frame.index for frame in frames) == task.path
        for depth, frame in enumerate(frames):
            assert frame.cardinality == decided.cardinality(frame.step, task.path[:depth])
            assert frame.variable == f"items_{frame.step}"
        waiting += traversal.finish(task, decided.outcome(graph[task.step], task.path, task.iteration))


@given(graphs(), decisions())
def test_state_is_kept_for_open_scopes_only(graph: FlowGraph, decided: Decisions) -> None:
    traversal = Traversal(graph)
    waiting = list(traversal.begin())
    while waiting:
        task = waiting.pop()
        waiting += traversal.finish(task, decided.outcome(graph[task.step], task.path, task.iteration))
        # Depth first, what is open are the scopes around one task of each that waits.
        assert len(traversal.scopes) <= 1 + sum(len(graph.arms(waiter.step)) for waiter in waiting)
    assert not traversal.scopes


@given(st.lists(st.integers(0, 10**6)).map(tuple), st.integers(0, 100))
def test_task_ids_are_read_back(path: tuple[int, ...], iteration: int) -> None:
    assert parse_task_id(task_id(path, iteration), len(path)) == (path, iteration)
