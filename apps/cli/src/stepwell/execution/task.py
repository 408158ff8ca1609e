"""Run one task. Every scheduler, on every machine, ends in `run`; nothing else executes a step."""

from __future__ import annotations

import secrets
import sys
import time

import attrs
from cas_store import Reference

from stepwell.api.current import TaskFacts, enter_task
from stepwell.api.definition import FlowDefinition
from stepwell.api.transitions import Transition
from stepwell.execution.artifacts import Artifacts, named
from stepwell.execution.body import run_body
from stepwell.execution.context import TaskContext
from stepwell.execution.failures import describe_failure
from stepwell.execution.merging import Input, Inputs
from stepwell.execution.records import (
    TaskRecord,
    done_name,
    encode,
    find_task,
    read_run,
    read_task,
    task_directory,
)
from stepwell.execution.spec import TaskOutcome, TaskSpec
from stepwell.execution.stores import Stores


def run(spec: TaskSpec, stores: Stores, flow: FlowDefinition) -> TaskOutcome:
    """Run one attempt at one task and leave its record, or the record of its failure.

    A task that is done already is left as it is. Of two attempts that run at once the first to commit wins; the other
    publishes nothing, and the task is done for both.
    """
    if find_task(stores.records, spec.flow, spec.run_id, spec.step, spec.task_id) is not None:
        return TaskOutcome(done=True)
    started = time.time()
    try:
        _commit(_execute(spec, stores, flow, started), stores)
    except BaseException as error:
        return _fail(spec, stores, flow, error)
    return TaskOutcome(done=True)


def _execute(spec: TaskSpec, stores: Stores, flow: FlowDefinition, started: float) -> TaskRecord:
    inputs = [read_task(stores.records, spec.flow, spec.run_id, step, task) for step, task in spec.inputs]
    node = flow.graph[spec.step]
    instance = flow.cls(use_cli=False)
    context = TaskContext(
        spec=spec,
        stores=stores,
        artifacts=Artifacts(stores.objects, _inherited(spec, stores, flow, inputs, node.takes_inputs)),
        step_names=frozenset(one.name for one in flow.graph),
        is_join=node.takes_inputs,
    )
    instance._stepwell_context = context
    body = getattr(instance, spec.step)
    enter_task(_facts(spec, flow, stores))
    try:
        run_body(body, _arguments(inputs, stores) if node.takes_inputs else (), flow, context)
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
    )


def _arguments(inputs: list[TaskRecord], stores: Stores) -> tuple[Inputs]:
    return (Inputs(Input(record, stores.objects) for record in inputs),)


def _inherited(
    spec: TaskSpec, stores: Stores, flow: FlowDefinition, inputs: list[TaskRecord], is_join: bool
) -> dict[str, Reference]:
    """What a task starts with: a join has parameters and constants only, any other task all of its input's artifacts."""
    if not inputs:
        claim = read_run(stores.records, spec.flow, spec.run_id)
        return {**claim.constants, **claim.parameters}
    if is_join:
        return named(inputs[0].artifacts, (*flow.constants, *flow.parameters))
    return dict(inputs[0].artifacts)


def _facts(spec: TaskSpec, flow: FlowDefinition, stores: Stores) -> TaskFacts:
    project = flow.project(spec.user)

    def tags() -> frozenset[str]:
        claim = read_run(stores.records, spec.flow, spec.run_id)
        return frozenset((*claim.tags, *claim.system_tags))

    return TaskFacts(
        flow_name=spec.flow,
        run_id=spec.run_id,
        step_name=spec.step,
        task_id=spec.task_id,
        retry_count=spec.attempt,
        username=spec.user,
        parameter_names=tuple(flow.parameters),
        origin_run_id=spec.origin_run_id,
        found={"tags": tags, "graph": flow.graph.to_data, "graph_info": flow.graph.to_data},
        added=attrs.asdict(project) if project else {},
    )


def _commit(record: TaskRecord, stores: Stores) -> None:
    """Publish the record, once: whoever finds it there already (another attempt's, or its own retried write) is done."""
    name = done_name(record.flow, record.run_id, record.step, record.task_id)
    stores.records.create(name, encode(record))


def _fail(spec: TaskSpec, stores: Stores, flow: FlowDefinition, error: BaseException) -> TaskOutcome:
    failure = describe_failure(error, spec.step, str(flow.file))
    print(f"<flow {spec.flow} step {spec.step}> failed:\n{failure.traceback}", file=sys.stderr, flush=True)
    name = f"{task_directory(spec.flow, spec.run_id, spec.step, spec.task_id)}/{spec.attempt}.failed.json"
    stores.records.replace(name, encode(failure))
    return TaskOutcome(done=False, error=failure.message)
