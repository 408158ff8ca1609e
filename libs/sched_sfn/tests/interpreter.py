"""A small interpreter of the state language, as strict as AWS where the compiler could go wrong.

A state sees its input and the context object; the children of a distributed map see their own; the item of a map shows
only in its `ItemSelector`. Beside the data it carries which tasks ran last, so that every task knows its parents.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import attrs
import jsonata
from jsonata.utils import Utils

KNOWN_FIELDS = {
    "Task": {"Resource", "Arguments", "Retry", "TimeoutSeconds", "Output", "Next", "End"},
    "Pass": {"Output", "Next", "End"},
    "Choice": {"Choices", "Default"},
    "Parallel": {"Branches", "Output", "Next", "End"},
    "Map": {"Items", "MaxConcurrency", "ItemSelector", "ItemProcessor", "Output", "Next", "End"},
}

Last = tuple[Any, ...]


class Failed(Exception):
    """The execution fails."""


@attrs.define
class Interpreter:
    """Runs a definition. `call(resource, arguments, last)` runs a Task: it gives the result, and which tasks ran last now."""

    definition: dict[str, Any]
    call: Callable[[str, Any, Last], tuple[Any, Last]]
    transitions: int = 0

    def execute(self, name: str, data: Any) -> Any:
        assert self.definition["QueryLanguage"] == "JSONata"
        return self.run(self.definition, data, {"Execution": {"Name": name, "Input": data}}, ())[0]

    def run(self, machine: dict[str, Any], data: Any, context: dict[str, Any], last: Last) -> tuple[Any, Last]:
        name = machine["StartAt"]
        while True:
            state = machine["States"][name]
            unknown = set(state) - KNOWN_FIELDS[state["Type"]] - {"Type", "Comment"}
            assert not unknown, unknown
            self.transitions += 1
            data, last, following = getattr(self, state["Type"].lower())(state, data, context, last)
            if following is None:
                assert state.get("End"), f"{name} leads nowhere"
                return data, last
            name = following

    def finish(self, state: dict[str, Any], data: Any, context: Any, last: Last, result: Any = None) -> Any:
        states = {"input": data, "context": context, **({} if result is None else {"result": result})}
        output = value(state["Output"], states) if "Output" in state else result
        return output, last, state.get("Next")

    def task(self, state: dict[str, Any], data: Any, context: Any, last: Last) -> Any:
        arguments = value(state["Arguments"], {"input": data, "context": context})
        result, last = self.call(state["Resource"], arguments, last)
        return self.finish(state, data, context, last, result)

    def choice(self, state: dict[str, Any], data: Any, context: Any, last: Last) -> Any:
        states = {"input": data, "context": context}
        for rule in state["Choices"]:
            if value(rule["Condition"], states) is True:
                return value(rule.get("Output", data), states), last, rule["Next"]
        if "Default" not in state:
            raise Failed("States.NoChoiceMatched")
        return data, last, state["Default"]

    def parallel(self, state: dict[str, Any], data: Any, context: Any, last: Last) -> Any:
        ends = [self.run(branch, data, context, last) for branch in state["Branches"]]
        together = tuple(task for _, tasks in ends for task in tasks)
        return self.finish(state, data, context, together, [output for output, _ in ends])

    def map(self, state: dict[str, Any], data: Any, context: Any, last: Last) -> Any:
        ends = []
        processor = state["ItemProcessor"]
        for index, item in enumerate(value(state["Items"], {"input": data, "context": context})):
            seen = {**context, "Map": {"Item": {"Index": index, "Value": item}}}
            selected = value(state["ItemSelector"], {"input": data, "context": seen})
            inner = context
            if processor.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
                inner = {"Execution": {"Name": f"child-{index}", "Input": selected}}
            ends.append(self.run(processor, selected, inner, last))
        together = tuple(task for _, tasks in ends for task in tasks)
        return self.finish(state, data, context, together, [output for output, _ in ends])

    def _pass(self, state: dict[str, Any], data: Any, context: Any, last: Last) -> Any:
        return self.finish(state, data, context, last, data)


setattr(Interpreter, "pass", Interpreter._pass)


def value(template: Any, states: dict[str, Any]) -> Any:
    """A value of a state with its expressions evaluated."""
    if isinstance(template, dict):
        return {key: value(item, states) for key, item in template.items()}
    if isinstance(template, list):
        return [value(item, states) for item in template]
    if isinstance(template, str) and template.startswith("{%") and template.endswith("%}"):
        return evaluate(template[2:-2].strip(), states)
    return template


@cache
def parse(text: str) -> jsonata.Jsonata:
    program = jsonata.Jsonata(text)
    program.register_lambda("parse", json.loads)
    return program


def evaluate(text: str, states: dict[str, Any]) -> Any:
    """The value of an expression; having none is an error, as on AWS."""
    program = parse(text)
    frame = program.create_frame()
    frame.bind("states", states)
    try:
        found = program.evaluate(None, frame)
    except jsonata.JException as error:
        raise Failed(f"States.QueryEvaluationError: {error}") from error
    if found is None:
        raise Failed(f"States.QueryEvaluationError: {text} is undefined")
    return plain(found)


def plain(found: Any) -> Any:
    if found is Utils.NULL_VALUE:
        return None
    if isinstance(found, dict):
        return {key: plain(item) for key, item in found.items()}
    if isinstance(found, (list, tuple)):
        return [plain(item) for item in found]
    return int(found) if isinstance(found, float) and found.is_integer() else found
