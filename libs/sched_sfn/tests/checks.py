"""What no validator sees: the arguments of Batch, variables, the lengths and uniqueness of names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import botocore.session

FUNCTIONS = {"assert", "ceil", "floor", "max", "merge", "number", "parse", "string"}
VARIABLE = re.compile(r"\$([A-Za-z_]\w*)\s*(\(|:=)?")
STRING = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")


def problems(definition: dict[str, Any]) -> list[str]:
    """All that is wrong with a definition, as far as these checks see."""
    states = list(all_states(definition, assigned_by(definition)))
    names = Counter(name for name, _, _ in states)
    found = [f"{name}: {count} states have this name" for name, count in names.items() if count > 1]
    for name, state, assigned in states:
        if len(name) > 80:
            found.append(f"{name}: its name is too long")
        if state.get("Resource", "").endswith(":batch:submitJob.sync"):
            found += [f"{name}: {problem}" for problem in batch_problems(state["Arguments"])]
        own = {key: value for key, value in state.items() if key not in ("Branches", "ItemProcessor")}
        for expression in expressions(own):
            found += [f"{name}: {problem}" for problem in variable_problems(expression, assigned)]
    return found


State = tuple[str, dict[str, Any], frozenset[str]]


def assigned_by(definition: dict[str, Any]) -> frozenset[str]:
    """The variables that a machine's first state assigns: whatever comes after it has them."""
    return frozenset(definition["States"][definition["StartAt"]].get("Assign", ()))


def all_states(machine: dict[str, Any], assigned: frozenset[str]) -> Iterator[State]:
    """The states of a machine and those inside of them, with the variables they see: in a distributed map none."""
    for name, state in machine["States"].items():
        yield name, state, frozenset() if name == machine["StartAt"] and "Assign" in state else assigned
        for branch in state.get("Branches", []):
            yield from all_states(branch, assigned)
        if processor := state.get("ItemProcessor"):
            is_distributed = processor.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED"
            yield from all_states(processor, frozenset() if is_distributed else assigned)


def expressions(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from expressions(item)
    elif isinstance(value, list):
        for item in value:
            yield from expressions(item)
    elif isinstance(value, str) and value.startswith("{%"):
        yield value[2:-2]


# ---- variables


def variable_problems(expression: str, assigned: frozenset[str]) -> Iterator[str]:
    """Variables that nothing assigns, and functions that do not exist."""
    bound = {"states", *assigned}
    for name, follows in VARIABLE.findall(STRING.sub("''", expression)):
        if follows == ":=":
            bound.add(name)
        elif follows == "(" and name not in FUNCTIONS:
            yield f"there is no function ${name}"
        elif follows != "(" and name not in bound:
            yield f"the variable ${name} is not assigned"


# ---- Batch


def batch_problems(arguments: dict[str, Any]) -> Iterator[str]:
    """Arguments that SubmitJob does not know, lacks, or that are of the wrong type."""
    shape = botocore.session.get_session().get_service_model("batch").operation_model("SubmitJob").input_shape
    yield from shape_problems(arguments, shape, "Arguments")


def shape_problems(value: Any, shape: Any, where: str) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("{%"):
        return  # known at run time
    if shape.type_name == "structure":
        if not isinstance(value, dict):
            yield f"{where} must be an object"
            return
        members = {name[0].upper() + name[1:]: member for name, member in shape.members.items()}
        for name in shape.required_members:
            if name[0].upper() + name[1:] not in value:
                yield f"{where} lacks {name}"
        for name, item in value.items():
            if name not in members:
                yield f"{where} has no {name}"
            else:
                yield from shape_problems(item, members[name], f"{where}.{name}")
    elif shape.type_name == "list" and isinstance(value, list):
        for item in value:
            yield from shape_problems(item, shape.member, f"{where}[]")
    elif shape.type_name == "map" and isinstance(value, dict):
        for key, item in value.items():
            yield from shape_problems(item, shape.value, f"{where}.{key}")
    elif not isinstance(value, {"string": str, "integer": int, "long": int, "boolean": bool}.get(shape.type_name, ())):
        yield f"{where} must be of type {shape.type_name}, and is {value!r}"
