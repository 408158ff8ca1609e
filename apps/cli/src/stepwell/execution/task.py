"""Run one task. Every scheduler, on every machine, ends in `run`; nothing else executes a step."""

from __future__ import annotations

import contextlib
import secrets
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import attrs
from cas_store import Backend, CasStoreError, Reference
from flow_graph import task_id

from stepwell.api.current import Gang, TaskFacts, enter_task
from stepwell.api.decorators.kinds import Parallel
from stepwell.api.definition import FlowDefinition
from stepwell.api.transitions import Transition
from stepwell.api.trigger import read_trigger
from stepwell.execution.artifacts import Artifacts, named
from stepwell.execution.body import run_body
from stepwell.execution.context import TaskContext
from stepwell.execution.failures import describe_failure
from stepwell.execution.input_flow import flow_of_input
from stepwell.execution.merging import Input, Inputs
from stepwell.execution.ran_with import ran_with
from stepwell.execution.records import (
    RunRecord,
    TaskRecord,
    decode_task,
    done_name,
    encode,
    find_own_task,
    node_name,
    publish_task,
    read_run,
    task_directory,
)
from stepwell.execution.spec import TaskOutcome, TaskSpec
from stepwell.execution.step_records import pack_inputs, read_tasks
from stepwell.execution.stores import Stores


def run(spec: TaskSpec, stores: Stores, flow: FlowDefinition) -> TaskOutcome:
    """Run one attempt at one task, unless the task is done already: what a cluster may start again by itself."""
    if find_own_task(stores.records, spec.flow, spec.run_id, spec.step, spec.task_id) is not None:
        return TaskOutcome(done=True)
    return attempt(spec, stores, flow)


Publish: TypeAlias = Callable[[Backend, TaskRecord], bytes]


def hand_over(records: Backend, record: TaskRecord) -> bytes:
    """Instead of `publish_task`, where whoever is told the record publishes it, with a way to a far datastore that is set up."""
    return encode(record)


def attempt(spec: TaskSpec, stores: Stores, flow: FlowDefinition, publish: Publish = publish_task) -> TaskOutcome:
    """Run one attempt at one task and leave its record, or the record of its failure; one of a gang hands its record in.

    Of two attempts that run at once the first to commit wins; the other publishes nothing, and the task is done for both.
    """
    started = time.time()
    try:
        record = _execute(spec, stores, flow, started)
        if spec.gang:
            stores.records.replace(node_name(spec, spec.gang), encode(record))
            return TaskOutcome(done=True)
        whole = publish(stores.records, record)
    except BaseException as error:
        return _fail(spec, stores, flow, error)
    return TaskOutcome(done=True, record=whole)


def _execute(spec: TaskSpec, stores: Stores, flow: FlowDefinition, started: float) -> TaskRecord:
    inputs = _inputs(spec, stores)
    node = flow.graph[spec.step]
    if node.takes_inputs and not spec.frames:
        with contextlib.suppress(CasStoreError):  # without it they are read one by one
            pack_inputs(stores.records, inputs)
    instance = flow.cls(use_cli=False)
    context = TaskContext(
        spec=spec,
        stores=stores,
        artifacts=Artifacts(stores.objects, _inherited(spec, stores, flow, inputs, node.takes_inputs)),
        step_names=frozenset(one.name for one in flow.graph),
        is_join=node.takes_inputs,
        known=dict(zip(spec.inputs, inputs, strict=True)),
    )
    instance._stepwell_context = context
    body = getattr(instance, spec.step)
    enter_task(_facts(spec, flow, stores))
    if flow.options.namespace is not None:
        _look_into(flow.options.namespace)
    try:
        run_body(body, _arguments(inputs, flow, context) if node.takes_inputs else (), flow, context)
    finally:
        enter_task(None)
    return TaskRecord(
        flow=spec.flow,
        run_id=spec.run_id,
        step=spec.step,
        task_id=spec.task_id,
        attempt=spec.attempt,
        token=secrets.token_hex(8),
        started=started,
        ended=time.time(),
        transition=context.transition or Transition(),
        artifacts=context.artifacts.commit(instance.__dict__, spec.step),
        inputs=spec.inputs if len(spec.inputs) == 1 else (),
        package=spec.package,
        depth=len(spec.frames),
        ran_with=ran_with(),
    )


