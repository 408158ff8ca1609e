"""A small interpreter of the state language, as strict as AWS where the compiler could go wrong.

A state sees its input, the context object and the variables; the children of a distributed map see a context of their own,
and no variables; the item of a map shows only in its `ItemSelector`. Beside the data it carries which tasks ran last, so that
every task knows its parents.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import attrs
import jsonata
from jsonata.utils import Utils

KNOWN_FIELDS = {
    "Task": {"Resource", "Arguments", "Retry", "TimeoutSeconds", "Output", "Next", "End"},
    "Pass": {"Assign", "Output", "Next", "End"},
    "Choice": {"Choices", "Default"},
    "Parallel": {"Branches", "Output", "Next", "End"},
    "Map": {"Items", "MaxConcurrency", "ItemSelector", "ItemProcessor", "Output", "Next", "End"},
}

Last = tuple[Any, ...]


@attrs.frozen
class Seen:
    """What the states of a scope see beside their input."""

    context: dict[str, Any]
    variables: dict[str, Any] = attrs.field(factory=dict)

    def value(self, template: Any, data: Any, **more: Any) -> Any:
        """A value of a state whose input is `data`."""
        return value(template, {"input": data, "context": self.context, **more}, self.variables)

    def inner(self, **context: Any) -> Seen:
        """What a branch or an item sees; what it assigns is its own."""
        return Seen({**self.context, **context}, dict(self.variables))


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
        return self.run(self.definition, data, Seen({"Execution": {"Name": name, "Input": data}}), ())[0]

    def run(self, machine: dict[str, Any], data: Any, seen: Seen, last: Last) -> tuple[Any, Last]:
        name = machine["StartAt"]
        while True:
            state = machine["States"][name]
            unknown = set(state) - KNOWN_FIELDS[state["Type"]] - {"Type", "Comment"}
            assert not unknown, unknown
            self.transitions += 1
            data, last, following = getattr(self, state["Type"].lower())(state, data, seen, last)
            if following is None:
                assert state.get("End"), f"{name} leads nowhere"
                return data, last
            name = following

    def finish(self, state: dict[str, Any], data: Any, seen: Seen, last: Last, result: Any = None) -> Any:
        more = {} if result is None else {"result": result}
        output = seen.value(state["Output"], data, **more) if "Output" in state else result
        seen.variables.update(seen.value(state.get("Assign", {}), data, **more))
        return output, last, state.get("Next")

    def task(self, state: dict[str, Any], data: Any, seen: Seen, last: Last) -> Any:
        result, last = self.call(state["Resource"], seen.value(state["Arguments"], data), last)
        return self.finish(state, data, seen, last, result)

    def choice(self, state: dict[str, Any], data: Any, seen: Seen, last: Last) -> Any:
        for rule in state["Choices"]:
            if seen.value(rule["Condition"], data) is True:
                return seen.value(rule.get("Output", data), data), last, rule["Next"]
        if "Default" not in state:
            raise Failed("States.NoChoiceMatched")
        return data, last, state["Default"]

    def parallel(self, state: dict[str, Any], data: Any, seen: Seen, last: Last) -> Any:
        ends = [self.run(branch, data, seen.inner(), last) for branch in state["Branches"]]
        together = tuple(task for _, tasks in ends for task in tasks)
        return self.finish(state, data, seen, together, [output for output, _ in ends])

    def map(self, state: dict[str, Any], data: Any, seen: Seen, last: Last) -> Any:
        ends = []
        processor = state["ItemProcessor"]
        for index, item in enumerate(seen.value(state["Items"], data)):
            selected = seen.inner(Map={"Item": {"Index": index, "Value": item}}).value(state["ItemSelector"], data)
            inner = seen.inner()
            if processor.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
                inner = Seen({"Execution": {"Name": f"child-{index}", "Input": selected}})
            ends.append(self.run(processor, selected, inner, last))
        together = tuple(task for _, tasks in ends for task in tasks)
        return self.finish(state, data, seen, together, [output for output, _ in ends])

    def _pass(self, state: dict[str, Any], data: Any, seen: Seen, last: Last) -> Any:
        return self.finish(state, data, seen, last, data)


setattr(Interpreter, "pass", Interpreter._pass)


def value(template: Any, states: dict[str, Any], variables: Mapping[str, Any] = MappingProxyType({})) -> Any:
    """A value of a state with its expressions evaluated."""
    if isinstance(template, dict):
        return {key: value(item, states, variables) for key, item in template.items()}
    if isinstance(template, list):
        return [value(item, states, variables) for item in template]
    if isinstance(template, str) and template.startswith("{%") and template.endswith("%}"):
        return evaluate(template[2:-2].strip(), {"states": states, **variables})
    return template


@cache
def parse(text: str) -> jsonata.Jsonata:
    program = jsonata.Jsonata(text)
    program.register_lambda("parse", json.loads)
    return program


def evaluate(text: str, bound: Mapping[str, Any]) -> Any:
    """The value of an expression; having none is an error, as on AWS."""
    program = parse(text)
    frame = program.create_frame()
    for name, found in bound.items():
        frame.bind(name, found)
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
