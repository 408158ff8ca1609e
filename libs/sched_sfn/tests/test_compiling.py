from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import attrs
import flows
import pytest
from flow_graph import FlowGraph, GraphBuilder, GraphError, Linear, Node, UnknownStep
from runners import LambdaRunner, PuttingRunner
from sched_sfn import BatchJob, BatchRunner, CompileError, FanOut, QuotaExceeded, StepTask, Template, compile_machine
from shapes import RECORD, RUNNER, SHAPES


@pytest.mark.parametrize("shape", SHAPES)
def test_compilation_is_deterministic(shape: str) -> None:
    assert SHAPES[shape]().to_json() == SHAPES[shape]().to_json()


def test_compilation_needs_no_boto3() -> None:
    code = (
        "import sys, sched_sfn, flow_graph as f;"
        "g = f.GraphBuilder('A').step('start', next='end').step('end').build();"
        "j = sched_sfn.BatchJob(definition='d', queue='q');"
        "sched_sfn.compile_machine(g, sched_sfn.BatchRunner(j, sched_sfn.S3Record('b', 'k')));"
        "assert not {'boto3', 'botocore'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_steps_keep_their_names_and_point_to_their_source() -> None:
    states = compile_machine(flows.linear(), RUNNER).definition["States"]
    assert list(states) == ["set variables", "start", "work", "end"]
    assert re.fullmatch(r"flows\.py:\d+: Begin\.", states["start"]["Comment"])
    assert re.fullmatch(r"flows\.py:\d+: Step work\.", states["work"]["Comment"])


def test_a_broken_graph_is_refused_with_its_findings() -> None:
    with pytest.raises(GraphError, match="nowhere"):
        compile_machine(FlowGraph("Broken", [Node("start", Linear("nowhere"))]), RUNNER)


@pytest.mark.parametrize("field", ["Next", "End", "Output", "Comment", "Catch", "QueryLanguage"])
def test_what_is_the_compilers_is_not_the_runners(field: str) -> None:
    class Meddling(PuttingRunner):
        def state(self, task: StepTask) -> dict[str, Any]:
            return {**super().state(task), field: "x"}

    with pytest.raises(CompileError, match=f"step 'start' has {field}"):
        compile_machine(flows.linear(), Meddling())


def test_a_gang_is_refused_as_the_machine_would_run_its_tasks_one_by_one() -> None:
    gang = (
        GraphBuilder("Gang")
        .step("start", next="train", num_parallel=4)
        .step("train", next="join", decorators=("parallel",))
        .step("join", next="end", join=True)
        .step("end")
        .build()
    )
    with pytest.raises(GraphError, match=r"gang|parallel"):
        compile_machine(gang, RUNNER)


def test_a_step_name_too_long_for_a_state_is_refused() -> None:
    name = "x" * 81
    graph = GraphBuilder("Long").step("start", next=name).step(name, next="end").step("end").build()
    with pytest.raises(QuotaExceeded, match="characters of a state's name") as exceeded:
        compile_machine(graph, RUNNER)
    assert (exceeded.value.limit, exceeded.value.actual) == (80, 81)


def test_a_definition_beyond_the_quota_is_refused() -> None:
    job = BatchJob(definition="d", queue="q", environment={"X": Template("x" * 7000 + "{task_id}")})
    with pytest.raises(QuotaExceeded, match="bytes of a definition"):
        compile_machine(chain(200), BatchRunner(job, RECORD))


def chain(length: int) -> FlowGraph:
    names = ["start", *(f"step_{number}" for number in range(length - 2)), "end"]
    builder = GraphBuilder("Chain")
    for name, following in zip(names, [*names[1:], None], strict=True):
        builder.step(name, next=following)
    return builder.build()


def test_a_definition_takes_no_more_than_two_kilobytes_a_step() -> None:
    for graph in (flows.linear(), flows.foreach(), flows.nested_foreach(), flows.everything(), chain(1000)):
        assert len(compile_machine(graph, RUNNER).to_json(indent=None)) <= 1900 * len(graph)


# ---- fan-outs


def fan_out(graph: FlowGraph, step: str = "start", runner: Any = RUNNER, **how: Any) -> FanOut:
    return compile_machine(graph, runner, **how).fan_outs[step]


def test_a_body_of_one_step_is_an_array() -> None:
    assert fan_out(flows.foreach()).kind == "array"
    assert fan_out(flows.foreach(), widths={"start": 9_000_000}).kind == "array"


def test_a_longer_body_is_a_distributed_map_unless_it_is_known_to_be_narrow() -> None:
    assert fan_out(flows.long_foreach()).kind == "distributed"
    assert fan_out(flows.long_foreach(), widths={"start": 40}).kind == "inline"
    assert fan_out(flows.long_foreach(), widths={"start": 41}).kind == "distributed"


def test_a_runner_without_arrays_gets_maps() -> None:
    assert fan_out(flows.foreach(), runner=LambdaRunner()).kind == "distributed"
    assert fan_out(flows.foreach(), runner=LambdaRunner(), widths={"start": 5}).kind == "inline"


def test_a_limit_below_the_width_is_a_map_that_keeps_it() -> None:
    chosen = fan_out(flows.foreach(), max_concurrency=5)
    assert (chosen.kind, chosen.concurrency) == ("distributed", 5)
    assert "only 5" in chosen.reason
    chosen = fan_out(flows.foreach(), max_concurrency=5, widths={"start": 20})
    assert (chosen.kind, chosen.concurrency) == ("inline", 5)
    assert fan_out(flows.foreach(), max_concurrency=5, widths={"start": 5}).kind == "array"


def test_a_limit_of_nothing_is_refused() -> None:
    with pytest.raises(CompileError, match="At least 1 task"):
        compile_machine(flows.foreach(), RUNNER, max_concurrency=0)


def test_nested_maps_are_inline_only_while_the_history_stays_short() -> None:
    narrow = {"start": 10, "shard": 10}
    limits = {"max_concurrency": 4, "widths": narrow}
    assert fan_out(flows.nested_foreach(), "shard", **limits).kind == "inline"
    assert fan_out(flows.nested_foreach(), "start", **limits).kind == "inline"
    wide = {"max_concurrency": 4, "widths": {"start": 40, "shard": 40}}
    assert fan_out(flows.nested_foreach(), "shard", **wide).kind == "inline"
    assert fan_out(flows.nested_foreach(), "start", **wide).kind == "distributed"


def test_what_is_asked_for_is_taken() -> None:
    machine = compile_machine(flows.foreach(), RUNNER, fan_outs={"start": FanOut("inline", 7)})
    assert machine.definition["States"]["each work"]["MaxConcurrency"] == 7


@pytest.mark.parametrize(
    ("graph", "asked", "error"),
    [
        (flows.long_foreach(), FanOut("array"), "several steps"),
        (flows.foreach(), FanOut("array", 5), "cannot limit"),
        (flows.foreach(), FanOut("none"), "there are: array, inline, distributed"),  # type: ignore[arg-type]
        (flows.foreach(), FanOut("inline", 0), "1 item at once"),
        (flows.foreach(), FanOut("inline", 41), "concurrent iterations of an inline map"),
        (flows.foreach(), FanOut("distributed", 10_001), "concurrent children of a distributed map"),
    ],
)
def test_what_cannot_be_is_refused(graph: FlowGraph, asked: FanOut, error: str) -> None:
    with pytest.raises(CompileError, match=error) as refused:
        compile_machine(graph, RUNNER, fan_outs={"start": asked})
    assert refused.value.step == "start"


def test_an_array_of_a_runner_without_arrays_is_refused() -> None:
    with pytest.raises(CompileError, match="no arrays for step 'work'"):
        compile_machine(flows.foreach(), LambdaRunner(), fan_outs={"start": FanOut("array")})


def test_widths_and_fan_outs_are_of_foreach_steps() -> None:
    with pytest.raises(CompileError, match="'work' is no foreach"):
        compile_machine(flows.foreach(), RUNNER, widths={"work": 5})
    with pytest.raises(UnknownStep, match="strat"):
        compile_machine(flows.foreach(), RUNNER, fan_outs={"strat": FanOut("inline")})


def test_a_history_that_known_widths_make_too_long_is_refused_by_the_quotas_name() -> None:
    how = {"fan_outs": {"start": FanOut("inline")}}
    compile_machine(flows.long_foreach(), RUNNER, widths={"start": 1000}, **how)
    with pytest.raises(QuotaExceeded, match="events in the history") as exceeded:
        compile_machine(flows.long_foreach(), RUNNER, widths={"start": 2000}, **how)
    assert exceeded.value.limit == 25_000


def test_a_list_of_items_beyond_the_payload_is_refused_by_the_quotas_name() -> None:
    compile_machine(flows.long_foreach(), RUNNER, widths={"start": 40_000})
    with pytest.raises(QuotaExceeded, match="bytes of a state's payload") as exceeded:
        compile_machine(flows.long_foreach(), RUNNER, widths={"start": 50_000})
    assert exceeded.value.limit == 262_144


def test_the_input_goes_to_children_only_if_their_tasks_ask_for_it() -> None:
    def selector(runner: Any) -> dict[str, Any]:
        state = compile_machine(flows.long_foreach(), runner).definition["States"]["each clean"]
        return dict(state["ItemSelector"])

    assert "input" in selector(LambdaRunner())
    assert "input" not in selector(PuttingRunner())
    assert "input" in selector(RUNNER)  # its step train does
    assert "input" not in selector(attrs.evolve(RUNNER, jobs={}))