def _look_into(name: str) -> None:
    """Have the Client API in this process show a namespace; "" is everything."""
    import stepwell

    stepwell.namespace(name or None)


def _inputs(spec: TaskSpec, stores: Stores) -> list[TaskRecord]:
    if spec.read:
        ((step, before),) = spec.inputs
        return [decode_task(spec.read.encode(), done_name(spec.flow, spec.run_id, step, before))]
    return read_tasks(stores.records, spec.flow, spec.run_id, spec.inputs)


def _arguments(inputs: list[TaskRecord], flow: FlowDefinition, join: TaskContext) -> tuple[Inputs]:
    return (Inputs(Input(one, join.stores.objects, partial(flow_of_input, one, flow, join)) for one in inputs),)


def _inherited(
    spec: TaskSpec, stores: Stores, flow: FlowDefinition, inputs: list[TaskRecord], is_join: bool
) -> dict[str, Reference]:
    """What a task starts with: a join has parameters and constants only, any other task all of its input's artifacts."""
    if not inputs:
        claim = read_run(stores.records, spec.flow, spec.run_id)
        return {**claim.constants, **claim.parameters}
    kept = named(inputs[0].artifacts, (*flow.constants, *flow.parameters)) if is_join else dict(inputs[0].artifacts)
    return {**kept, **_configs(spec, stores, flow, inputs[0])}


def _configs(spec: TaskSpec, stores: Stores, flow: FlowDefinition, before: TaskRecord) -> dict[str, Reference]:
    """The flow's configs: as the task before it had them, unless that was taken over from a run which may have had others."""
    if not flow.configs:
        return {}
    run = read_run(stores.records, spec.flow, spec.run_id) if spec.origin_run_id else None
    return named(run.parameters if run else before.artifacts, flow.configs)


def _facts(spec: TaskSpec, flow: FlowDefinition, stores: Stores) -> TaskFacts:
    project = flow.project(spec.user)

    def claim() -> RunRecord:
        return read_run(stores.records, spec.flow, spec.run_id)

    found: dict[str, Callable[[], Any]] = {
        "tags": lambda: frozenset((*claim().tags, *claim().system_tags)),
        "graph": flow.graph.to_data,
        "graph_info": flow.graph.to_data,
        "namespace": lambda: claim().namespace,
        "trigger": lambda: read_trigger(claim().trigger),
    }

    return TaskFacts(
        flow_name=spec.flow,
        run_id=spec.run_id,
        step_name=spec.step,
        task_id=spec.task_id,
        retry_count=spec.attempt,
        username=spec.user,
        parameter_names=[*flow.parameters, *flow.configs],
        origin_run_id=spec.origin_run_id,
        found=found,
        added={**(attrs.asdict(project) if project else {}), **_gang(spec, flow)},
    )


def _gang(spec: TaskSpec, flow: FlowDefinition) -> dict[str, Any]:
    """What `current` has in a task of a gang, whose tasks are all on this machine."""
    if flow.decorator(spec.step, Parallel) is None:
        return {}
    *outer, frame = spec.frames
    control = task_id((*(one.index for one in outer), 0))
    return {"is_parallel": True, "parallel": Gang("127.0.0.1", frame.cardinality, frame.index, control)}


def _fail(spec: TaskSpec, stores: Stores, flow: FlowDefinition, error: BaseException) -> TaskOutcome:
    failure = describe_failure(error, spec.step, str(flow.file))
    print(f"<flow {spec.flow} step {spec.step}> failed:\n{failure.traceback}", file=sys.stderr, flush=True)
    name = f"{task_directory(spec.flow, spec.run_id, spec.step, spec.task_id)}/{spec.attempt}.failed.json"
    try:
        stores.records.replace(name, encode(failure))
    except CasStoreError as unkept:  # the disk is full, say: what was printed is all that is known
        print(f"stepwell: why the step failed cannot be kept: {unkept}\n{failure.message}", file=sys.stderr, flush=True)
    return TaskOutcome(done=False, error=failure.message)
