"""What Step Functions refuses or fills in at its API, and moto does not."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from .moto_patching import asl, moto


def repair_checks() -> None:
    """Transitions to missing states are refused; every execution has a name; one refused definition spoils no other."""
    _repair_error_codes()
    _repair_preprocessor()
    _name_executions()
    _check_transitions()


def _repair_error_codes() -> None:
    """The interpreter's errors name their code in an attribute that moto's base class does not read."""
    api = moto("stepfunctions.parser.api")
    for error in vars(api).values():
        if isinstance(error, type) and issubclass(error, api.ServiceException) and isinstance(error.code, str):
            error.TYPE, error.STATUS = error.code, getattr(error, "status_code", 400)


def _repair_preprocessor() -> None:
    parser = asl("parse.preprocessor").Preprocessor
    old = parser.__init__

    def init(self: Any, *arguments: Any, **keywords: Any) -> None:
        old(self, *arguments, **keywords)
        self._query_language_per_scope = []  # a list of the class in moto: kept after a failure, and shared by threads

    parser.__init__ = init


def _name_executions() -> None:
    backend = moto("stepfunctions.parser.models").StepFunctionsParserBackend
    old = backend.start_execution

    def start(self: Any, state_machine_arn: str, name: str | None, *arguments: Any, **keywords: Any) -> Any:
        return old(self, state_machine_arn, name or str(uuid.uuid4()), *arguments, **keywords)

    backend.start_execution = start


def _check_transitions() -> None:
    models = moto("stepfunctions.parser.models")
    backend = models.StepFunctionsParserBackend
    old = backend._validate_definition

    def validate(definition: str) -> None:
        old(definition=definition)
        for problem in missing_targets(json.loads(definition)):
            raise models.InvalidDefinition(message=problem)

    backend._validate_definition = staticmethod(validate)


def missing_targets(machine: Mapping[str, Any], where: str = "/") -> Iterator[str]:
    """A sentence for each transition to a state that is not there, through maps and branches."""
    states = machine.get("States") or {}
    for target in [machine.get("StartAt"), *_targets(states)]:
        if target not in states:
            yield f"MISSING_TRANSITION_TARGET: '{target}' at {where}"
    for name, state in states.items():
        for inner in [state.get("ItemProcessor"), state.get("Iterator"), *(state.get("Branches") or [])]:
            if inner:
                yield from missing_targets(inner, f"{where}States/{name}/")


def _targets(states: Mapping[str, Any]) -> Iterator[str]:
    for state in states.values():
        yield from (state[key] for key in ("Next", "Default") if state.get(key) is not None)
        for choice in [*(state.get("Choices") or []), *(state.get("Catch") or [])]:
            if "Next" in choice:
                yield choice["Next"]
