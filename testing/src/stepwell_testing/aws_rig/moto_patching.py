"""Reaching into moto, whose own types are too narrow for what is put in their place."""

from __future__ import annotations

import importlib
import sys
from typing import Any


def moto(module: str) -> Any:
    """A module of moto, by its path below the package."""
    return importlib.import_module(f"moto.{module}")


def asl(module: str) -> Any:
    """A module of the state language's interpreter in moto."""
    return moto(f"stepfunctions.parser.asl.{module}")


def replace_function(name: str, function: Any) -> None:
    """Put ``function`` in place of ``name`` in each loaded module of moto: they import functions from each other."""
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("moto.") and name in vars(module):
            setattr(module, name, function)


def failure(env: Any, error: str, event: str, details: Any, **field: Any) -> Exception:
    """An error of a state, as the interpreter raises it: ``field`` names its event's details."""
    types = asl("component.common.error_name.states_error_name_type").StatesErrorNameType
    name = asl("component.common.error_name.states_error_name").StatesErrorName(typ=types.from_name(error))
    events = asl("component.common.error_name.failure_event")
    found: Exception = events.FailureEventException(
        events.FailureEvent(
            env=env,
            error_name=name,
            event_type=moto("stepfunctions.parser.api").HistoryEventType(event),
            event_details=asl("eval.event.event_detail").EventDetails(**{details: {"error": error, **field}}),
        )
    )
    return found
