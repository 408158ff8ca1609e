"""Distributed maps as on AWS, where every child is an execution of its own.

moto runs the children inside the parent: they see its name and its variables, and *a child that fails is counted and
forgotten*, so that the map succeeds. Here a child has a name of its own and an empty variable scope, and the map fails with
``States.ExceedToleratedFailureThreshold`` when more children failed than it tolerates (none, by default).
"""

from __future__ import annotations

import re
import uuid
from typing import Any


def repair_maps() -> None:
    """Mend children and failures of distributed maps."""
    _separate_children()
    _refuse_unknown_variables()
    _count_failures()


def _separate_children() -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor import (
        distributed_item_processor_worker as module,
    )
    from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore

    worker: Any = module.DistributedItemProcessorWorker
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
        env_frame.variable_store = VariableStore()

    worker._eval_input = eval_child_input


def _refuse_unknown_variables() -> None:
    """A variable that is not in scope is null in moto and an error on AWS; without this the empty scope would not show."""
    from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringVariableSample

    sample: Any = StringVariableSample
    evaluate = sample._eval_body

    def eval_body(self: Any, env: Any) -> None:
        if name := re.match(r"\$([^\W\d]\w*)", self.expression):
            env.variable_store.get(name[1])  # raises
        evaluate(self, env)

    sample._eval_body = eval_body


def _count_failures() -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
        distributed_iteration_component as module,
    )

    component: Any = module.DistributedIterationComponent
    map_run = component._map_run

    def checked_map_run(self: Any, env: Any, eval_input: Any) -> None:
        map_run(self, env=env, eval_input=eval_input)
        counter = eval_input.map_run_record.item_counter
        failed = counter.failed.get() + counter.timed_out.get() + counter.aborted.get()
        share = 100 * failed / max(counter.total.get(), 1)
        if failed > (eval_input.tolerated_failure_count or 0) and share > (
            eval_input.tolerated_failure_percentage or 0
        ):
            raise _too_many_failures(env)

    component._map_run = checked_map_run


def _too_many_failures(env: Any) -> Exception:
    from moto.stepfunctions.parser.api import HistoryEventType, MapRunFailedEventDetails
    from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
        FailureEvent,
        FailureEventException,
    )
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
    from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
    from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails

    name = StatesErrorName(typ=StatesErrorNameType.StatesExceedToleratedFailureThreshold)
    cause = "The specified tolerated failure threshold was exceeded"
    details = MapRunFailedEventDetails(error=name.error_name, cause=cause)
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=name,
            event_type=HistoryEventType.MapRunFailed,
            event_details=EventDetails(mapRunFailedEventDetails=details),
        )
    )
