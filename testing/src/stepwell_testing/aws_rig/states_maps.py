"""Distributed maps as on AWS, where every child is an execution of its own.

moto runs the children inside the parent: they see its name and its variables, and *a child that fails is counted and
forgotten*, so that the map succeeds. Here a child has a name of its own and an empty variable scope, and the map fails with
``States.ExceedToleratedFailureThreshold`` when more children failed than it tolerates (none, by default).
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from .moto_patching import asl, failure


def repair_maps() -> None:
    """Mend children and failures of distributed maps."""
    _separate_children()
    _refuse_unknown_variables()
    _count_failures()


def _separate_children() -> None:
    processors = asl("component.state.exec.state_map.iteration.itemprocessor.distributed_item_processor_worker")
    worker = processors.DistributedItemProcessorWorker
    eval_input = worker._eval_input

    def eval_child_input(self: Any, env_frame: Any) -> None:
        eval_input(self, env_frame)  # ItemSelector is the parent's: it sees the parent's name and variables
        context = env_frame.states.context_object.context_object_data
        name = str(uuid.uuid4())
        machine, _, label = self._map_run_record.map_run_arn.rpartition(":")
        identifier = f"{machine.replace(':mapRun:', ':execution:')}:{label}:{name}"
        child = {"Id": identifier, "Name": name, "Input": env_frame.states.get_input()}
        context["Execution"] = {**context["Execution"], **child}
        context.pop("Map", None)
        env_frame.variable_store = asl("eval.variable_store").VariableStore()

    worker._eval_input = eval_child_input


def _refuse_unknown_variables() -> None:
    """A variable that is not in scope is null in moto and an error on AWS; without this the empty scope would not show."""
    sample = asl("component.common.string.string_expression").StringVariableSample
    evaluate = sample._eval_body

    def eval_body(self: Any, env: Any) -> None:
        if name := re.match(r"\$([^\W\d]\w*)", self.expression):
            env.variable_store.get(name[1])  # raises
        evaluate(self, env)

    sample._eval_body = eval_body


def _count_failures() -> None:
    iterations = asl("component.state.exec.state_map.iteration.distributed_iteration_component")
    component = iterations.DistributedIterationComponent
    map_run = component._map_run

    def checked_map_run(self: Any, env: Any, eval_input: Any) -> None:
        map_run(self, env=env, eval_input=eval_input)
        counter = eval_input.map_run_record.item_counter
        failed = counter.failed.get() + counter.timed_out.get() + counter.aborted.get()
        share = 100 * failed / max(counter.total.get(), 1)
        tolerated = eval_input.tolerated_failure_count or 0, eval_input.tolerated_failure_percentage or 0
        if failed > tolerated[0] and share > tolerated[1]:
            name, cause = (
                "States.ExceedToleratedFailureThreshold",
                "The specified tolerated failure threshold was exceeded",
            )
            raise failure(env, name, "MapRunFailed", "mapRunFailedEventDetails", cause=cause)

    component._map_run = checked_map_run
