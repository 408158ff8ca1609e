"""From the syntax tree of a step's method to its node."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

import attrs

from flow_graph.nodes import Case, End, Invalid, Node, Transition
from flow_graph.positions import Text
from flow_graph.transitions import invalid, plain_transition, switch_transition

Method = ast.FunctionDef | ast.AsyncFunctionDef


def find_mark(method: Method, step: str) -> ast.expr | None:
    """The decorator `@step`, `@module.step` or `@step(...)` of a method, if it has one."""
    for decorator in method.decorator_list:
        name = decorator.func if isinstance(decorator, ast.Call) else decorator
        if (isinstance(name, ast.Name) and name.id == step) or (isinstance(name, ast.Attribute) and name.attr == step):
            return decorator
    return None


def parse_step(method: Method, mark: ast.expr, file: str | None, text: Text, transition: str) -> Node:
    """The node of a step; `mark` is its decorator, `transition` the name of the method that makes transitions."""
    flags = (
        {keyword.arg for keyword in mark.keywords if is_true(keyword.value)} if isinstance(mark, ast.Call) else set()
    )
    arguments = count_arguments(method.args)
    return Node(
        method.name,
        arguments=arguments,
        starts="start" in flags,
        ends="end" in flags,
        decorators=tuple(filter(None, (dotted(other) for other in method.decorator_list if other is not mark))),
        doc=first_doc_line(method),
        file=file,
        at=text.name_span(method),
        **parse_transition(method, text, transition, joins=arguments > 1),
    )


def dotted(decorator: ast.expr) -> str:
    """The name of a decorator, its arguments left out; empty if it is an expression without name."""
    name = decorator.func if isinstance(decorator, ast.Call) else decorator
    parts: list[str] = []
    while isinstance(name, ast.Attribute):
        parts.append(name.attr)
        name = name.value
    return ".".join(reversed([*parts, name.id])) if isinstance(name, ast.Name) else ""


def asynchronous(step: str, calls: list[ast.Call], receiver: str) -> Invalid:
    """What stands for the transition of a coroutine, which cannot be a step."""
    return Invalid(
        "async-step",
        f"Step {step!r} is an async function.",
        "Make it a plain function, and call asyncio.run(...) inside.",
        tuple(name for call in calls for name, _ in named_targets(call, receiver)),
    )


def is_true(value: ast.expr) -> bool:
    """Whether an expression is the literal True."""
    return isinstance(value, ast.Constant) and value.value is True


def count_arguments(args: ast.arguments) -> int:
    """How many arguments a method takes, starred and keyword-only ones included: a step takes 1, a join 2."""
    starred = [arg for arg in (args.vararg, args.kwarg) if arg is not None]
    return len(args.posonlyargs) + len(args.args) + len(args.kwonlyargs) + len(starred)


def first_doc_line(node: Method | ast.ClassDef) -> str:
    """The first line of a docstring, empty if there is none."""
    match node.body:
        case [ast.Expr(ast.Constant(str(text))), *_] if text.strip():
            return text.strip().splitlines()[0].rstrip()
    return ""


# ---- transitions


def parse_transition(method: Method, text: Text, name: str, *, joins: bool) -> dict[str, Any]:
    """The transition that a method ends with, and the places in it, as the fields of a node."""
    receiver = receiver_of(method)
    call = last_call(method, name)
    stray = [] if call else [found for node in ast.walk(method) if (found := as_call(node, receiver, name)) is not None]
    calls = [call] if call else stray
    if isinstance(method, ast.AsyncFunctionDef):
        transition: Transition = asynchronous(method.name, calls, receiver)
    elif call is not None:
        transition = parse_call(call, Reader(method.name, receiver, text, joins))
    else:
        transition = misplaced(method.name, stray, receiver, name) if stray else End()
    return {
        "transition": transition,
        "transition_at": text.span(calls[0]) if calls else None,
        "targets_at": {step: text.span(value) for call in calls for step, value in named_targets(call, receiver)},
    }


def receiver_of(method: Method) -> str:
    """What a method calls its own object: `self`."""
    positional = [*method.args.posonlyargs, *method.args.args]
    return positional[0].arg if positional else "self"


def last_call(method: Method, name: str) -> ast.Call | None:
    """The transition if it is where it belongs: the last statement."""
    return as_call(method.body[-1], receiver_of(method), name)


def as_call(node: ast.AST, receiver: str, name: str) -> ast.Call | None:
    """The call of a statement `self.next(...)`."""
    match node:
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(object), attribute)) as call):
            return call if object == receiver and attribute == name else None
    return None


def misplaced(step: str, calls: list[ast.Call], receiver: str, name: str) -> Invalid:
    """Transitions that are not the last statement of their step."""
    targets = dict.fromkeys(target for call in calls for target, _ in named_targets(call, receiver))
    return Invalid(
        "missing-transition",
        f"Step {step!r} does not end with {receiver}.{name}(...): the one on line {calls[0].lineno} is inside another "
        "statement, or others follow it.",
        f"The graph is read from the source, so make {receiver}.{name}(...) the last line of the step; "
        "to choose between steps, use a switch.",
        tuple(targets),
    )


def named_targets(call: ast.Call, receiver: str) -> Iterator[tuple[str, ast.expr]]:
    """The steps that a call names, as far as one can tell, and where."""
    for argument in call.args:
        for value in argument.values if isinstance(argument, ast.Dict) else [argument]:
            name = step_name(value, receiver)
            if name is not None:
                yield name, value


def step_name(value: ast.expr, receiver: str) -> str | None:
    """The step that an expression `self.name` names."""
    match value:
        case ast.Attribute(ast.Name(object), name) if object == receiver:
            return name
    return None


@attrs.frozen
class Reader:
    """What it takes to read one transition: the step that makes it, and the source around it."""

    step: str
    receiver: str
    text: Text
    joins: bool

    def refuse(self, call: ast.Call, part: ast.AST, reason: str, **changes: str) -> Invalid:
        """A call that is not understood because of a part of it."""
        known = tuple(name for name, _ in named_targets(call, self.receiver))
        at = self.text.span(part) if isinstance(part, ast.expr) else None
        return attrs.evolve(invalid(self.step, reason, known, **changes), at=at)


OPTIONS = ("foreach", "condition", "num_parallel")


def parse_call(call: ast.Call, reader: Reader) -> Transition:
    """The transition that a call of `self.next` makes."""
    options: dict[str, str] = {}
    for keyword in call.keywords:
        name, value = keyword.arg, keyword.value
        if name is None:
            return reader.refuse(call, value, "it passes **options")
        if name not in OPTIONS:
            return reader.refuse(call, value, f"{name}= is no option of it")
        if name == "num_parallel":
            options[name] = brief(value)
        elif isinstance(value, ast.Constant) and isinstance(value.value, str):
            options[name] = value.value
        else:
            return reader.refuse(call, value, f"{name}= must be the name of an artifact, as a literal string")
    if any(isinstance(argument, ast.Dict) for argument in call.args):
        return parse_switch(call, options, reader)
    return parse_plain(call, options, reader)


def parse_plain(call: ast.Call, options: dict[str, str], reader: Reader) -> Transition:
    """The transition to one or more steps."""
    if "condition" in options:
        return reader.refuse(call, call, "condition= goes with a dictionary of cases")
    targets = []
    for argument in call.args:
        target = step_name(argument, reader.receiver)
        if target is None:
            return reader.refuse(call, argument, f"{brief(argument)} is not a step of the form {reader.receiver}.name")
        targets.append(target)
    return plain_transition(reader.step, targets, options.get("foreach"), reader.joins, options.get("num_parallel"))


def parse_switch(call: ast.Call, options: dict[str, str], reader: Reader) -> Transition:
    """The transition to one of the cases of a dictionary."""
    dictionary = call.args[0]
    if len(call.args) > 1 or not isinstance(dictionary, ast.Dict):
        return reader.refuse(call, call, "a switch takes one dictionary and no other step")
    for option in ("foreach", "num_parallel"):
        if option in options:
            return reader.refuse(call, call, f"a switch cannot also have {option}=")
    cases = []
    for key, value in zip(dictionary.keys, dictionary.values, strict=True):
        target = step_name(value, reader.receiver)
        if target is None:
            reason = f"the case {brief(value)} is not a step of the form {reader.receiver}.name"
            return reader.refuse(call, value, reason)
        case = parse_case(key, target, reader.receiver)
        if case is None:
            return reader.refuse(
                call,
                key or dictionary,
                f"the switch key {'**' if key is None else brief(key)} is not a literal",
                help=f"Use strings, numbers, True, False, None, or configuration values like {reader.receiver}.config.mode.",
            )
        cases.append(case)
    return switch_transition(reader.step, cases, options.get("condition"))


def parse_case(key: ast.expr | None, target: str, receiver: str) -> Case | None:
    """The case of a literal key or of a configuration value (`self.config.key`)."""
    match key:
        case ast.Constant(value) if value is None or isinstance(value, (str, int, float)):
            return Case(value, target)
        case ast.UnaryOp(ast.USub(), ast.Constant(int(value) | float(value))):
            return Case(-value, target)
        case ast.Attribute(ast.Attribute()):
            text = ast.unparse(key)
            return Case(text, target, expression=True) if text.startswith(f"{receiver}.") else None
    return None


def brief(expression: ast.expr) -> str:
    """An expression in a message: long ones are cut."""
    try:
        text = " ".join(ast.unparse(expression).split())
    except RecursionError:  # nested deeper than Python can follow
        return "this expression"
    return text if len(text) <= 60 else f"{text[:57]}..."
